#include "gateway/delivery/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

enum { USAGE_DANE_TA = 2, USAGE_DANE_EE = 3 }; /* RFC 7218 §2.1 */

const char *tls_way_word(enum tls_way way)
{
    static const char *const words[TLS_WAYS] = {
        "unknown", "dane-ee", "dane-ta", "pkix", "unverified", "clear", "clear-after-failure"};
    return words[way];
}

static bool is_dane(const struct tls_demand *demand)
{
    return demand->level == TLS_LEVEL_DANE || demand->level == TLS_LEVEL_DANE_ONLY;
}

/* The number of records that SSL, for which DANE is enabled, took. */
static size_t add_records(SSL *ssl, const struct tlsa_records *records)
{
    size_t n = 0;
    for (size_t i = 0; i < records->n; i++) {
        const struct tlsa_record *r = &records->items[i];
        struct span data = tlsa_data(records, i);
        if (r->usage != USAGE_DANE_TA && r->usage != USAGE_DANE_EE)
            continue;
        if (SSL_dane_tlsa_add(ssl, r->usage, r->selector, r->matching, (const unsigned char *)data.p,
                              data.len) == 1)
            n++;
    }
    ERR_clear_error();
    return n;
}

size_t delivery_tls_usable(SSL_CTX *tls, const struct tlsa_records *records)
{
    SSL *ssl = SSL_new(tls);
    size_t n = ssl && SSL_dane_enable(ssl, "localhost") == 1 ? add_records(ssl, records) : 0;
    SSL_free(ssl);
    ERR_clear_error();
    return n;
}

static void prepare_dane(SSL *ssl, const struct tls_dane *dane)
{
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (SSL_dane_enable(ssl, dane->base) != 1 || (dane->also && SSL_add1_host(ssl, dane->also) != 1)) {
        ERR_clear_error();
        return;
    }
    /* RFC 7672 §3.1.1. */
    SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    add_records(ssl, dane->records);
}

void delivery_tls_prepare(SSL *ssl, const struct tls_demand *demand, const struct tls_dane *dane)
{
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    /* Where the certificate is not looked at, an old key is better than no encryption at all. */
    if (!tls_level_authenticates(demand->level))
        SSL_set_security_level(ssl, 1);
    else if (is_dane(demand) && dane)
        prepare_dane(ssl, dane);
}

/* RFC 8461 §4.1, RFC 9525 §2: the common name of the subject is none. */
#define NAME_FLAGS (X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)

bool delivery_tls_is_for(X509 *cert, const char *name)
{
    return X509_check_host(cert, name, 0, NAME_FLAGS, NULL) == 1 || X509_check_ip_asc(cert, name, 0) == 1;
}

bool delivery_tls_is_for_below(X509 *cert, const char *domain)
{
    char below[DNS_NAME_SIZE + 1];
    int len = snprintf(below, sizeof below, ".%s", domain);
    return len > 1 && (size_t)len < sizeof below && X509_check_host(cert, below, 0, NAME_FLAGS, NULL) == 1;
}

static bool accept_dane(SSL *ssl, const struct tls_dane *dane, enum tls_way *way_out, char *words,
                        size_t size)
{
    uint8_t usage, selector, matching;
    long verified = SSL_get_verify_result(ssl);
    /* Also when nothing verified for want of DANE: a chain to a trust anchor is no match. */
    int depth = SSL_get0_dane_tlsa(ssl, &usage, &selector, &matching, NULL, NULL);
    if (verified != X509_V_OK || depth < 0 || !dane) {
        snprintf(words, size, "not verified by DANE: %s",
                 verified != X509_V_OK ? X509_verify_cert_error_string(verified) : "no TLSA record matches");
        return false;
    }
    *way_out = usage == USAGE_DANE_EE ? TLS_WAY_DANE_EE : TLS_WAY_DANE_TA;
    snprintf(words, size, "verified for %s (%s, TLSA %u %u %u)", dane->base, tls_way_word(*way_out), usage,
             selector, matching);
    return true;
}

static bool accept_pkix(SSL *ssl, const struct tls_demand *demand, enum tls_way *way_out, char *words,
                        size_t size)
{
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
    bool exact = delivery_tls_is_for(cert, demand->match_name);
    if (!exact && !(demand->match_below && delivery_tls_is_for_below(cert, demand->match_name))) {
        snprintf(words, size, "trusted, but not for %s%s", demand->match_name,
                 demand->match_below ? " or a name below it" : "");
        return false;
    }
    *way_out = TLS_WAY_PKIX;
    snprintf(words, size, "verified for %s%s (%s)", exact ? "" : "a name below ", demand->match_name,
             tls_way_word(*way_out));
    return true;
}

/* What a policy in testing would have said: told, and nothing more. */
static void tell_test(SSL *ssl, const struct tls_demand *demand, char *words, size_t size)
{
    const struct tls_demand would = {.match_name = demand->test_name};
    enum tls_way way;
    char found[300];
    bool good = accept_pkix(ssl, &would, &way, found, sizeof found);
    snprintf(words, size, "not verified; mta-sts testing: the certificate is %s%s",
             good ? "" : "refused: ", found);
}

bool delivery_tls_accept(SSL *ssl, const struct tls_demand *demand, const struct tls_dane *dane,
                         enum tls_way *way_out, char *words, size_t size)
{
    *way_out = TLS_WAY_UNVERIFIED;
    if (is_dane(demand))
        return accept_dane(ssl, dane, way_out, words, size);
    if (tls_level_authenticates(demand->level))
        return accept_pkix(ssl, demand, way_out, words, size);
    if (demand->test_name)
        tell_test(ssl, demand, words, size);
    else
        snprintf(words, size, "not verified");
    return true;
}

enum tlsrpt_result delivery_tls_result(SSL *ssl, const struct tls_demand *demand, const struct tls_dane *dane,
                                       const char **reason_out)
{
    const char *name = demand->test_name ? demand->test_name : demand->match_name;
    X509 *cert = SSL_get0_peer_certificate(ssl);
    long code = SSL_get_verify_result(ssl);
    if (is_dane(demand)) {
        if (code == X509_V_OK && (!dane || SSL_get0_dane_tlsa(ssl, NULL, NULL, NULL, NULL, NULL) < 0))
            code = X509_V_ERR_DANE_NO_MATCH;
    } else if (!name) {
        code = X509_V_OK;
    } else if (code == X509_V_OK && (!cert || !delivery_tls_is_for(cert, name))) {
        code = X509_V_ERR_HOSTNAME_MISMATCH;
    }
    *reason_out = code == X509_V_OK ? "" : X509_verify_cert_error_string(code);
    return tlsrpt_result_of_certificate(code);
}
