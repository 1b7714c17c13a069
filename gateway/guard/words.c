#include "gateway/guard/words.h"

#include <stdio.h>

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

void words_window(int64_t ms, char out[WORDS_SIZE])
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{DAY, "d"}, {HOUR, "h"}, {MINUTE, "min"}, {SECOND, "s"}, {1, "ms"}};
    size_t i = 0;
    while (ms % units[i].ms != 0)
        i++;
    snprintf(out, WORDS_SIZE, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
}

void words_wait(int64_t ms, char out[WORDS_SIZE])
{
    /* Each unit is used from two of the next larger one on, so that rounding up stays a small part. */
    int64_t unit = ms <= 2 * MINUTE ? SECOND : ms <= 2 * HOUR ? MINUTE : ms <= 2 * DAY ? HOUR : DAY;
    const char *name = unit == SECOND ? "second" : unit == MINUTE ? "minute" : unit == HOUR ? "hour" : "day";
    int64_t n = (ms + unit - 1) / unit;
    if (n < 1)
        n = 1;
    snprintf(out, WORDS_SIZE, "%lld %s%s", (long long)n, name, n == 1 ? "" : "s");
}

void words_plain(const char *text, char *out, size_t size)
{
    size_t i = 0;
    for (; text[i] && i + 1 < size; i++)
        out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    out[i] = '\0';
}
