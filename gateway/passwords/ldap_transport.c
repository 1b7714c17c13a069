#include "gateway/passwords/ldap_transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openldap.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/* False, errno ETIMEDOUT: the deadline passed. */
static bool wait_for(const struct ldap_transport *t, short events)
{
    struct pollfd p = {.fd = t->fd, .events = events};
    int n;
    do {
        int64_t left = t->deadline - clock_mono_ms();
        n = poll(&p, 1, left > 0 ? (int)left : 0);
    } while (n < 0 && errno == EINTR);
    if (n == 0)
        errno = ETIMEDOUT;
    return n > 0;
}

/* ---- connecting ---- */

static bool connect_to(struct ldap_transport *t, const struct addrinfo *a)
{
    int failure = 0;
    socklen_t len = sizeof failure;
    t->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (t->fd < 0)
        return false;
    if (connect(t->fd, a->ai_addr, a->ai_addrlen) == 0)
        return true;
    if (errno == EINPROGRESS && wait_for(t, POLLOUT) &&
        getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &failure, &len) == 0) {
        if (failure == 0)
            return true;
        errno = failure;
    }
    failure = errno;
    close(t->fd);
    t->fd = -1;
    errno = failure;
    return false;
}

enum status ldap_transport_open(const char *host, int port, int64_t deadline,
                                struct ldap_transport *transport_out, struct error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *addresses = NULL;
    char service[16];
    *transport_out = (struct ldap_transport){.fd = -1, .deadline = deadline};
    snprintf(service, sizeof service, "%d", port);
    int rc = getaddrinfo(host, service, &hints, &addresses);
    if (rc != 0)
        return error_set(err, STATUS_TEMPORARY, "cannot find %s: %s", host, gai_strerror(rc));
    for (const struct addrinfo *a = addresses; a && transport_out->fd < 0; a = a->ai_next)
        (void)connect_to(transport_out, a);
    int errnum = errno;
    freeaddrinfo(addresses);
    if (transport_out->fd < 0)
        return error_errno(err, STATUS_TEMPORARY, errnum, "cannot connect to port %d of %s", port, host);
    return STATUS_OK;
}

/* ---- TLS ---- */

/* After a call of OpenSSL that gave RC: is it to be called again? Else errno says why not. */
static bool again(struct ldap_transport *t, int rc)
{
    switch (SSL_get_error(t->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
        return wait_for(t, POLLIN);
    case SSL_ERROR_WANT_WRITE:
        return wait_for(t, POLLOUT);
    case SSL_ERROR_SYSCALL:
        return false;
    default:
        errno = EPROTO;
        return false;
    }
}

static bool expect_host(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

/* Why the handshake failed; ERRNUM is that of its last step. */
static enum status handshake_failed(const struct ldap_transport *t, const char *host, int errnum,
                                    struct error *err)
{
    long verified = SSL_get_verify_result(t->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    if (verified != X509_V_OK)
        return error_set(err, STATUS_TEMPORARY, "the certificate of %s does not verify: %s", host,
                         X509_verify_cert_error_string(verified));
    if (errnum == ETIMEDOUT)
        reason = "no answer in time";
    return error_set(err, STATUS_TEMPORARY, "TLS handshake: %s", reason ? reason : "the connection closed");
}

enum status ldap_transport_secure(struct ldap_transport *t, SSL_CTX *ctx, const char *host, struct error *err)
{
    int rc;
    ERR_clear_error();
    t->ssl = SSL_new(ctx);
    if (!t->ssl || SSL_set_fd(t->ssl, t->fd) != 1 || !expect_host(t->ssl, host))
        return error_set(err, STATUS_TEMPORARY, "cannot set up TLS for %s", host);
    do {
        errno = 0;
        ERR_clear_error();
        rc = SSL_connect(t->ssl);
    } while (rc != 1 && again(t, rc));
    if (rc == 1)
        return STATUS_OK;
    enum status st = handshake_failed(t, host, errno, err);
    /* Whatever libldap still wants to say goes nowhere. */
    SSL_free(t->ssl);
    t->ssl = NULL;
    shutdown(t->fd, SHUT_RDWR);
    return st;
}

/* ---- under libldap ---- */

static int io_setup(Sockbuf_IO_Desc *desc, void *arg)
{
    desc->sbiod_pvt = arg;
    return 0;
}

static int io_nothing(Sockbuf_IO_Desc *desc)
{
    (void)desc;
    return 0;
}

/* What TLS has decrypted already is not to be waited for. */
static int io_ctrl(Sockbuf_IO_Desc *desc, int option, void *arg)
{
    const struct ldap_transport *t = desc->sbiod_pvt;
    (void)arg;
    return option == LBER_SB_OPT_DATA_READY && t->ssl && SSL_pending(t->ssl) > 0;
}

static ber_slen_t io_read(Sockbuf_IO_Desc *desc, void *bytes, ber_len_t len)
{
    struct ldap_transport *t = desc->sbiod_pvt;
    int max = len > INT16_MAX ? INT16_MAX : (int)len;
    for (;;) {
        errno = 0;
        ERR_clear_error();
        int n = t->ssl ? SSL_read(t->ssl, bytes, max) : (int)recv(t->fd, bytes, (size_t)max, 0);
        if (n > 0)
            return n;
        if (t->ssl ? SSL_get_error(t->ssl, n) == SSL_ERROR_ZERO_RETURN : n == 0)
            return 0;
        if (t->ssl ? !again(t, n) : errno != EINTR && (errno != EAGAIN || !wait_for(t, POLLIN)))
            return -1;
    }
}

static ber_slen_t io_write(Sockbuf_IO_Desc *desc, void *bytes, ber_len_t len)
{
    struct ldap_transport *t = desc->sbiod_pvt;
    int max = len > INT16_MAX ? INT16_MAX : (int)len;
    for (;;) {
        errno = 0;
        ERR_clear_error();
        int n = t->ssl ? SSL_write(t->ssl, bytes, max) : (int)send(t->fd, bytes, (size_t)max, MSG_NOSIGNAL);
        if (n > 0)
            return n;
        if (t->ssl ? !again(t, n) : errno != EINTR && (errno != EAGAIN || !wait_for(t, POLLOUT)))
            return -1;
    }
}

enum status ldap_transport_attach(struct ldap_transport *transport, LDAP **ld_out, struct error *err)
{
    static const Sockbuf_IO io = {.sbi_setup = io_setup,
                                  .sbi_remove = io_nothing,
                                  .sbi_ctrl = io_ctrl,
                                  .sbi_read = io_read,
                                  .sbi_write = io_write,
                                  .sbi_close = io_nothing};
    Sockbuf *sb = NULL;
    *ld_out = NULL;
    int rc = ldap_init_fd(transport->fd, LDAP_PROTO_EXT, NULL, ld_out);
    if (rc == LDAP_SUCCESS &&
        (ldap_get_option(*ld_out, LDAP_OPT_SOCKBUF, &sb) != LDAP_OPT_SUCCESS ||
         ber_sockbuf_add_io(sb, (Sockbuf_IO *)(uintptr_t)&io, LBER_SBIOD_LEVEL_PROVIDER, transport) != 0))
        rc = LDAP_NO_MEMORY;
    return rc == LDAP_SUCCESS
               ? STATUS_OK
               : error_set(err, STATUS_TEMPORARY, "cannot set up LDAP: %s", ldap_err2string(rc));
}

void ldap_transport_close(struct ldap_transport *transport)
{
    SSL_free(transport->ssl); /* LDAP's own unbind told the other side that it is over */
    transport->ssl = NULL;
    if (transport->fd >= 0)
        close(transport->fd);
    transport->fd = -1;
}
