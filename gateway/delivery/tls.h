/* TLS towards the next hop: what is demanded before and after the handshake. */
#ifndef SEALGATE_DELIVERY_TLS_H
#define SEALGATE_DELIVERY_TLS_H

#include <openssl/types.h>
#include <stdbool.h>

#include "gateway/net/resolver.h"
#include "gateway/net/tlsa.h"
#include "gateway/policy/tls_level.h"
#include "gateway/tlsrpt/result.h"

/* The TLSA records that a host must match at the DANE levels (RFC 7672 §3). All are the giver's. */
struct tls_dane {
    const char *base; /* TLSA base domain: the name in SNI and, for usage 2, in the certificate */
    const char *also; /* another name that the certificate may carry for usage 2; NULL: none */
    const struct tlsa_records *records;
};

/* How a message went; counted. */
enum tls_way {
    TLS_WAY_UNKNOWN, /* nothing was sent */
    TLS_WAY_DANE_EE,
    TLS_WAY_DANE_TA,
    TLS_WAY_PKIX,
    TLS_WAY_UNVERIFIED,
    TLS_WAY_CLEAR,        /* level none, or the host does not offer STARTTLS */
    TLS_WAY_CLEAR_FAILED, /* level may, and TLS failed */
    TLS_WAYS,
};
/* "dane-ee", "dane-ta", "pkix", "unverified", "clear", "clear-after-failure". */
const char *tls_way_word(enum tls_way way);

/* Does CERT name the host NAME, a DNS name or an IP address, in its subjectAltName? A wildcard stands for one
 * whole label. */
bool delivery_tls_is_for(X509 *cert, const char *name);
/* Does it name a host, or have a wildcard, below DOMAIN? */
bool delivery_tls_is_for_below(X509 *cert, const char *domain);

/* How many of RECORDS OpenSSL can use with usage 2 or 3 (RFC 7672 §3.1). TLS is of tls_client_context. */
size_t delivery_tls_usable(SSL_CTX *tls, const struct tlsa_records *records);

/* Before the handshake. It never fails for a certificate: what is wrong with one is said better afterwards.
 * DANE is needed at the DANE levels only; without it, or out of memory, delivery_tls_accept refuses. */
void delivery_tls_prepare(SSL *ssl, const struct tls_demand *demand, const struct tls_dane *dane);

/*
 * After the handshake: does the peer meet DEMAND? WORDS tells what is known of it ("verified for
 * mx.example.org", "not verified", or why it does not: "certificate has expired"), *WAY_OUT how it was
 * verified.
 */
bool delivery_tls_accept(SSL *ssl, const struct tls_demand *demand, const struct tls_dane *dane,
                         enum tls_way *way_out, char *words, size_t size);

/* The same for reports to the domain: how the peer stands to its own policy, one in testing too, and
 * *REASON_OUT (static) why. Without a name or records to hold it to it is TLSRPT_SUCCESS. */
enum tlsrpt_result delivery_tls_result(SSL *ssl, const struct tls_demand *demand, const struct tls_dane *dane,
                                       const char **reason_out);

#endif
