/* queue.backup: a copy of the database beside it, a piece per turn of the loop, and then looked through by a
 * process of its own, so that mail goes on. */
#include <stdlib.h>

#include "base/sql_backup.h"
#include "gateway/jobs/control_job.h"
#include "gateway/queue/verbs.h"

/* 1 MiB, less than a large body in a transaction. */
#define PAGES_PER_TURN 256

struct backup {
    struct queue *queue;
    struct request *request;
    struct sql_backup *copy;
    struct event *turn;
    struct event *over; /* the copy is looked through */
    int64_t pages;
};

static void backup_free(struct backup *b)
{
    if (b->turn)
        event_free(b->turn);
    if (b->over)
        event_free(b->over);
    sql_backup_free(b->copy);
    request_free(b->request);
    free(b->request);
    b->queue->backup = NULL;
    free(b);
}

static void log_backup(const struct backup *b)
{
    struct log_line line;

    log_start(&line, b->queue->settings->log, LOG_LEVEL_NOTICE, "backup-made");
    log_int(&line, "pages", b->pages);
    log_end(&line);
}

static void end(struct backup *b, enum status st, const struct error *err)
{
    if (st == STATUS_OK) {
        log_backup(b);
        control_reply_json(b->request, json_pack("{s:s, s:I}", "file", b->queue->settings->backup_path,
                                                 "pages", (json_int_t)b->pages));
    } else {
        log_error(b->queue->settings->log, LOG_LEVEL_ERROR, "backup-failed", NULL, err);
        control_reply_error(b->request, err);
    }
    backup_free(b);
}

static void on_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct backup *b = arg;
    struct error err = {0};

    end(b, sql_backup_finish(b->copy, &err), &err);
}

static enum status check(struct backup *b, struct error *err)
{
    int fd = -1;
    enum status st = sql_backup_check(b->copy, &fd, err);
    if (st != STATUS_OK)
        return st;
    b->over = event_new(b->queue->base, fd, EV_READ, on_over, b);
    if (!b->over || event_add(b->over, NULL) < 0)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a backup");
    return STATUS_OK;
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct backup *b = arg;
    struct error err = {0};
    const struct timeval now = {0};
    bool done = false;

    if (!request_is_wanted(b->request)) {
        backup_free(b);
        return;
    }
    enum status st = sql_backup_step(b->copy, PAGES_PER_TURN, &done, &b->pages, &err);
    if (st == STATUS_OK && !done) {
        event_add(b->turn, &now);
        return;
    }
    if (st == STATUS_OK)
        st = check(b, &err);
    if (st != STATUS_OK)
        end(b, st, &err);
}

static enum status start(struct backup *b, struct error *err)
{
    const struct timeval now = {0};

    b->turn = event_new(b->queue->base, -1, 0, on_turn, b);
    if (!b->turn)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a backup");
    /* Behind all that is read: the lowest priority, as commits have. */
    event_priority_set(b->turn, event_base_get_npriorities(b->queue->base) - 1);
    enum status st = sql_backup_start(b->queue->sql, b->queue->settings->backup_path, &b->copy, err);
    if (st == STATUS_OK)
        event_add(b->turn, &now);
    return st;
}

void verb_queue_backup(struct queue *queue, const json_t *args, struct request *request)
{
    (void)args;
    struct error err;
    struct backup *b = NULL;
    enum status st;

    if (queue->backup)
        st = error_set(&err, STATUS_BUSY, "a backup is being made already");
    else if (!(b = calloc(1, sizeof *b)))
        st = error_set(&err, STATUS_TEMPORARY, "out of memory for a backup");
    else {
        *b = (struct backup){.queue = queue, .request = request};
        queue->backup = b;
        st = start(b, &err);
    }
    if (st == STATUS_OK)
        return;
    control_reply_error(request, &err);
    if (b) {
        backup_free(b);
    } else {
        request_free(request);
        free(request);
    }
}

void backup_stop(struct queue *queue)
{
    if (queue->backup)
        backup_free(queue->backup);
}
