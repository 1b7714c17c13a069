#include "gateway/delivery/attach.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/call.h"
#include "base/id.h"

/* Between two tries to attach: a queue that closes every channel must not make us spin. */
#define RETRY_MS 200
/* A channel that is full or short of memory is tried again after this. */
#define RESEND_MS 20
/* So that leases cannot starve connections. */
#define MESSAGES_PER_TURN 16

struct unstored {
    TAILQ_ENTRY(unstored) link;
    int64_t number;
    int64_t copy_id;
    struct buf body;
    int dsn_fd;
    bool sent; /* over the channel at hand */
    size_t n_recipients;
    int64_t recipient_ids[];
};

struct attach {
    struct event_base *base;
    const struct attach_settings *settings;
    attach_lease_fn *on_lease;
    void *arg;
    char instance[QUEUE_INSTANCE_SIZE];
    int fd; /* -1: not attached */
    struct event *readable;
    struct event *timer; /* attach again, send again */
    int64_t last_number; /* of an outcome */
    TAILQ_HEAD(, unstored) unstored;
};

static void set_timer(struct attach *a, int64_t ms)
{
    struct timeval tv = {.tv_usec = ms * 1000};
    event_add(a->timer, &tv);
}

static void unstored_free(struct attach *a, struct unstored *u)
{
    TAILQ_REMOVE(&a->unstored, u, link);
    if (u->dsn_fd >= 0)
        close(u->dsn_fd);
    buf_free(&u->body);
    free(u);
}

static void detach(struct attach *a)
{
    if (a->readable)
        event_free(a->readable);
    a->readable = NULL;
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
}

static void lost(struct attach *a, const struct error *err)
{
    log_error(a->settings->log, LOG_LEVEL_WARNING, "queue-lost", NULL, err);
    attach_again(a);
}

static struct unstored *find_unstored(const struct attach *a, int64_t copy_id)
{
    struct unstored *u;
    TAILQ_FOREACH(u, &a->unstored, link)
    if (u->copy_id == copy_id)
        return u;
    return NULL;
}

static void send_unstored(struct attach *a)
{
    struct unstored *u;
    TAILQ_FOREACH(u, &a->unstored, link)
    {
        struct error err;
        if (u->sent || find_unstored(a, u->copy_id) != u)
            continue;
        enum status st = ipc_send(a->fd, QUEUE_OUTCOME, buf_span(&u->body), &u->dsn_fd, u->dsn_fd >= 0, &err);
        if (st == STATUS_BUSY || st == STATUS_TEMPORARY) {
            set_timer(a, RESEND_MS);
            return;
        }
        if (st != STATUS_OK) {
            lost(a, &err);
            return;
        }
        u->sent = true;
    }
}

static enum status take_lease(struct attach *a, struct ipc_msg *msg, struct error *err)
{
    struct queue_lease lease;
    enum status st = queue_lease_unpack(buf_span(&msg->body), &lease, err);
    if (st == STATUS_OK)
        a->on_lease(a->arg, &lease, ipc_take_fd(msg, 0));
    return st;
}

static enum status take_stored(struct attach *a, const struct ipc_msg *msg, struct error *err)
{
    struct unpack u;
    unpack_init(&u, buf_span(&msg->body));
    int64_t number = unpack_i64(&u);
    enum status st = unpack_done(&u, "stored outcome", err);
    if (st != STATUS_OK)
        return st;
    /* By its number: queue says it twice of one that it got over two channels, and another of the same copy
     * may wait behind it. */
    struct unstored *stored = TAILQ_FIRST(&a->unstored);
    while (stored && stored->number != number)
        stored = TAILQ_NEXT(stored, link);
    if (stored) {
        unstored_free(a, stored);
        send_unstored(a);
    }
    return STATUS_OK;
}

static enum status take(struct attach *a, struct ipc_msg *msg, struct error *err)
{
    switch (msg->type) {
    case CALL_TAKEN:
        return STATUS_OK;
    case QUEUE_LEASE:
        return take_lease(a, msg, err);
    case QUEUE_OUTCOME_STORED:
        return take_stored(a, msg, err);
    default:
        return error_set(err, STATUS_INVALID, "queue sent a message of type %u", msg->type);
    }
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct attach *a = arg;
    for (int i = 0; i < MESSAGES_PER_TURN && a->fd >= 0; i++) {
        struct ipc_msg msg;
        struct error err;
        enum status st = ipc_recv(fd, &msg, &err);
        if (st == STATUS_BUSY)
            return;
        if (st == STATUS_OK) {
            st = take(a, &msg, &err);
            ipc_msg_free(&msg);
        }
        if (st != STATUS_OK) {
            lost(a, &err);
            return;
        }
    }
}

static enum status send_attach(struct attach *a, int channel_end, struct error *err)
{
    struct queue_attach request = {.window = a->settings->window};
    struct buf body;
    memcpy(request.instance, a->instance, sizeof request.instance);
    buf_init(&body, 256);
    queue_attach_pack(&body, &request);
    enum status st = buf_check(&body, "attachment", err);
    if (st == STATUS_OK)
        st = ipc_send(a->settings->queue_service, QUEUE_ATTACH, buf_span(&body), &channel_end, 1, err);
    buf_free(&body);
    return st;
}

static enum status open_channel(struct attach *a, struct error *err)
{
    int pair[2];
    enum status st = ipc_pair(pair, err);
    if (st != STATUS_OK)
        return st;
    st = ipc_nonblocking(pair[0], err);
    if (st == STATUS_OK)
        st = send_attach(a, pair[1], err);
    close(pair[1]);
    if (st == STATUS_OK) {
        a->readable = event_new(a->base, pair[0], EV_READ | EV_PERSIST, on_readable, a);
        if (!a->readable || event_add(a->readable, NULL) < 0)
            st = error_set(err, STATUS_TEMPORARY, "out of memory for the channel to queue");
    }
    if (st != STATUS_OK) {
        close(pair[0]);
        detach(a);
        return st;
    }
    a->fd = pair[0];
    return STATUS_OK;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct attach *a = arg;
    struct unstored *u;
    struct error err;
    if (a->fd < 0) {
        if (open_channel(a, &err) != STATUS_OK) {
            set_timer(a, RETRY_MS);
            return;
        }
        TAILQ_FOREACH(u, &a->unstored, link)
        u->sent = false;
    }
    send_unstored(a);
}

struct attach *attach_start(struct event_base *base, const struct attach_settings *settings,
                            attach_lease_fn *on_lease, void *arg, struct error *err)
{
    struct attach *a = calloc(1, sizeof *a);
    if (a)
        a->timer = event_new(base, -1, 0, on_timer, a);
    if (!a || !a->timer) {
        free(a);
        error_set(err, STATUS_TEMPORARY, "out of memory for the channel to queue");
        return NULL;
    }
    a->base = base;
    a->settings = settings;
    a->on_lease = on_lease;
    a->arg = arg;
    a->fd = -1;
    TAILQ_INIT(&a->unstored);
    id_make(a->instance);
    set_timer(a, 0);
    return a;
}

void attach_stop(struct attach *a)
{
    while (!TAILQ_EMPTY(&a->unstored))
        unstored_free(a, TAILQ_FIRST(&a->unstored));
    detach(a);
    event_free(a->timer);
    free(a);
}

enum status attach_outcome(struct attach *a, const struct queue_outcome *outcome, int dsn_fd,
                           struct error *err)
{
    struct unstored *u = calloc(1, sizeof *u + outcome->n_recipients * sizeof u->recipient_ids[0]);
    if (!u) {
        if (dsn_fd >= 0)
            close(dsn_fd);
        return error_set(err, STATUS_TEMPORARY, "out of memory for an outcome");
    }
    struct queue_outcome numbered = *outcome;
    u->number = numbered.number = ++a->last_number;
    u->copy_id = outcome->copy_id;
    u->dsn_fd = dsn_fd;
    u->n_recipients = outcome->n_recipients;
    for (size_t i = 0; i < outcome->n_recipients; i++)
        u->recipient_ids[i] = outcome->recipients[i].id;
    buf_init(&u->body, IPC_BODY_MAX);
    queue_outcome_pack(&u->body, &numbered);
    TAILQ_INSERT_TAIL(&a->unstored, u, link);
    enum status st = buf_check(&u->body, "outcome", err);
    if (st != STATUS_OK)
        unstored_free(a, u);
    else if (a->fd >= 0)
        set_timer(a, 0); /* from the loop: the caller may be in the middle of its lists */
    return st;
}

void attach_again(struct attach *a)
{
    detach(a);
    set_timer(a, RETRY_MS);
}

bool attach_is_unstored(const struct attach *a, int64_t copy_id)
{
    return find_unstored(a, copy_id) != NULL;
}

bool attach_has_unstored(const struct attach *a, int64_t copy_id, int64_t recipient_id)
{
    const struct unstored *u;
    TAILQ_FOREACH(u, &a->unstored, link)
    for (size_t i = 0; u->copy_id == copy_id && i < u->n_recipients; i++)
        if (u->recipient_ids[i] == recipient_id)
            return true;
    return false;
}

bool attach_is_settled(const struct attach *a)
{
    return TAILQ_EMPTY(&a->unstored);
}
