/* Where the mail for a domain goes. */
#ifndef SEALGATE_DELIVERY_ROUTE_H
#define SEALGATE_DELIVERY_ROUTE_H

#include "gateway/delivery/outcome.h"
#include "gateway/net/resolver.h"

struct route_settings {
    const char *route; /* "mx" or "[host]:port" */
    uint16_t mx_port;
    const char *hostname; /* our own: a route back to us is a loop */
};

struct hop {
    char host[256];
    uint16_t port;
    bool literal; /* HOST is an address, in ADDRESS with its port */
    struct sockaddr_storage address;
};

struct route {
    bool fixed;
    bool implicit; /* no MX record: the domain itself is the host */
    bool secure;   /* DNSSEC vouches for the MX records, or for their absence */
    struct hop hops[RESOLVER_MX_MAX];
    size_t n;
};

/* ROUTE is NULL when there is none; then FAILURE says why: FAILURE_CONNECTION (later) or FAILURE_PERMANENT.
 */
typedef void route_found_fn(void *arg, const struct route *route, const struct result *failure);

struct route_query;

/* FOUND is called once, from the loop, unless cancelled. DOMAIN is an A-label in lower case or an address
 * literal "[192.0.2.1]". NULL: out of memory (err). */
struct route_query *route_find(struct event_base *base, struct resolver *resolver,
                               const struct route_settings *settings, const char *domain,
                               route_found_fn *found, void *arg, struct error *err);
void route_cancel(struct route_query *query);

/* The hop of a fixed route "[host]:port". STATUS_INVALID: not of that form. */
MUST_USE enum status route_fixed_hop(const char *route, struct hop *hop_out, struct error *err);

/* Is the route fixed, the same for all domains? */
bool route_is_fixed(const char *route);

/*
 * The domain of a mailbox as A-label in lower case (RFC 5890), to be freed by the caller. NULL: it has none,
 * or one that cannot be a domain.
 */
char *route_domain(const char *address);

#endif
