#include "gateway/guard/window.h"

#include <string.h>

static int64_t part_of(int64_t window_ms)
{
    int64_t part = (window_ms + WINDOW_PARTS - 1) / WINDOW_PARTS;
    return part > 0 ? part : 1;
}

void window_move(struct window *w, int64_t window_ms, int64_t now)
{
    int64_t part_ms = part_of(window_ms);
    int64_t current = now / part_ms;
    if (w->part_ms != part_ms)
        *w = (struct window){.part_ms = part_ms, .newest = current};
    if (current - w->newest >= WINDOW_COUNTERS) {
        memset(w->counts, 0, sizeof w->counts);
    } else if (current > w->newest) {
        size_t steps = (size_t)(current - w->newest);
        memmove(w->counts + steps, w->counts, (WINDOW_COUNTERS - steps) * sizeof *w->counts);
        memset(w->counts, 0, steps * sizeof *w->counts);
    }
    w->newest = current;
}

int64_t window_sum(const struct window *w)
{
    int64_t sum = 0;
    for (size_t i = 0; i < WINDOW_COUNTERS; i++)
        sum += w->counts[i];
    return sum;
}

void window_add(struct window *w)
{
    if (w->counts[0] < UINT32_MAX)
        w->counts[0]++;
}

int64_t window_free_at(const struct window *w, int64_t limit)
{
    int64_t left = window_sum(w);
    int64_t oldest = WINDOW_COUNTERS - 1;
    while (oldest > 0 && left - w->counts[oldest] >= limit)
        left -= w->counts[oldest--];
    return (w->newest - oldest + WINDOW_COUNTERS) * w->part_ms;
}

int64_t window_memory_ms(const struct window *w)
{
    return w->part_ms * WINDOW_COUNTERS;
}
