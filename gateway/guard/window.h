/*
 * How often something happened in the last so many milliseconds, in a fixed size: the window is cut into
 * WINDOW_PARTS parts of equal length, counted each, and one more for the part that has just begun.
 *
 * The error is on the safe side and bounded: an event counts for at least the window and at most a twelfth of
 * it longer (five minutes more of an hour), so never more than the limit pass in any window.
 */
#ifndef SEALGATE_GUARD_WINDOW_H
#define SEALGATE_GUARD_WINDOW_H

#include <stdint.h>

#define WINDOW_PARTS 12
#define WINDOW_COUNTERS (WINDOW_PARTS + 1)

struct window {
    int64_t part_ms; /* 0: nothing was counted yet */
    int64_t newest;  /* number of the part that counts[0] is for: time / part_ms */
    uint32_t counts[WINDOW_COUNTERS];
};

/*
 * To be called before the others: forgets what is over at NOW. A clock that went back leaves the counts as
 * old as they were. A window of another length than before (the configuration was changed) begins empty.
 */
void window_move(struct window *w, int64_t window_ms, int64_t now);

int64_t window_sum(const struct window *w);
void window_add(struct window *w);

/* When fewer than LIMIT will be left if nothing is added. */
int64_t window_free_at(const struct window *w, int64_t limit);

/* After so many milliseconds without an event a window is empty. */
int64_t window_memory_ms(const struct window *w);

#endif
