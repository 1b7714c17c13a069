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
    LIST_HEAD(, task) list;
};

/* task_body.c: fills mapped, clear and mail. The RESULT says why not. */
bool task_open_body(struct task *task, int body_fd, struct result *result);
/* Can it be sent to anybody at all? */
bool task_check_message(const struct task *task, struct result *result);
void task_close_body(struct task *task);
/* What a DSN may show of the message. */
struct span task_shown_header(const struct task *task);

/* task_report.c: tells queue of results not told yet; with ALL false only of delivered recipients (a crash
 * must not deliver them again), the rest in one piece at the end. */
void task_report(struct task *task, bool all);

#endif
