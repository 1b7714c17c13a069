#include "gateway/delivery/concurrency.h"

/* Polite towards a host of which nothing is known yet. */
#define AT_FIRST 5

void concurrency_init(struct concurrency *c, unsigned max)
{
    *c = (struct concurrency){.max = max, .limit = max < AT_FIRST ? max : AT_FIRST};
}

void concurrency_succeeded(struct concurrency *c)
{
    if (++c->successes < c->limit || c->limit == c->max)
        return;
    c->limit++;
    c->successes = 0;
}

void concurrency_failed(struct concurrency *c, unsigned others)
{
    c->successes = 0;
    if (others < c->limit)
        c->limit = others > 0 ? others : 1;
    else if (c->limit > 1)
        c->limit--;
}
