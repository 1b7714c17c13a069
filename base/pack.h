/*
 * Packing of request and reply bodies between roles: fixed-width integers (host order: same machine,
 * same binary) and length-prefixed byte strings. Unpacking is bounds-checked and sticky: read
 * everything, then look at unpack_done() once.
 */
#ifndef SEALGATE_BASE_PACK_H
#define SEALGATE_BASE_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

void pack_u32(struct buf *b, uint32_t v);
void pack_u64(struct buf *b, uint64_t v);
void pack_i64(struct buf *b, int64_t v);
void pack_span(struct buf *b, struct span s); /* at most UINT32_MAX bytes */
void pack_str(struct buf *b, const char *s);  /* NULL stays NULL */

struct unpack {
    struct span rest;
    bool failed;
};

void unpack_init(struct unpack *u, struct span bytes);
uint32_t unpack_u32(struct unpack *u); /* 0 when failed, as below */
uint64_t unpack_u64(struct unpack *u);
int64_t unpack_i64(struct unpack *u);
struct span unpack_span(struct unpack *u); /* points into the input */
/* A copy to be freed by the caller; NULL for NULL, when failed, or when it holds a NUL byte (then failed). */
char *unpack_str(struct unpack *u);
/* A copy into OUT of SIZE bytes; failed when it does not fit. "" for NULL. */
void unpack_str_to(struct unpack *u, char *out, size_t size);

/* STATUS_OK when nothing failed and nothing is left over, else STATUS_INTERNAL. */
MUST_USE enum status unpack_done(const struct unpack *u, const char *what, struct error *err);

#endif
