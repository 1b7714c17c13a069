/* Cutting records of text, as MTA-STS and TLSRPT have them, into fields. Nothing is copied. */
#ifndef SEALGATE_WIRE_FIELD_H
#define SEALGATE_WIRE_FIELD_H

#include <stdbool.h>
#include <string.h>

#include "base/span.h"

/* WSP (RFC 5234 appendix B.1). */
static inline bool field_is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* S without WSP at its ends; line ends stay, other than with span_trim. */
static inline struct span field_without_spaces(struct span s)
{
    while (s.len > 0 && field_is_space(s.p[0]))
        span_skip(&s, 1);
    while (s.len > 0 && field_is_space(s.p[s.len - 1]))
        s.len--;
    return s;
}

/* What stands before the first END, and *REST behind it; without an END all of it, and *REST is empty. */
static inline struct span field_cut(struct span *rest, char end)
{
    const char *at = rest->len > 0 ? memchr(rest->p, end, rest->len) : NULL;
    struct span before = at ? span_of(rest->p, (size_t)(at - rest->p)) : *rest;
    span_skip(rest, at ? before.len + 1 : before.len);
    return before;
}

#endif
