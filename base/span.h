/*
 * A piece of somebody else's memory: pointer and length, never owned, never NUL-terminated.
 */
#ifndef SEALGATE_BASE_SPAN_H
#define SEALGATE_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct span {
    const char *p;
    size_t len;
};

static inline struct span span_of(const void *p, size_t len)
{
    return (struct span){.p = p, .len = len};
}

static inline struct span span_str(const char *s)
{
    return (struct span){.p = s, .len = s ? strlen(s) : 0};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* ASCII case-insensitive comparison with a string. */
static inline bool span_is(struct span a, const char *s)
{
    size_t len = strlen(s);
    return a.len == len && (len == 0 || strncasecmp(a.p, s, len) == 0);
}

/* ASCII case-insensitive: does A begin with S? */
static inline bool span_starts(struct span a, const char *s)
{
    size_t len = strlen(s);
    return a.len >= len && (len == 0 || strncasecmp(a.p, s, len) == 0);
}

/* Behind the first N bytes (at most all). */
static inline void span_skip(struct span *at, size_t n)
{
    at->p += n;
    at->len -= n;
}

/* Pieces that lie in several places and are read as one, in this order. */
struct spans {
    const struct span *items; /* not owned */
    size_t n;
};

static inline size_t spans_len(struct spans pieces)
{
    size_t len = 0;
    for (size_t i = 0; i < pieces.n; i++)
        len += pieces.items[i].len;
    return len;
}

/* Without spaces, tabs, CR and LF at both ends. */
struct span span_trim(struct span a);

/* A NUL-terminated copy, to be freed by the caller; NULL when out of memory or A holds a NUL. */
char *span_dup(struct span a);

#endif
