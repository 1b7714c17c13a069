#include "base/span.h"

#include <stdlib.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span span_trim(struct span a)
{
    while (a.len > 0 && is_blank(a.p[0])) {
        a.p++;
        a.len--;
    }
    while (a.len > 0 && is_blank(a.p[a.len - 1]))
        a.len--;
    return a;
}

char *span_dup(struct span a)
{
    if (a.len > 0 && memchr(a.p, '\0', a.len))
        return NULL;
    char *copy = malloc(a.len + 1);
    if (!copy)
        return NULL;
    if (a.len > 0)
        memcpy(copy, a.p, a.len);
    copy[a.len] = '\0';
    return copy;
}
