#include "gateway/jobs/fields.h"

#include <stdlib.h>

void pack_bool(struct buf *b, bool v)
{
    pack_u32(b, v ? 1 : 0);
}

bool unpack_bool(struct unpack *u)
{
    return unpack_between(u, 0, 1) == 1;
}

uint32_t unpack_between(struct unpack *u, uint32_t first, uint32_t last)
{
    uint32_t v = unpack_u32(u);
    if (v >= first && v <= last)
        return v;
    u->failed = true;
    return first;
}

char *unpack_str_needed(struct unpack *u)
{
    char *s = unpack_str(u);
    if (!s)
        u->failed = true;
    return s;
}

void *unpack_array(struct unpack *u, size_t max, size_t item_size, size_t *n_out)
{
    size_t n = unpack_u32(u);
    *n_out = 0;
    if (u->failed || n == 0)
        return NULL;
    void *items = n <= max && n <= u->rest.len ? calloc(n, item_size) : NULL;
    if (items)
        *n_out = n;
    else
        u->failed = true;
    return items;
}
