/* A report by HTTPS (RFC 8460 §5.4): strict, as everything we fetch. A certificate that does not hold ends
 * it, though the RFC would let the report go. */
#ifndef SEALGATE_TLSRPT_POST_H
#define SEALGATE_TLSRPT_POST_H

#include <openssl/types.h>

#include "gateway/net/network.h"
#include "gateway/net/resolver.h"
#include "gateway/wire/tlsrpt.h"

struct event_base;

struct post_settings {
    struct event_base *base;
    struct resolver *resolver;
    SSL_CTX *trust; /* of tls_client_context */
    int64_t timeout_ms;
    const struct network *networks; /* besides public addresses these may be connected to (A28) */
    size_t n_networks;
};

/* WHY is NULL when the host said 2xx; else for people, and gone when it returns. */
typedef void post_done_fn(void *arg, const char *why);

struct post;

/* DONE is called once, never from inside, unless cancelled. SETTINGS and GZIP must outlive it. NULL: err. */
struct post *post_start(const struct post_settings *settings, const struct tlsrpt_uri *uri, struct span gzip,
                        post_done_fn *done, void *arg, struct error *err);
void post_cancel(struct post *post);

#endif
