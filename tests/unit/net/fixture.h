/* What the tests of net share: throwaway certificates, a loop with an alarm, socket pairs over TCP. */
#ifndef SEALGATE_TESTS_NET_FIXTURE_H
#define SEALGATE_TESTS_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A self-signed certificate for localhost and its key, written to DIR/cert.pem and DIR/key.pem (0600). */
static inline void fixture_certificate(const char *dir)
{
    char path[256];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_EXTENSION *san =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,DNS:secure.example");
    X509_add_ext(cert, san, -1);
    X509_EXTENSION_free(san);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    snprintf(path, sizeof path, "%s/cert.pem", dir);
    FILE *f = fopen(path, "w");
    assert_true(PEM_write_X509(f, cert));
    fclose(f);
    snprintf(path, sizeof path, "%s/key.pem", dir);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    f = fdopen(fd, "w");
    assert_true(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
    fclose(f);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static inline void fixture_remove(const char *dir)
{
    static const char *const names[] = {"cert.pem", "key.pem",    "other.pem",
                                        "link.pem", "locked.pem", "hosts"};
    char path[256];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

/* Runs the loop until *DONE; an alarm ends a test that hangs. */
static inline void fixture_run(struct event_base *base, const bool *done)
{
    alarm(20);
    while (!*done)
        if (event_base_loop(base, EVLOOP_ONCE) != 0)
            break;
    alarm(0);
    assert_true(*done);
}

/* Lets connections that were closed finish. */
static inline void fixture_finish(struct event_base *base)
{
    alarm(20);
    while (event_base_loop(base, EVLOOP_ONCE) == 0)
        ;
    alarm(0);
}

/* A listening socket on a loopback port of the kernel's choice. */
static inline int fixture_listen(struct sockaddr_in *sin)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *sin = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)sin, sizeof *sin), 0);
    assert_int_equal(listen(fd, 8), 0);
    socklen_t len = sizeof *sin;
    getsockname(fd, (struct sockaddr *)sin, &len);
    return fd;
}

/* A connected TCP pair; pair[0] is the accepted side. */
static inline void fixture_pair(int pair[2])
{
    struct sockaddr_in sin;
    int listening = fixture_listen(&sin);
    pair[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(pair[1], (struct sockaddr *)&sin, sizeof sin), 0);
    pair[0] = accept(listening, NULL, NULL);
    assert_true(pair[0] >= 0);
    close(listening);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
}

#endif
