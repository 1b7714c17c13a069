/*
 * The only growable byte type: bounded, wiped when freed or when it moves.
 *
 * An append past the bound or out of memory changes nothing and sets a sticky failure, so that a
 * writer may append many times and look at buf_failed() once, before it uses the content.
 */
#ifndef SEALGATE_BASE_BUF_H
#define SEALGATE_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

struct buf {
    uint8_t *data; /* NULL while nothing was appended; owned */
    size_t len;    /* bytes in use */
    size_t size;   /* bytes allocated */
    size_t max;    /* bound on len */
    bool failed;   /* an append did not fit; sticky until buf_reset */
};

/* An empty buffer bound to MAX bytes; allocates nothing. */
void buf_init(struct buf *b, size_t max);

/* Wipes and frees the content; the buffer may be used again as after buf_init with the same bound. */
void buf_free(struct buf *b);

/* Wipes the content, keeps the allocation, clears the failure. */
void buf_reset(struct buf *b);

void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_append_span(struct buf *b, struct span s);
void buf_append_str(struct buf *b, const char *s);
void buf_append_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes room for LEN more bytes and returns where they go (NULL: failed); buf_commit counts them. */
uint8_t *buf_reserve(struct buf *b, size_t len);
void buf_commit(struct buf *b, size_t len);

/* Removes LEN bytes (at most all) from the front, wiping what becomes unused. */
void buf_consume(struct buf *b, size_t len);

/* The content as a NUL-terminated string (the NUL is not counted); NULL when failed. Valid until the next
 * change. */
const char *buf_str(struct buf *b);

/* The content as a span; valid until the next change. */
struct span buf_span(const struct buf *b);

/* STATUS_OK, or STATUS_LIMIT with WHAT in the text when an append did not fit. */
MUST_USE enum status buf_check(const struct buf *b, const char *what, struct error *err);

#endif
