/*
 * A lease while it is worked on: its recipients are sorted into transactions, their results become outcomes,
 * and the bounced ones a DSN.
 */
#ifndef SEALGATE_DELIVERY_TASK_H
#define SEALGATE_DELIVERY_TASK_H

#include "gateway/delivery/attach.h"
#include "gateway/delivery/destination.h"
#include "gateway/message/spool.h"

struct task_settings {
    const struct log *log;
    const char *hostname;
    int64_t delay_warning_ms; /* the sender of what waits longer is told so; 0: never */
    struct spool_key spool_key;
};

struct event_base;
struct tasks;

/* All arguments must outlive it. NULL: out of memory (err). */
struct tasks *tasks_new(struct event_base *base, const struct task_settings *settings,
                        struct destinations *destinations, struct error *err);
/* Where outcomes go; before the first lease. */
void tasks_set_attach(struct tasks *tasks, struct attach *attach);
/* After destinations_free: what is under way is dropped without an outcome. */
void tasks_free(struct tasks *tasks);

/* Takes a lease (its content and BODY_FD are owned from now on). One for a copy that is worked on, or whose
 * outcome is not stored yet, is dropped; recipients of it that neither of these tells of (they became due
 * meanwhile) are deferred. */
void tasks_lease(struct tasks *tasks, struct queue_lease *lease, int body_fd);

/* Takes no more leases. */
void tasks_drain(struct tasks *tasks);
bool tasks_is_idle(const struct tasks *tasks);

/* Recipients delivered to since the start, by enum tls_way. */
const uint64_t *tasks_ways(const struct tasks *tasks);

#endif
