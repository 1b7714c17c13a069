/* Leases that are not taken: queue must hear of each of their recipients, or they stay leased for ever. */
#include <stdlib.h>

#include "gateway/delivery/task_private.h"

/* Will the running task, if there is one, or an outcome on its way to queue tell of it? */
static bool is_told(const struct tasks *tasks, const struct task *running, int64_t copy_id, int64_t id)
{
    for (size_t i = 0; running && i < running->lease.n_recipients; i++)
        if (running->recipients[i].lease->id == id && !running->recipients[i].reported)
            return true;
    return attach_has_unstored(tasks->attach, copy_id, id);
}

static void log_put_off(const struct tasks *tasks, const struct queue_lease *lease,
                        const struct lease_recipient *r, const char *why)
{
    struct log_line line;
    log_start(&line, tasks->settings->log, LOG_LEVEL_NOTICE, "deferred");
    log_str(&line, "id", lease->message_id);
    log_str(&line, "to", r->address);
    log_str(&line, "reply", why);
    log_end(&line);
}

static enum status send_put_off(struct tasks *tasks, const struct queue_lease *lease,
                                const struct task *running, const char *why, struct error *err)
{
    struct queue_outcome outcome = {.copy_id = lease->copy_id};
    enum status st = STATUS_OK;
    outcome.recipients = calloc(lease->n_recipients, sizeof *outcome.recipients);
    if (!outcome.recipients)
        return error_set(err, STATUS_TEMPORARY, "out of memory for an outcome");
    for (size_t i = 0; i < lease->n_recipients; i++) {
        const struct lease_recipient *r = &lease->recipients[i];
        if (is_told(tasks, running, lease->copy_id, r->id))
            continue;
        /* Packing copies the text. */
        outcome.recipients[outcome.n_recipients++] =
            (struct outcome_recipient){.id = r->id,
                                       .outcome = OUTCOME_DEFERRED,
                                       .reach = REACH_UNKNOWN,
                                       .reply = (char *)(uintptr_t)why};
        log_put_off(tasks, lease, r, why);
    }
    if (outcome.n_recipients > 0)
        st = attach_outcome(tasks->attach, &outcome, -1, err);
    free(outcome.recipients);
    return st;
}

void tasks_put_off(struct tasks *tasks, const struct queue_lease *lease, const struct task *running,
                   const char *why)
{
    struct error err;
    if (send_put_off(tasks, lease, running, why, &err) == STATUS_OK)
        return;
    log_error(tasks->settings->log, LOG_LEVEL_ERROR, "lease-repeated", lease->message_id, &err);
    attach_again(tasks->attach);
}
