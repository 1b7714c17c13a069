/*
 * Where bytes go that are made piece by piece: a buffer, a memory file, an encoder in front of one of these.
 * So that a large message is never held a second time by who makes it.
 */
#ifndef SEALGATE_BASE_SINK_H
#define SEALGATE_BASE_SINK_H

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct sink {
    /* Takes all of BYTES or fails; after a failure it is not called again. */
    enum status (*write)(void *arg, struct span bytes, struct error *err);
    void *arg;
};

MUST_USE static inline enum status sink_write(const struct sink *sink, struct span bytes, struct error *err)
{
    return bytes.len > 0 ? sink->write(sink->arg, bytes, err) : STATUS_OK;
}

/* Appends to BUF; STATUS_LIMIT when it does not fit. */
struct sink sink_to_buf(struct buf *buf);

#endif
