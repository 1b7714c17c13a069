/*
 * How many sessions there are, in all and per client (A17). A client is an IPv4 address or an IPv6 /64; or,
 * in a table of its own, an authenticated user.
 *
 * A hash table whose order nobody outside can foresee, so that ten thousand clients cost no more each than
 * ten.
 */
#ifndef SEALGATE_SUBMISSION_LIMITS_H
#define SEALGATE_SUBMISSION_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

struct client_key {
    uint8_t bytes[16];
};

struct limits_client {
    struct client_key key;
    unsigned sessions;
    uint32_t next; /* in its bucket, or among the free ones: index + 1; 0: the last */
};

struct limits {
    unsigned sessions_max, per_client_max;
    unsigned sessions;
    struct limits_client *clients; /* owned; room for sessions_max */
    uint32_t *buckets;             /* owned; index + 1 of the first client; 0: none */
    size_t n_buckets;              /* a power of two */
    uint32_t free;                 /* index + 1 of the first unused client */
    size_t n_clients;              /* those with sessions */
    uint64_t seed[2];
};

MUST_USE enum status limits_init(struct limits *limits, unsigned sessions_max, unsigned per_client_max,
                                 struct error *err);
void limits_free(struct limits *limits);

/* Addresses of other families all count as one client. */
struct client_key limits_key(const struct sockaddr_storage *address);

struct client_key limits_user_key(const char *user);

/* Counts a session; false, and nothing is counted, when there are too many. */
bool limits_enter(struct limits *limits, const struct client_key *key);
/* For each limits_enter that was true. */
void limits_leave(struct limits *limits, const struct client_key *key);

/* Counts a session whose client is not known yet; false, and nothing is counted, when there are too many in
 * all. */
bool limits_enter_unknown(struct limits *limits);
/* Now it is: counts the session as one of KEY's. False: that client has too many, and the session stays
 * unknown. */
bool limits_identify(struct limits *limits, const struct client_key *key);
/* For each limits_enter_unknown that was true and was never identified. */
void limits_leave_unknown(struct limits *limits);

#endif
