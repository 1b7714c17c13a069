/* The memory file that carries every body to queue, and where each lies in it. */
#ifndef SEALGATE_SEAL_BODIES_H
#define SEALGATE_SEAL_BODIES_H

#include <stdint.h>

#include "base/error.h"
#include "base/sink.h"
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

/* Writes behind what is there: STATUS_LIMIT over SEAL_BODIES_MAX, with a text for the client. A body is what
 * was written between two looks at bodies->len. */
struct sink seal_bodies_sink(struct seal_bodies *bodies);

/* Makes what lies at PLACE readable, until memfile_unmap. */
MUST_USE enum status seal_bodies_map(const struct seal_bodies *bodies, struct seal_place place,
                                     struct span *body_out, struct error *err);

void seal_bodies_close(struct seal_bodies *bodies);

#endif
