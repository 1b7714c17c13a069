/*
 * How many connections a destination gets at a time. As in Postfix's queue manager it is found out, not
 * known: a few at first, one more after as many successes as there are connections now, and after a failure
 * no more than there are beside the failed one.
 */
#ifndef SEALGATE_DELIVERY_CONCURRENCY_H
#define SEALGATE_DELIVERY_CONCURRENCY_H

struct concurrency {
    unsigned max;
    unsigned limit; /* 1 … max */
    unsigned successes;
};

void concurrency_init(struct concurrency *c, unsigned max);

/* A transaction went through to its end, whatever became of its recipients. */
void concurrency_succeeded(struct concurrency *c);

/* No usable connection could be had, or one was cut off, beside OTHERS. */
void concurrency_failed(struct concurrency *c, unsigned others);

#endif
