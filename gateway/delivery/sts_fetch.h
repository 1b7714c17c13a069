/* The fetch of one domain's MTA-STS policy (RFC 8461 §3.3). */
#ifndef SEALGATE_DELIVERY_STS_FETCH_H
#define SEALGATE_DELIVERY_STS_FETCH_H

#include <openssl/types.h>

#include "gateway/net/network.h"
#include "gateway/net/resolver.h"
#include "gateway/wire/mta_sts.h"

struct event_base;

struct sts_fetch_settings {
    struct event_base *base;
    struct resolver *resolver;
    SSL_CTX *trust; /* of tls_client_context */
    uint16_t port;  /* 443; tests use another */
    int64_t timeout_ms;
    const struct network *networks; /* besides public addresses these may be connected to (A28) */
    size_t n_networks;
};

enum sts_fetch_result { /* RFC 8460 §4.3.2.2 */
                        STS_FETCHED,
                        STS_FETCH_ERROR,
                        STS_FETCH_INVALID, /* malformed */
                        STS_FETCH_WEBPKI,  /* the certificate of the policy host */
                        STS_FETCH_LOCAL,   /* our own trouble, which says nothing of the domain */
};

struct sts_fetched {
    enum sts_fetch_result result;
    struct span text; /* of a good one */
    struct sts_policy policy;
    const char *why; /* else, for people */
};

/* FETCHED is gone when it returns. */
typedef void sts_fetched_fn(void *arg, const struct sts_fetched *fetched);

struct sts_fetch;

/* DONE is called once, never from inside, unless cancelled. SETTINGS must outlive it. NULL: err. */
struct sts_fetch *sts_fetch_start(const struct sts_fetch_settings *settings, const char *domain,
                                  sts_fetched_fn *done, void *arg, struct error *err);
void sts_fetch_cancel(struct sts_fetch *fetch);

#endif
