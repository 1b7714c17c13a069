/* The memory file that carries every body to queue, and where each lies in it. */
#ifndef SEALGATE_SEAL_BODIES_H
#define SEALGATE_SEAL_BODIES_H

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/*
 * All bodies of one message together. A memory file is real memory, which RLIMIT_AS does not count: a large
 * message to a thousand Bcc recipients would be a thousand sealed copies of it.
 */
#define SEAL_BODIES_MAX ((uint64_t)1 << 30)

struct seal_bodies {
    int fd;
    uint64_t len;
};

struct seal_place {
    uint64_t at, len;
};

MUST_USE enum status seal_bodies_open(struct seal_bodies *bodies_out, struct error *err);

/* STATUS_LIMIT over SEAL_BODIES_MAX, with a text for the client. */
MUST_USE enum status seal_bodies_add(struct seal_bodies *bodies, struct span body,
                                     struct seal_place *place_out, struct error *err);

void seal_bodies_close(struct seal_bodies *bodies);

#endif
