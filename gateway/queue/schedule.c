#include "gateway/queue/schedule.h"

#include <string.h>
#include <sys/random.h>

#include "gateway/queue/schema.h"
#include "gateway/wire/domain.h"

static const char *domain_of(const char *destination)
{
    size_t len = strlen(TLS_OPTIONAL_PREFIX);
    return strncmp(destination, TLS_OPTIONAL_PREFIX, len) == 0 ? destination + len : destination;
}

const struct retry_policy *schedule_policy(const struct queue_settings *settings, const char *destination)
{
    const char *domain = domain_of(destination);
    const struct retry_policy *best = &settings->retry;
    size_t best_fit = 0;

    for (size_t i = 0; i < settings->n_retry_policies; i++) {
        size_t f = domain_fit(settings->retry_policies[i].domain, domain);
        if (f > best_fit) {
            best = &settings->retry_policies[i];
            best_fit = f;
        }
    }
    return best;
}

int64_t schedule_delay(const struct retry_policy *policy, int64_t attempts, uint16_t chance)
{
    int64_t delay = policy->first_retry_ms;

    while (attempts-- > 1 && delay < policy->last_retry_ms)
        delay *= 2;
    if (delay > policy->last_retry_ms)
        delay = policy->last_retry_ms;
    int64_t spread = delay / 10;
    delay += spread * chance / 32768 - spread;
    return delay < 1 ? 1 : delay;
}

int64_t schedule_next(const struct retry_policy *policy, int64_t attempts, int64_t now_ms, int64_t expires_ms,
                      uint16_t chance)
{
    int64_t next = now_ms + schedule_delay(policy, attempts, chance);
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
