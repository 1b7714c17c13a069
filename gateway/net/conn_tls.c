/* TLS of a connection. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/net/conn_private.h"

bool conn_has_pipelined(const struct conn *c)
{
    if (conn_unread(c) > 0)
        return true;
    char first;
    if (c->tls_up) {
        ERR_clear_error();
        return SSL_peek(c->ssl, &first, 1) > 0;
    }
    return recv(c->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/*
 * A byte that came before the peer could have seen our side begin is plaintext (A3: CVE-2011-0411). Once our
 * reply to STARTTLS is on its way, bytes in the socket may be the client's hello: the handshake reads those,
 * and fails on anything else.
 */
static bool has_plaintext(const struct conn *c)
{
    bool hello_possible = c->server && conn_unsent(c) == 0;
    return hello_possible ? conn_unread(c) > 0 : conn_has_pipelined(c);
}

static bool is_ip_literal(const char *name)
{
    unsigned char scratch[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, scratch) == 1 || inet_pton(AF_INET6, name, scratch) == 1;
}

static enum status make_ssl(struct conn *c, SSL_CTX *tls, const char *sni, struct error *err)
{
    ERR_clear_error();
    c->ssl = SSL_new(tls);
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1)
        return error_set(err, STATUS_TEMPORARY, "out of memory for TLS");
    SSL_set_mode(c->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                             SSL_MODE_RELEASE_BUFFERS);
    /* All that has come in one call, not two calls for each record. */
    SSL_set_read_ahead(c->ssl, 1);
    if (c->server) {
        SSL_set_accept_state(c->ssl);
        return STATUS_OK;
    }
    SSL_set_connect_state(c->ssl);
    /* RFC 6066 §3: no literal addresses in the name. */
    if (sni && !is_ip_literal(sni) && SSL_set_tlsext_host_name(c->ssl, sni) != 1)
        return error_set(err, STATUS_INVALID, "%.200s cannot be a server name in TLS", sni);
    return STATUS_OK;
}

enum status conn_start_tls(struct conn *c, SSL_CTX *tls, const char *sni, conn_tls_setup_fn *setup,
                           struct error *err)
{
    if (c->state != CONN_OPEN || c->ssl)
        return error_set(err, STATUS_INTERNAL, "TLS can only start on an open connection in clear");
    if (has_plaintext(c))
        return error_set(err, STATUS_INVALID, "%s sent bytes in clear behind STARTTLS", c->peer);
    enum status st = make_ssl(c, tls, sni, err);
    if (st != STATUS_OK) {
        SSL_free(c->ssl);
        c->ssl = NULL;
        return st;
    }
    if (setup)
        setup(c->arg, c->ssl);
    c->state = CONN_FLUSHING;
    conn_kick(c, EV_WRITE);
    return STATUS_OK;
}

/* Turns the result of an SSL call into IO_AGAIN with what to wait for, or c->broken. */
static int explain(struct conn *c, int result, const char *doing)
{
    int errnum = errno;
    switch (SSL_get_error(c->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        c->want_read = true;
        return IO_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        c->want_write = true;
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        error_set(&c->broken, STATUS_CLOSED, "%s closed the connection", c->peer);
        return IO_END;
    case SSL_ERROR_SYSCALL:
        if (errnum == 0)
            error_set(&c->broken, STATUS_TEMPORARY, "%s: %s broke the connection", doing, c->peer);
        else
            error_errno(&c->broken, STATUS_TEMPORARY, errnum, "%s with %s", doing, c->peer);
        return IO_ERROR;
    default:
        break;
    }
    unsigned long code = ERR_peek_error();
    if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING && c->tls_up)
        error_set(&c->broken, STATUS_TEMPORARY, "%s closed the connection without close_notify", c->peer);
    else
        error_set(&c->broken, STATUS_TEMPORARY, "%s with %s: %s", doing, c->peer,
                  ERR_reason_error_string(code) ? ERR_reason_error_string(code) : "unknown error");
    ERR_clear_error();
    return IO_ERROR;
}

void conn_handshake(struct conn *c)
{
    c->want_read = c->want_write = false;
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(c->ssl);
    if (result == 1) {
        c->tls_up = true;
        /* It was sent, and idle connections are many (A17). */
        if (c->server)
            SSL_set_tlsext_status_ocsp_resp(c->ssl, NULL, 0);
        conn_opened(c);
        if (SSL_has_pending(c->ssl))
            conn_kick(c, EV_READ);
        return;
    }
    if (explain(c, result, "TLS handshake") != IO_AGAIN)
        conn_ended(c);
}

ssize_t conn_tls_read(struct conn *c, void *to, size_t len)
{
    ERR_clear_error();
    errno = 0;
    int n = SSL_read(c->ssl, to, (int)len);
    return n > 0 ? n : explain(c, n, "reading over TLS");
}

ssize_t conn_tls_write(struct conn *c, const void *from, size_t len)
{
    ERR_clear_error();
    errno = 0;
    int n = SSL_write(c->ssl, from, len > INT32_MAX ? INT32_MAX : (int)len);
    return n > 0 ? n : explain(c, n, "writing over TLS");
}

int conn_tls_shutdown(struct conn *c)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_shutdown(c->ssl);
    if (result >= 0)
        return 0; /* 0: sent, and the other side's is not there yet: not waited for (RFC 8446 §6.1) */
    return explain(c, result, "closing TLS");
}

bool conn_tls_exporter(const struct conn *c, unsigned char exporter_out[CONN_EXPORTER_SIZE])
{
    static const char label[] = "EXPORTER-Channel-Binding";
    if (!c->tls_up || SSL_version(c->ssl) < TLS1_3_VERSION)
        return false;
    ERR_clear_error();
    return SSL_export_keying_material(c->ssl, exporter_out, CONN_EXPORTER_SIZE, label, sizeof label - 1,
                                      (const unsigned char *)"", 0, 1) == 1;
}
