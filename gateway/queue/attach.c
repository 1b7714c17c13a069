/* Delivery's side of the queue: who is attached, and what it is leased. */
#include <stdlib.h>
#include <string.h>

#include "gateway/queue/hold.h"
#include "gateway/queue/lease.h"
#include "gateway/queue/link.h"

/* A body that could not be read for want of memory is due again so much later. */
#define NO_MEMORY_MS 60000

static const struct log *log_of(const struct link *link)
{
    return link->queue->settings->log;
}

/* ---- claims ---- */

static enum status apply_claim(struct work *work, struct sql *sql, int64_t now_ms, struct error *err)
{
    struct link *link = (struct link *)work;
    uint64_t works = group_works(link->queue->group);
    /* What was done before it in this transaction may have made mail due, or room for it. */
    if (works != link->works)
        link->cursor.more = false;
    link->works = works;
    link->claimed_ms = now_ms;
    /* A lease for the one that leaves would be sent to the one that comes, whose outcomes would not count. */
    if (!link->channel || link->attaching) {
        link->cursor.more = false;
        return STATUS_OK;
    }
    const struct queue_attach *attach = channel_attach(link->channel);
    enum status st = lease_claim(sql, link->queue->settings, attach->instance, attach->window, now_ms,
                                 &link->cursor, &link->claimed, err);
    link->claimed_ms = link->cursor.since_ms;
    return st;
}

static void claimed(struct work *work, enum status st, const struct error *err)
{
    struct link *link = (struct link *)work;

    if (st != STATUS_OK)
        log_error(log_of(link), LOG_LEVEL_ERROR, "lease-failed", NULL, err);
    for (size_t i = 0; st == STATUS_OK && link->channel && i < link->claimed.n; i++) {
        if (!channel_lease(link->channel, link->claimed.ids[i])) {
            struct error full;
            error_set(&full, STATUS_TEMPORARY, "out of memory for a lease");
            link_close(link, &full);
        }
    }
    free(link->claimed.ids);
    link->claimed = (struct row_ids){0};
    if (st != STATUS_OK)
        link->cursor.more = false;
    if (link->cursor.more)
        group_kick(link->queue->group);
    tick_set(link->queue->tick, st != STATUS_OK);
}

/* ---- leases whose body cannot be sent ---- */

struct unsent {
    struct work work;
    struct queue *queue;
    int64_t copy_id;
    bool damaged;
    struct error why;
};

static enum status apply_unsent(struct work *work, struct sql *sql, int64_t now_ms, struct error *err)
{
    const struct unsent *u = (struct unsent *)work;
    return u->damaged ? hold_quarantine(sql, u->queue->settings, u->copy_id, u->why.text, now_ms, err)
                      : lease_end(sql, u->copy_id, now_ms + NO_MEMORY_MS, err);
}

static void unsent_done(struct work *work, enum status st, const struct error *err)
{
    struct unsent *u = (struct unsent *)work;
    struct link *link = u->queue->link;

    /* The lease must not stay with nobody. */
    if (st != STATUS_OK)
        link_close(link, err);
    free(u);
}

static void log_unsent(const struct link *link, int64_t copy_id, const struct error *err)
{
    struct log_line line;
    char id[ID_SIZE];

    lease_message_id(link->queue->sql, copy_id, id);
    log_start(&line, log_of(link), LOG_LEVEL_ERROR,
              err->status == STATUS_INTERNAL ? "quarantined" : "lease-failed");
    log_str(&line, "id", id);
    log_int(&line, "copy", copy_id);
    log_str(&line, "error", err->text);
    log_end(&line);
}

static enum channel_load put_back(struct link *link, int64_t copy_id, const struct error *err)
{
    struct unsent *u = calloc(1, sizeof *u);

    log_unsent(link, copy_id, err);
    if (!u)
        return CHANNEL_LATER;
    *u = (struct unsent){.work = {.apply = apply_unsent, .done = unsent_done},
                         .queue = link->queue,
                         .copy_id = copy_id,
                         .damaged = err->status == STATUS_INTERNAL};
    u->why = *err;
    group_add(link->queue->group, &u->work);
    return CHANNEL_SKIP;
}

static enum channel_load on_load(void *arg, int64_t copy_id, struct queue_lease *lease_out, int *fd_out)
{
    struct link *link = arg;
    struct error err = {0};
    enum status st = lease_load(link->queue->sql, copy_id, lease_out, fd_out, &err);
    if (st == STATUS_OK)
        return CHANNEL_SEND;
    return st == STATUS_NOT_FOUND ? CHANNEL_SKIP : put_back(link, copy_id, &err);
}

/* ---- attaching and leaving ---- */

struct presence {
    struct work work;
    struct queue *queue;
    struct channel *channel; /* coming; NULL: INSTANCE has left */
    char instance[QUEUE_INSTANCE_SIZE];
    struct row_ids kept;
};

static enum status apply_presence(struct work *work, struct sql *sql, int64_t now_ms, struct error *err)
{
    struct presence *p = (struct presence *)work;

    p->queue->link->attaching = p->channel != NULL;
    enum status st = lease_end_of(sql, p->instance, p->channel != NULL, now_ms, err);
    return st == STATUS_OK && p->channel ? lease_kept(sql, p->instance, &p->kept, err) : st;
}

static void left(struct work *work, enum status st, const struct error *err)
{
    struct presence *p = (struct presence *)work;

    /* Not lost: whoever attaches next ends them, or keeps them when it is the same. */
    if (st != STATUS_OK)
        log_error(p->queue->settings->log, LOG_LEVEL_ERROR, "leases-not-ended", p->instance, err);
    free(p);
}

void link_close(struct link *link, const struct error *err)
{
    if (!link->channel)
        return;
    struct presence *p = calloc(1, sizeof *p);
    log_error(log_of(link), LOG_LEVEL_WARNING, "delivery-detached", NULL, err);
    if (p) {
        *p = (struct presence){.work = {.apply = apply_presence, .done = left}, .queue = link->queue};
        memcpy(p->instance, channel_attach(link->channel)->instance, sizeof p->instance);
        group_add(link->queue->group, &p->work);
    }
    channel_free(link->channel);
    link->channel = NULL;
}

static void on_closed(void *arg, const struct error *err)
{
    link_close(arg, err);
}

static void log_attached(const struct presence *p)
{
    struct log_line line;

    log_start(&line, p->queue->settings->log, LOG_LEVEL_NOTICE, "delivery-attached");
    log_str(&line, "instance", p->instance);
    log_int(&line, "kept", (int64_t)p->kept.n);
    log_end(&line);
}

static void attached(struct work *work, enum status st, const struct error *err)
{
    static const struct channel_events events = {
        .message = link_message, .load = on_load, .closed = on_closed};
    struct presence *p = (struct presence *)work;
    struct link *link = p->queue->link;

    link->attaching = false;
    for (size_t i = 0; st == STATUS_OK && i < p->kept.n; i++)
        if (!channel_lease(p->channel, p->kept.ids[i]))
            st = STATUS_TEMPORARY;
    if (st == STATUS_OK) {
        channel_free(link->channel);
        link->channel = p->channel;
        channel_open(link->channel, &events, link);
        log_attached(p);
        group_kick(p->queue->group);
    } else {
        /* Delivery sees it close and attaches again. */
        log_error(log_of(link), LOG_LEVEL_ERROR, "attach-failed", p->instance, err);
        channel_free(p->channel);
    }
    free(p->kept.ids);
    free(p);
}

static enum status prepare_attach(struct queue *queue, struct request *request, struct presence *p,
                                  struct error *err)
{
    struct queue_attach attach;

    if (request->msg.type != QUEUE_ATTACH)
        return error_set(err, STATUS_INVALID, "a request of type %u is no attachment", request->msg.type);
    enum status st = queue_attach_unpack(buf_span(&request->msg.body), &attach, err);
    if (st != STATUS_OK)
        return st;
    int fd = request->reply_fd;
    request->reply_fd = -1;
    *p = (struct presence){.work = {.apply = apply_presence, .done = attached}, .queue = queue};
    memcpy(p->instance, attach.instance, sizeof p->instance);
    p->channel = channel_new(queue->base, fd, &attach, err);
    return p->channel ? STATUS_OK : err->status;
}

void link_attach(void *arg, struct request *request)
{
    struct queue *queue = arg;
    struct error err = {0};
    struct presence *p = calloc(1, sizeof *p);
    enum status st = p ? prepare_attach(queue, request, p, &err)
                       : error_set(&err, STATUS_TEMPORARY, "out of memory for the channel to delivery");

    if (st == STATUS_OK) {
        group_add(queue->group, &p->work);
    } else {
        log_error(queue->settings->log, LOG_LEVEL_ERROR, "attach-failed", NULL, &err);
        free(p);
    }
    request_free(request);
    free(request);
}

bool link_is_attached(const struct link *link)
{
    return link->channel != NULL;
}

struct link *link_new(struct queue *queue, struct error *err)
{
    struct link *link = calloc(1, sizeof *link);
    if (link) {
        *link = (struct link){.claim = {.apply = apply_claim, .done = claimed}, .queue = queue};
        link->retry = event_new(queue->base, -1, 0, link_retry_outcomes, link);
    }
    if (!link || !link->retry) {
        free(link);
        error_set(err, STATUS_TEMPORARY, "out of memory for delivery's part of the queue");
        return NULL;
    }
    group_set_last(queue->group, &link->claim);
    return link;
}

void link_stop(struct link *link)
{
    channel_free(link->channel);
    link->channel = NULL;
}

void link_free(struct link *link)
{
    if (!link)
        return;
    link_forget_outcomes(link);
    link_stop(link);
    event_free(link->retry);
    lease_cursor_free(&link->cursor);
    free(link);
}
