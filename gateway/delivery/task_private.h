/* Shared by task.c (life of a task), task_body.c (its message) and task_report.c (its outcomes). */
#ifndef SEALGATE_DELIVERY_TASK_PRIVATE_H
#define SEALGATE_DELIVERY_TASK_PRIVATE_H

#include "gateway/delivery/task.h"

struct task {
    LIST_ENTRY(task) link;
    struct tasks *all;
    struct queue_lease lease;
    struct span mapped; /* the body as it came */
    struct buf clear;   /* the body when it came locked */
    struct mail mail;
    struct recipient *recipients; /* one for each of the lease's */
    size_t n_transactions;        /* under way */
};

struct tasks {
    const struct task_settings *settings;
    struct destinations *destinations;
    struct attach *attach;
    bool draining;
    struct event *retry; /* tells again what could not be told */
    LIST_HEAD(, task) list;
    uint64_t ways[TLS_WAYS]; /* recipients delivered to */
};

/* task_body.c: fills mapped, clear and mail. The RESULT says why not. */
bool task_open_body(struct task *task, int body_fd, struct result *result);
/* Can it be sent to anybody at all? */
bool task_check_message(const struct task *task, struct result *result);
void task_close_body(struct task *task);
/* What a DSN may show of the message. */
struct span task_shown_header(const struct task *task);

/* task_report.c: tells queue of results not told yet; with ALL false only of delivered recipients (a crash
 * must not deliver them again), the rest in one piece at the end. False: out of memory, to be called again.
 */
bool task_report(struct task *task, bool all);

/* task_put_off.c: defers the recipients of a lease that is not taken, but for those that RUNNING (NULL: none;
 * a task of the same copy) or an outcome not stored yet tells of. */
void tasks_put_off(struct tasks *tasks, const struct queue_lease *lease, const struct task *running,
                   const char *why);

#endif
