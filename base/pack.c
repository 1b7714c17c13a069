#include "base/pack.h"

#include <stdlib.h>
#include <string.h>

#define NULL_STRING UINT32_MAX

void pack_u32(struct buf *b, uint32_t v)
{
    buf_append(b, &v, sizeof v);
}

void pack_u64(struct buf *b, uint64_t v)
{
    buf_append(b, &v, sizeof v);
}

void pack_i64(struct buf *b, int64_t v)
{
    buf_append(b, &v, sizeof v);
}

void pack_span(struct buf *b, struct span s)
{
    if (s.len >= NULL_STRING) {
        b->failed = true;
        return;
    }
    pack_u32(b, (uint32_t)s.len);
    buf_append_span(b, s);
}

void pack_str(struct buf *b, const char *s)
{
    if (s)
        pack_span(b, span_str(s));
    else
        pack_u32(b, NULL_STRING);
}

void unpack_init(struct unpack *u, struct span bytes)
{
    *u = (struct unpack){.rest = bytes};
}

static bool take(struct unpack *u, void *out, size_t len)
{
    if (u->failed || u->rest.len < len) {
        u->failed = true;
        memset(out, 0, len);
        return false;
    }
    memcpy(out, u->rest.p, len);
    u->rest.p += len;
    u->rest.len -= len;
    return true;
}

uint32_t unpack_u32(struct unpack *u)
{
    uint32_t v;
    take(u, &v, sizeof v);
    return v;
}

uint64_t unpack_u64(struct unpack *u)
{
    uint64_t v;
    take(u, &v, sizeof v);
    return v;
}

int64_t unpack_i64(struct unpack *u)
{
    int64_t v;
    take(u, &v, sizeof v);
    return v;
}

/* False for NULL and when failed; then *OUT is empty. */
static bool take_span(struct unpack *u, struct span *out)
{
    *out = span_of(NULL, 0);
    uint32_t len = unpack_u32(u);
    if (u->failed || len == NULL_STRING)
        return false;
    if (len > u->rest.len) {
        u->failed = true;
        return false;
    }
    *out = span_of(u->rest.p, len);
    u->rest.p += len;
    u->rest.len -= len;
    return true;
}

struct span unpack_span(struct unpack *u)
{
    struct span s;
    take_span(u, &s);
    return s;
}

char *unpack_str(struct unpack *u)
{
    struct span s;
    if (!take_span(u, &s))
        return NULL;
    char *copy = span_dup(s);
    if (!copy)
        u->failed = true;
    return copy;
}

void unpack_str_to(struct unpack *u, char *out, size_t size)
{
    struct span s;
    take_span(u, &s);
    out[0] = '\0';
    if (s.len == 0)
        return;
    if (s.len >= size || memchr(s.p, '\0', s.len)) {
        u->failed = true;
        return;
    }
    memcpy(out, s.p, s.len);
    out[s.len] = '\0';
}

enum status unpack_done(const struct unpack *u, const char *what, struct error *err)
{
    if (u->failed)
        return error_set(err, STATUS_INTERNAL, "%s: the packed message is too short or damaged", what);
    if (u->rest.len > 0)
        return error_set(err, STATUS_INTERNAL, "%s: %zu bytes left over in the packed message", what,
                         u->rest.len);
    return STATUS_OK;
}
