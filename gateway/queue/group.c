#include "gateway/queue/group.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/clock.h"

#define GROUP_WORKS_MAX 256
#define GROUP_BYTES_MAX ((size_t)64 << 20)

struct group {
    struct sql *sql;
    const struct log *log;
    struct event *soon; /* lowest priority: behind everything that this turn of the loop still has to read */
    struct event *now;  /* highest: enough is gathered */
    struct work *first;
    struct work **end;
    struct work *last;
    unsigned n;
    size_t bytes;
    uint64_t commits;
    uint64_t works;
    bool running;
};

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    group_run(arg);
}

struct group *group_new(struct event_base *base, struct sql *sql, const struct log *log, struct error *err)
{
    struct group *group = calloc(1, sizeof *group);
    if (!group)
        goto fail;
    *group = (struct group){.sql = sql, .log = log};
    group->end = &group->first;
    group->soon = event_new(base, -1, 0, on_soon, group);
    group->now = event_new(base, -1, 0, on_soon, group);
    if (!group->soon || !group->now)
        goto fail;
    event_priority_set(group->soon, event_base_get_npriorities(base) - 1);
    event_priority_set(group->now, 0);
    return group;
fail:
    group_free(group);
    error_set(err, STATUS_TEMPORARY, "out of memory for the queue's transactions");
    return NULL;
}

void group_free(struct group *group)
{
    if (!group)
        return;
    if (group->soon)
        event_free(group->soon);
    if (group->now)
        event_free(group->now);
    free(group);
}

void group_set_last(struct group *group, struct work *last)
{
    group->last = last;
}

void group_kick(struct group *group)
{
    static const struct timeval at_once = {0};

    /* Made active by its own callback it would run again before any socket is polled. */
    if (group->running)
        event_add(group->soon, &at_once);
    else
        event_active(group->soon, EV_TIMEOUT, 0);
}

void group_add(struct group *group, struct work *work)
{
    work->next = NULL;
    *group->end = work;
    group->end = &work->next;
    group->n++;
    group->bytes += work->bytes;
    /* Never from here: the caller may be in the middle of what the end of another work changes. */
    if (group->n >= GROUP_WORKS_MAX || group->bytes >= GROUP_BYTES_MAX)
        event_active(group->now, EV_TIMEOUT, 0);
    else
        group_kick(group);
}

/* An error here is one of the transaction itself: nothing of it can stay. */
static enum status do_one(struct group *group, struct work *work, int64_t now_ms, struct error *err)
{
    enum status st = sql_savepoint(group->sql, err);
    if (st != STATUS_OK)
        return st;
    work->status = work->apply(work, group->sql, now_ms, &work->err);
    if (work->status == STATUS_OK)
        return sql_release(group->sql, err);
    st = sql_undo(group->sql, err);
    /* The first error says more than that the database gave up after it. */
    if (st != STATUS_OK)
        *err = work->err;
    return st == STATUS_OK ? STATUS_OK : work->err.status;
}

static enum status transact(struct group *group, struct work *list, struct error *err)
{
    int64_t now_ms = clock_wall_ms();
    enum status st = sql_begin(group->sql, err);

    for (struct work *work = list; st == STATUS_OK && work; work = work->next) {
        st = do_one(group, work, now_ms, err);
        group->works++;
    }
    if (st == STATUS_OK && group->last)
        st = do_one(group, group->last, now_ms, err);
    if (st == STATUS_OK)
        st = sql_commit(group->sql, err);
    if (st != STATUS_OK)
        sql_rollback(group->sql);
    return st;
}

static void tell(struct work *work, enum status st, const struct error *err)
{
    if (st != STATUS_OK)
        work->done(work, st, err);
    else
        work->done(work, work->status, &work->err);
}

void group_run(struct group *group)
{
    struct error err = {0};
    struct work *list = group->first;

    if (group->running)
        return;
    group->running = true;
    group->first = NULL;
    group->end = &group->first;
    group->n = 0;
    group->bytes = 0;
    enum status st = transact(group, list, &err);
    if (st == STATUS_OK)
        group->commits++;
    else
        log_error(group->log, LOG_LEVEL_ERROR, "queue-write-failed", NULL, &err);
    while (list) {
        struct work *next = list->next;
        tell(list, st, &err);
        list = next;
    }
    if (group->last)
        tell(group->last, st, &err);
    group->running = false;
}

uint64_t group_commits(const struct group *group)
{
    return group->commits;
}

uint64_t group_works(const struct group *group)
{
    return group->works;
}
