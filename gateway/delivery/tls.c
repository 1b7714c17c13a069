#include "gateway/delivery/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

static bool must_verify(const struct tls_demand *demand)
{
    return demand->level == TLS_LEVEL_VERIFY || demand->level == TLS_LEVEL_SECURE;
}

void delivery_tls_prepare(SSL *ssl, const struct tls_demand *demand)
{
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    /* Where the certificate is not looked at, an old key is better than no encryption at all. */
    if (!must_verify(demand))
        SSL_set_security_level(ssl, 1);
}

static bool names_host(X509 *cert, const char *name)
{
    return X509_check_host(cert, name, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1 ||
           X509_check_ip_asc(cert, name, 0) == 1;
}

bool delivery_tls_accept(SSL *ssl, const struct tls_demand *demand, char *words, size_t size)
{
    if (!must_verify(demand)) {
        snprintf(words, size, "not verified");
        return true;
    }
    X509 *cert = SSL_get0_peer_certificate(ssl);
    long verified = SSL_get_verify_result(ssl);
    if (!cert || !demand->match_name) {
        snprintf(words, size, "no certificate");
        return false;
    }
    if (verified != X509_V_OK) {
        snprintf(words, size, "not trusted: %s", X509_verify_cert_error_string(verified));
        return false;
    }
    if (!names_host(cert, demand->match_name)) {
        snprintf(words, size, "trusted, but not for %s", demand->match_name);
        return false;
    }
    snprintf(words, size, "verified for %s", demand->match_name);
    return true;
}
