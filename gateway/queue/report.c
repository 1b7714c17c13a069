/* Outcomes from delivery: stored, and said to be stored. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memfile.h"
#include "gateway/queue/link.h"
#include "gateway/queue/outcome.h"
#include "gateway/queue/worked.h"

/* Outcomes that could not be stored are tried again this often. */
#define RETRY_S 1

struct outcome_work {
    struct work work;
    struct queue *queue;
    struct outcome_work *next_retry;
    char instance[QUEUE_INSTANCE_SIZE];
    struct queue_outcome outcome;
    int dsn_fd; /* -1: none, or it cannot be read */
    struct outcome_counts counts;
    struct keys_worked worked; /* by the transaction under way */
};

static const struct log *log_of(const struct link *link)
{
    return link->queue->settings->log;
}

static void outcome_free(struct outcome_work *w)
{
    queue_outcome_free(&w->outcome);
    keys_worked_free(&w->worked);
    if (w->dsn_fd >= 0)
        close(w->dsn_fd);
    free(w);
}

static enum status apply_outcome(struct work *work, struct sql *sql, int64_t now_ms, struct error *err)
{
    struct outcome_work *w = (struct outcome_work *)work;
    struct span dsn = span_of(NULL, 0);

    if (w->dsn_fd >= 0) {
        enum status st = memfile_map(w->dsn_fd, SIZE_MAX, &dsn, err);
        if (st != STATUS_OK)
            return st;
    }
    keys_worked_free(&w->worked);
    worked_collect(sql, &w->outcome, &w->worked);
    enum status st =
        outcome_apply(sql, w->queue->settings, w->instance, &w->outcome, dsn, now_ms, &w->counts, err);
    memfile_unmap(dsn);
    return st;
}

static void log_outcome(const struct outcome_work *w)
{
    struct log_line line;
    log_start(&line, w->queue->settings->log, LOG_LEVEL_INFO, "outcome-stored");
    log_int(&line, "copy", w->outcome.copy_id);
    log_int(&line, "delivered", w->counts.delivered);
    log_int(&line, "deferred", w->counts.deferred);
    log_int(&line, "bounced", w->counts.bounced);
    log_int(&line, "skipped", w->counts.skipped);
    log_str(&line, "dsn", w->counts.dsn_stored ? w->outcome.dsn_id : NULL);
    log_end(&line);
}

/* Delivery says an outcome once; so it is kept until it is on disk. */
static void keep_outcome(struct link *link, struct outcome_work *w, enum status st, const struct error *err)
{
    const struct timeval soon = {.tv_sec = RETRY_S};

    /* A full disk is one trouble, however many outcomes wait for it. */
    if (link->not_stored++ == 0)
        log_error(log_of(link), LOG_LEVEL_ERROR, "outcome-not-stored", "tried again", err);
    if (st == STATUS_INVALID && w->dsn_fd >= 0) {
        /* The same DSN would fail again: without it the bounced ones are deferred. */
        close(w->dsn_fd);
        w->dsn_fd = -1;
    }
    w->next_retry = link->retries;
    link->retries = w;
    event_add(link->retry, &soon);
}

static void log_all_stored(struct link *link)
{
    struct log_line line;

    log_start(&line, log_of(link), LOG_LEVEL_NOTICE, "outcomes-stored");
    log_int(&line, "failed_tries", link->not_stored);
    log_end(&line);
    link->not_stored = 0;
}

static void outcome_stored(struct work *work, enum status st, const struct error *err)
{
    struct outcome_work *w = (struct outcome_work *)work;
    struct link *link = w->queue->link;

    if (st != STATUS_OK) {
        keep_outcome(link, w, st, err);
        return;
    }
    log_outcome(w);
    if (link->not_stored > 0 && !link->retries)
        log_all_stored(link);
    worked_add(w->queue->worked, &w->worked);
    if (w->counts.dsn_stored)
        releases_recheck(w->queue->releases);
    bool here = link->channel && strcmp(channel_attach(link->channel)->instance, w->instance) == 0;
    if (here && !channel_stored(link->channel, w->outcome.number)) {
        struct error full;
        error_set(&full, STATUS_TEMPORARY, "out of memory for an acknowledgement");
        link_close(link, &full);
    }
    outcome_free(w);
}

void link_retry_outcomes(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct link *link = arg;

    while (link->retries) {
        struct outcome_work *w = link->retries;
        link->retries = w->next_retry;
        group_add(link->queue->group, &w->work);
    }
}

static enum status unpack(struct ipc_msg *msg, struct outcome_work *w, struct error *err)
{
    if (msg->type != QUEUE_OUTCOME)
        return error_set(err, STATUS_INVALID, "a message of type %u is no outcome", msg->type);
    enum status st = queue_outcome_unpack(buf_span(&msg->body), &w->outcome, err);
    if (st == STATUS_OK)
        w->dsn_fd = w->outcome.has_dsn ? ipc_take_fd(msg, 0) : -1;
    return st;
}

bool link_message(void *arg, struct ipc_msg *msg)
{
    struct link *link = arg;
    struct error err = {0};
    struct outcome_work *w = calloc(1, sizeof *w);
    enum status st =
        w ? unpack(msg, w, &err) : error_set(&err, STATUS_TEMPORARY, "out of memory for an outcome");
    if (st != STATUS_OK) {
        log_error(log_of(link), LOG_LEVEL_ERROR, "outcome-unreadable", NULL, &err);
        free(w);
        return false;
    }
    w->work = (struct work){.apply = apply_outcome, .done = outcome_stored};
    w->queue = link->queue;
    memcpy(w->instance, channel_attach(link->channel)->instance, sizeof w->instance);
    group_add(link->queue->group, &w->work);
    return true;
}

void link_forget_outcomes(struct link *link)
{
    while (link->retries) {
        struct outcome_work *w = link->retries;
        link->retries = w->next_retry;
        outcome_free(w);
    }
}
