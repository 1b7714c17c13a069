/* How many sessions there are, in all and per client (A17). A client is an IPv4 address or an IPv6 /64. */
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
};

struct limits {
    unsigned sessions_max, per_client_max;
    unsigned sessions;
    struct limits_client *clients; /* those with sessions; owned; room for sessions_max */
    size_t n_clients;
};

MUST_USE enum status limits_init(struct limits *limits, unsigned sessions_max, unsigned per_client_max,
                                 struct error *err);
void limits_free(struct limits *limits);

/* Addresses of other families all count as one client. */
struct client_key limits_key(const struct sockaddr_storage *address);

/* Counts a session; false, and nothing is counted, when there are too many. */
bool limits_enter(struct limits *limits, const struct client_key *key);
/* For each limits_enter that was true. */
void limits_leave(struct limits *limits, const struct client_key *key);

#endif
