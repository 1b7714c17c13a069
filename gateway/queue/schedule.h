/* When a deferred recipient is due again. */
#ifndef SEALGATE_QUEUE_SCHEDULE_H
#define SEALGATE_QUEUE_SCHEDULE_H

#include "gateway/queue/queue.h"

/* What counts for DESTINATION, as a recipient's row has it: the policy that names its domain, else the one
 * that names most of it, else the default. */
const struct retry_policy *schedule_policy(const struct queue_settings *settings, const char *destination);

/* How long to wait after ATTEMPTS (1: the first one failed): first_retry_ms doubled each time up to
 * last_retry_ms, ±10 % by CHANCE (0 … 65535). */
int64_t schedule_delay(const struct retry_policy *policy, int64_t attempts, uint16_t chance);

/* The next due time after ATTEMPTS. The last attempt is at EXPIRES_MS. */
int64_t schedule_next(const struct retry_policy *policy, int64_t attempts, int64_t now_ms, int64_t expires_ms,
                      uint16_t chance);

/* A number for CHANCE. */
uint16_t schedule_chance(void);

#endif
