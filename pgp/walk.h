/*
 * Walks the packets of OpenPGP data (RFC 4880 §4.2) that comes piece by piece: framing, and the first octets
 * of each body. What is held does not grow with the data; packet.h is for data that lies in memory.
 */
#ifndef SEALGATE_PGP_WALK_H
#define SEALGATE_PGP_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

#define PGP_WALK_HEAD 10 /* octets of a body that are kept: a PKESK's up to its algorithm */

struct pgp_walked {
    unsigned tag;
    uint8_t head[PGP_WALK_HEAD]; /* the body's first octets */
    size_t head_len;
    size_t body_len; /* octets in all parts, without length octets */
};

/* Called at the end of each packet; anything but STATUS_OK ends the walk. */
typedef enum status pgp_walk_fn(void *arg, const struct pgp_walked *packet, struct error *err);

struct pgp_walk {
    pgp_walk_fn *fn;
    void *arg;
    struct pgp_walked packet; /* the one that is read */
    enum { PGP_WALK_TAG, PGP_WALK_LENGTH, PGP_WALK_BODY } state;
    bool new_format, first_part, partial;
    uint8_t length[5]; /* length octets so far */
    size_t n_length, want_length;
    size_t left; /* octets of this part of the body */
};

void pgp_walk_start(struct pgp_walk *walk, pgp_walk_fn *fn, void *arg);

/* STATUS_INVALID: as pgp_packet_next says it; or what FN said. */
MUST_USE enum status pgp_walk_feed(struct pgp_walk *walk, struct span data, struct error *err);

/* STATUS_INVALID: the data ends within a packet. */
MUST_USE enum status pgp_walk_end(const struct pgp_walk *walk, struct error *err);

#endif
