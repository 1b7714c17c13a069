/*
 * Destinations: what goes to the same place over connections of the same kind waits in one queue, uses a
 * bounded number of connections, and uses each for many transactions.
 */
#ifndef SEALGATE_DELIVERY_DESTINATION_H
#define SEALGATE_DELIVERY_DESTINATION_H

#include "gateway/delivery/client.h"
#include "gateway/delivery/route.h"
#include "gateway/delivery/sts.h"
#include "gateway/delivery/transaction.h"

struct event_base;
struct destinations;
struct tlsrpt;

struct destination_settings {
    const struct log *log;
    struct route_settings route;
    struct tls_level_settings tls;
    struct client_settings client;
    struct tlsrpt *reports; /* NULL: what TLS came to is not recorded */
    unsigned per_destination;
    unsigned deliveries_per_connection;
    int64_t idle_ms;
};

/* SETTINGS, RESOLVER and STS (NULL where settings->tls has no mta_sts) must outlive it. NULL: out of memory
 * (err). */
struct destinations *destinations_new(struct event_base *base, struct resolver *resolver, struct sts *sts,
                                      const struct destination_settings *settings, struct error *err);
/* Closes all connections at once; transactions under way are freed without their on_done. */
void destinations_free(struct destinations *destinations);

/*
 * Do the recipients of MAIL in the two domains (as route_domain gives them) go to the same place over
 * the same kind of connection, so that they may share a transaction?
 */
bool destinations_same(const struct destinations *destinations, const struct mail *mail, const char *a,
                       const char *b);

/* Queues T for DOMAIN; t->on_done follows, never from inside. STATUS_TEMPORARY: out of memory, T stays the
 * caller's. */
MUST_USE enum status destinations_submit(struct destinations *destinations, const char *domain,
                                         struct transaction *t, struct error *err);

/* Before the end: what waits is abandoned (and told so), idle connections quit, transactions under way go on.
 */
void destinations_drain(struct destinations *destinations);

#endif
