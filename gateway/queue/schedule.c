#include "gateway/queue/schedule.h"

#include <sys/random.h>

int64_t schedule_next(const struct queue_settings *settings, int64_t attempts, int64_t now_ms,
                      int64_t expires_ms, uint16_t chance)
{
    int64_t delay = settings->first_retry_ms;

    while (attempts-- > 1 && delay < settings->last_retry_ms)
        delay *= 2;
    if (delay > settings->last_retry_ms)
        delay = settings->last_retry_ms;
    int64_t spread = delay / 10;
    delay += spread * chance / 32768 - spread;
    if (delay < 1)
        delay = 1;
    int64_t next = now_ms + delay;
    return now_ms < expires_ms && expires_ms < next ? expires_ms : next;
}

uint16_t schedule_chance(void)
{
    uint16_t chance = 0;

    /* Without it all that failed together is tried together: no harm. */
    if (getrandom(&chance, sizeof chance, GRND_NONBLOCK) != (ssize_t)sizeof chance)
        chance = 0;
    return chance;
}
