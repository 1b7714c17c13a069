/* What DNS says of one host of a route: its addresses and, where DANE is asked for, its TLSA records. */
#ifndef SEALGATE_DELIVERY_HOST_H
#define SEALGATE_DELIVERY_HOST_H

#include <openssl/types.h>

#include "gateway/delivery/route.h"
#include "gateway/policy/tls_level.h"

struct host {
    struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX]; /* port 0 */
    size_t n_addresses;
    enum dane_state dane;
    char dane_why[ERROR_TEXT_MAX]; /* where DANE is not USABLE; "" when nobody asked */
    bool tlsa_failed;              /* FAILED because of the look-up of its TLSA records */
    char base[DNS_NAME_SIZE];  /* TLSA base domain: the last name asked for TLSA records (RFC 7672 §2.2.3) */
    struct tlsa_records *tlsa; /* all of them; owned (host_free) */
};

/* TLSA frees; zero is none. */
void host_free(struct host *host);

struct host_wish {
    const struct hop *hop;
    bool fixed;     /* the administrator named the host: no MX record needs to be secure */
    bool mx_secure; /* as struct route */
    bool dane;      /* look for TLSA records */
};

/*
 * HOST is what was found (its memory becomes the handler's, who frees it by host_free), or NULL: it has no
 * address, and FAILURE says why: FAILURE_CONNECTION, or FAILURE_REFUSED when there is none for certain.
 */
typedef void host_found_fn(void *arg, const struct host *host, const struct result *failure);

struct host_query;

/*
 * FOUND is called once, never from inside, unless cancelled. WISH may go, its hop must stay. TLS is of
 * tls_client_context: it says which TLSA records can be used. NULL: out of memory (err).
 */
struct host_query *host_find(struct resolver *resolver, SSL_CTX *tls, const struct host_wish *wish,
                             host_found_fn *found, void *arg, struct error *err);
void host_cancel(struct host_query *query);

/* A host that is an address: known at once, and without TLSA records. */
void host_literal(const struct hop *hop, struct host *host_out);

#endif
