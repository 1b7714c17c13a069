/* Shared by destination.c (queues and slots), session.c (one connection of a destination and its work) and
 * session_walk.c (the way to a host). */
#ifndef SEALGATE_DELIVERY_DESTINATION_PRIVATE_H
#define SEALGATE_DELIVERY_DESTINATION_PRIVATE_H

#include "gateway/delivery/concurrency.h"
#include "gateway/delivery/destination.h"
#include "gateway/delivery/host.h"

struct session;

struct destination {
    LIST_ENTRY(destination) link;
    struct destinations *all;
    char *domain;                  /* of the first transaction: where the route is asked for */
    bool requiretls, tls_optional; /* of all its mail, and so: */
    struct tls_rule rule;          /* its name is owned; level TLS_LEVEL_NONE: NULL */
    struct transaction_list waiting;
    LIST_HEAD(, session) sessions;
    unsigned n_sessions;
    unsigned cut_off; /* messages in a row over which hosts that were ready ended the connection */
    struct concurrency concurrency;
};

struct destinations {
    struct event_base *base;
    struct resolver *resolver;
    struct sts *sts;
    const struct destination_settings *settings;
    LIST_HEAD(, destination) list;
    unsigned n_sessions;
    bool draining;
    bool logged_in; /* the smarthost took our login when it was last asked; until it does, one session asks */
    struct event *pump; /* gives waiting transactions to sessions, from the loop */
};

/* One connection slot: it takes a transaction, finds a host that takes it, and then the next transaction. */
struct session {
    LIST_ENTRY(session) link;
    struct destination *destination;
    struct transaction *t; /* under way; NULL: idle */
    struct client *client; /* NULL: not connected */
    bool ready;            /* the client is past EHLO and TLS */
    bool reused;           /* t is not the first over this connection */
    bool clear;            /* TLS failed with this address; clear is allowed and tried next */
    unsigned deliveries;   /* over this connection */

    struct route_query *route_query;
    struct sts_query *sts_query;
    struct host_query *host_query;
    struct route route;
    struct sts_facts sts; /* of the domain */
    size_t hop_at;
    struct host known;        /* of the host at hand */
    struct tls_demand demand; /* on it */
    size_t address_at;
    unsigned tried;     /* connections begun for t */
    bool login_refused; /* so no other address is asked, nor is anybody else to ask */
    bool reached;       /* a host was ready for t */
    bool another;       /* a host put t off, and another of the route is asked */
    struct result host; /* of the addresses of the host at hand that failed for t */
    struct result sum;  /* of the hosts that failed for t */
};

/* session.c: a new session for T; on failure (err) T stays the caller's. */
struct session *session_start(struct destination *destination, struct transaction *t, struct error *err);
/* Gives an idle session its next transaction. */
void session_deliver(struct session *s, struct transaction *t);
bool session_is_idle(const struct session *s);
/* Ends an idle session with QUIT, any other at once. */
void session_end(struct session *s);

/* Of the session's clients. */
extern const struct client_handler session_client_handler;
/* The walk ended without a host that took the transaction. S is freed. */
void session_give_up(struct session *s, const struct result *why);

/* session_walk.c: each ends in a connection begun, or in session_give_up; S may be freed when it returns. */
/* From the start: the route of the destination. */
void walk_route(struct session *s);
/* To the host that s->hop_at says, or the end. */
void walk_host(struct session *s);
/* To the address that s->address_at says, or one behind it, or the next host. */
void walk_address(struct session *s);
/* What one address of the host at hand did. */
void walk_add_failure(struct session *s, const struct result *why);
/* May one more connection be begun? */
bool walk_may_try(const struct session *s);
/* What TLS came to with the host at hand, for reports; NULL: it was not tried. */
void walk_record_tls(const struct session *s, const struct client_tls *tls);

/* destination.c: a session tells. */
/* It has nothing to do; the next waiting transaction, or NULL. */
struct transaction *destination_next(struct destination *destination);
/* It is about to be freed. */
void destination_session_ended(struct session *s);
/* A transaction went through to its end. */
void destination_succeeded(struct destination *destination);
/*
 * No host of the route could be reached for T, or all cut it off. True: others of the destination's sessions
 * do not fare so, or not yet; T waits for one of those. False: T stays the caller's.
 */
bool destination_put_back(struct destination *destination, struct transaction *t);
/* After that: those that wait would fare the same. */
void destination_unreachable(struct destination *destination, const struct result *why);
/* A host was ready, and then it was no more. The message may be at fault, and those that wait are tried; but
 * not without end. */
void destination_cut_off(struct destination *destination, const struct result *why);
/* The host of the fixed route is ready for mail: others may connect to it too. */
void destinations_host_is_ready(struct destinations *d);
/* It refused our login: whatever waits, for whichever destination, is not to make it ask again. */
void destinations_login_refused(struct destinations *d, const struct result *why);

#endif
