/*
 * Keys of session tickets that change with time and cannot be had back. A secret belongs to each epoch; the
 * next one is derived from it by HKDF (RFC 5869), so that all who have one secret have the same keys from
 * then on, and who steals a secret cannot open the tickets of epochs before it.
 */
#ifndef SEALGATE_NET_TICKET_RATCHET_H
#define SEALGATE_NET_TICKET_RATCHET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define TICKET_SECRET_SIZE 32

struct ticket_ratchet {
    uint8_t secret[TICKET_SECRET_SIZE];
    int64_t epoch; /* whose secret this is */
};

struct ticket_key {
    uint8_t name[16]; /* stands in the ticket */
    uint8_t cipher[32];
    uint8_t mac[32];
};

/* A random secret for EPOCH. */
MUST_USE enum status ticket_ratchet_start(struct ticket_ratchet *ratchet_out, int64_t epoch,
                                          struct error *err);

/* Goes on to EPOCH; the secrets on the way are wiped. An epoch that has passed changes nothing. On failure
 * the ratchet stands at an epoch between. */
MUST_USE enum status ticket_ratchet_advance(struct ticket_ratchet *ratchet, int64_t epoch, struct error *err);

/* The key of the ratchet's epoch. */
MUST_USE enum status ticket_ratchet_key(const struct ticket_ratchet *ratchet, struct ticket_key *key_out,
                                        struct error *err);

#endif
