#include "gateway/delivery/task.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/delivery/task_private.h"

/* Until what could not be told for want of memory is told again. */
#define RETRY_MS 500

static void task_free(struct task *task)
{
    LIST_REMOVE(task, link);
    task_close_body(task);
    for (size_t i = 0; i < task->lease.n_recipients && task->recipients; i++)
        recipient_free(&task->recipients[i]);
    free(task->recipients);
    queue_lease_free(&task->lease);
    free(task);
}

static void finish(struct task *task)
{
    /* Untold it would stay leased for ever, and what is delivered would be delivered again. */
    struct timeval tv = {.tv_usec = RETRY_MS * 1000};
    if (task_report(task, true))
        task_free(task);
    else
        event_add(task->all->retry, &tv);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct tasks *tasks = arg;
    struct task *next;
    for (struct task *task = LIST_FIRST(&tasks->list); task; task = next) {
        next = LIST_NEXT(task, link);
        if (task->n_transactions == 0)
            finish(task);
    }
}

static void fail_all(struct task *task, const struct result *result)
{
    for (size_t i = 0; i < task->lease.n_recipients; i++)
        transaction_result(&task->recipients[i], result, NULL);
}

static void on_done(void *arg, struct transaction *t)
{
    struct task *task = arg;
    transaction_free(t);
    if (--task->n_transactions == 0)
        finish(task);
    else
        task_report(task, false);
}

static void on_progress(void *arg)
{
    task_report(arg, false);
}

/* What cannot stand in a command (A9); seen here last, whoever should have seen it before. */
static bool is_clean(const char *s)
{
    for (; s && *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return false;
    return true;
}

static bool is_ascii(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s > 0x7f)
            return false;
    return true;
}

/* One word of MAIL or RCPT's parameters. */
static bool is_clean_word(const char *s)
{
    return is_clean(s) && (!s || !strchr(s, ' '));
}

static void prepare_recipient(struct task *task, struct recipient *r)
{
    struct result result;
    r->domain = route_domain(r->lease->address);
    r->smtputf8 = !is_ascii(r->lease->address);
    if (!r->domain || !is_clean(r->lease->address) || !is_clean(task->lease.reverse_path))
        outcome_local(&result, FAILURE_PERMANENT, "5.1.3", "the address is not one that mail can be sent to");
    else if (!is_clean_word(r->lease->notify) || !is_clean_word(r->lease->orcpt) ||
             !is_clean_word(task->lease.envid) || !is_clean_word(task->lease.ret))
        outcome_local(&result, FAILURE_PERMANENT, "5.5.4",
                      "the message's DSN parameters cannot be passed on");
    else
        return;
    transaction_result(r, &result, NULL);
}

/* Takes all open recipients that go the way of the first of them, so many as one transaction bears. */
static size_t take_group(struct task *task, bool *taken, struct recipient **group)
{
    size_t n = 0;
    for (size_t i = 0; i < task->lease.n_recipients && n < TRANSACTION_RECIPIENTS_MAX; i++) {
        struct recipient *r = &task->recipients[i];
        if (taken[i] || r->done ||
            (n > 0 && !destinations_same(task->all->destinations, &task->mail, group[0]->domain, r->domain)))
            continue;
        taken[i] = true;
        group[n++] = r;
    }
    return n;
}

static void submit(struct task *task, struct recipient **group, size_t n)
{
    struct error err;
    struct result result;
    struct transaction *t = transaction_new(&task->mail, group, n);
    enum status st = t ? STATUS_OK : error_set(&err, STATUS_TEMPORARY, "out of memory for a transaction");
    if (t) {
        t->on_done = on_done;
        t->on_progress = on_progress;
        t->arg = task;
        st = destinations_submit(task->all->destinations, group[0]->domain, t, &err);
    }
    if (st == STATUS_OK) {
        task->n_transactions++;
        return;
    }
    outcome_local(&result, FAILURE_TEMPORARY, "4.3.0", "%s", err.text);
    for (size_t i = 0; i < n; i++)
        transaction_result(group[i], &result, NULL);
    if (t)
        transaction_free(t);
}

static void submit_all(struct task *task)
{
    struct recipient *group[TRANSACTION_RECIPIENTS_MAX];
    struct result result;
    bool *taken = calloc(task->lease.n_recipients, sizeof *taken);
    if (!taken) {
        outcome_local(&result, FAILURE_TEMPORARY, "4.3.0", "out of memory");
        fail_all(task, &result);
        return;
    }
    for (size_t i = 0; i < task->lease.n_recipients; i++)
        prepare_recipient(task, &task->recipients[i]);
    for (size_t n; (n = take_group(task, taken, group)) > 0;)
        submit(task, group, n);
    free(taken);
}

static void fail_returned(struct task *task)
{
    for (size_t i = 0; i < task->lease.n_recipients; i++) {
        struct result result;
        const char *reason = task->lease.recipients[i].reason;
        outcome_local(&result, FAILURE_RETURN, "5.7.1", "not sent: %s",
                      reason ? reason : "a rule forbids it");
        transaction_result(&task->recipients[i], &result, NULL);
    }
}

/* Nobody tries: the report is the whole task, with what queue knows of the destination. */
static void tell_delayed(struct task *task, int body_fd)
{
    struct result result;
    /* For its header, without which the report goes too. */
    (void)task_open_body(task, body_fd, &result);
    for (size_t i = 0; i < task->lease.n_recipients; i++) {
        const char *reason = task->lease.recipients[i].reason;
        outcome_local(&result, FAILURE_TEMPORARY, "4.4.0", "%s",
                      reason ? reason : "no mail server of this domain could be reached");
        transaction_result(&task->recipients[i], &result, NULL);
    }
}

static void start(struct task *task, int body_fd)
{
    struct result result;
    if (task->lease.state == COPY_RETURN)
        fail_returned(task);
    else if (task->lease.state == COPY_DELAYED)
        tell_delayed(task, body_fd);
    else if (!task_open_body(task, body_fd, &result) || !task_check_message(task, &result))
        fail_all(task, &result);
    else
        submit_all(task);
    if (task->n_transactions == 0)
        finish(task);
}

static struct task *find(const struct tasks *tasks, int64_t copy_id)
{
    struct task *task;
    LIST_FOREACH(task, &tasks->list, link)
    if (task->lease.copy_id == copy_id)
        return task;
    return NULL;
}

static struct task *task_new(struct tasks *tasks, const struct queue_lease *lease)
{
    struct task *task = calloc(1, sizeof *task);
    if (!task)
        return NULL;
    task->recipients = calloc(lease->n_recipients, sizeof *task->recipients);
    if (!task->recipients) {
        free(task);
        return NULL;
    }
    task->all = tasks;
    task->lease = *lease;
    for (size_t i = 0; i < lease->n_recipients; i++)
        task->recipients[i].lease = &task->lease.recipients[i];
    LIST_INSERT_HEAD(&tasks->list, task, link);
    return task;
}

/* NULL: the lease is not taken, and queue is told so. */
static struct task *take(struct tasks *tasks, const struct queue_lease *lease)
{
    /* While draining nothing is answered: what is on lease ends with the channel. */
    if (tasks->draining || lease->n_recipients == 0)
        return NULL;
    const struct task *running = find(tasks, lease->copy_id);
    if (running || attach_is_unstored(tasks->attach, lease->copy_id)) {
        tasks_put_off(tasks, lease, running, "an earlier attempt for the same message is not finished");
        return NULL;
    }
    struct task *task = task_new(tasks, lease);
    if (!task)
        tasks_put_off(tasks, lease, NULL, "out of memory");
    return task;
}

void tasks_lease(struct tasks *tasks, struct queue_lease *lease, int body_fd)
{
    struct task *task = take(tasks, lease);
    if (task)
        start(task, body_fd);
    else
        queue_lease_free(lease);
    if (body_fd >= 0)
        close(body_fd);
}

struct tasks *tasks_new(struct event_base *base, const struct task_settings *settings,
                        struct destinations *destinations, struct error *err)
{
    struct tasks *tasks = calloc(1, sizeof *tasks);
    if (tasks)
        tasks->retry = event_new(base, -1, 0, on_retry, tasks);
    if (!tasks || !tasks->retry) {
        free(tasks);
        error_set(err, STATUS_TEMPORARY, "out of memory for tasks");
        return NULL;
    }
    tasks->settings = settings;
    tasks->destinations = destinations;
    LIST_INIT(&tasks->list);
    return tasks;
}

void tasks_set_attach(struct tasks *tasks, struct attach *attach)
{
    tasks->attach = attach;
}

void tasks_free(struct tasks *tasks)
{
    while (!LIST_EMPTY(&tasks->list))
        task_free(LIST_FIRST(&tasks->list));
    event_free(tasks->retry);
    free(tasks);
}

void tasks_drain(struct tasks *tasks)
{
    tasks->draining = true;
}

const uint64_t *tasks_ways(const struct tasks *tasks)
{
    return tasks->ways;
}

bool tasks_is_idle(const struct tasks *tasks)
{
    return LIST_EMPTY(&tasks->list);
}
