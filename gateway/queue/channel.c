#include "gateway/queue/channel.h"

#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

/* So that one turn of the loop stays short. */
#define MESSAGES_PER_TURN 32

struct entry {
    struct entry *next;
    uint32_t type; /* QUEUE_LEASE or QUEUE_OUTCOME_STORED */
    int64_t id;    /* of the copy, or the outcome's number */
};

struct channel {
    int fd;
    struct queue_attach attach;
    struct event *readable;
    struct event *writable;
    struct entry *first;
    struct entry **end;
    const struct channel_events *events; /* NULL until opened */
    void *arg;
};

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct channel *channel = arg;

    for (int i = 0; i < MESSAGES_PER_TURN; i++) {
        struct ipc_msg msg;
        struct error err = {0};
        enum status st = ipc_recv(fd, &msg, &err);
        if (st == STATUS_BUSY)
            return;
        if (st != STATUS_OK) {
            channel->events->closed(channel->arg, &err);
            return;
        }
        bool good = channel->events->message(channel->arg, &msg);
        ipc_msg_free(&msg);
        if (!good) {
            error_set(&err, STATUS_INVALID, "delivery sent what cannot be read");
            channel->events->closed(channel->arg, &err);
            return;
        }
    }
}

static enum status send_stored(struct channel *channel, int64_t number, struct error *err)
{
    struct buf body;

    buf_init(&body, 64);
    pack_i64(&body, number);
    enum status st = ipc_send(channel->fd, QUEUE_OUTCOME_STORED, buf_span(&body), NULL, 0, err);
    buf_free(&body);
    return st;
}

static enum status send_lease(struct channel *channel, int64_t copy_id, struct error *err)
{
    struct queue_lease lease;
    struct buf body;
    int fd = -1;

    switch (channel->events->load(channel->arg, copy_id, &lease, &fd)) {
    case CHANNEL_SEND:
        break;
    case CHANNEL_SKIP:
        return STATUS_OK;
    case CHANNEL_LATER:
        return error_set(err, STATUS_BUSY, "out of memory");
    }
    buf_init(&body, IPC_BODY_MAX);
    queue_lease_pack(&body, &lease);
    enum status st = buf_check(&body, "lease", err);
    if (st == STATUS_OK)
        st = ipc_send(channel->fd, QUEUE_LEASE, buf_span(&body), &fd, 1, err);
    buf_free(&body);
    queue_lease_free(&lease);
    close(fd);
    return st;
}

static void drop_first(struct channel *channel)
{
    struct entry *entry = channel->first;

    channel->first = entry->next;
    if (!channel->first)
        channel->end = &channel->first;
    free(entry);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct channel *channel = arg;

    for (int i = 0; i < MESSAGES_PER_TURN && channel->first; i++) {
        struct error err = {0};
        int64_t id = channel->first->id;
        enum status st = channel->first->type == QUEUE_LEASE ? send_lease(channel, id, &err)
                                                             : send_stored(channel, id, &err);
        if (st == STATUS_BUSY)
            break;
        if (st != STATUS_OK) {
            channel->events->closed(channel->arg, &err);
            return;
        }
        drop_first(channel);
    }
    if (channel->first)
        event_add(channel->writable, NULL);
}

struct channel *channel_new(struct event_base *base, int fd, const struct queue_attach *attach,
                            struct error *err)
{
    struct channel *channel = calloc(1, sizeof *channel);
    if (!channel) {
        close(fd);
        error_set(err, STATUS_TEMPORARY, "out of memory for the channel to delivery");
        return NULL;
    }
    *channel = (struct channel){.fd = fd, .attach = *attach};
    channel->end = &channel->first;
    channel->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, channel);
    channel->writable = event_new(base, fd, EV_WRITE, on_writable, channel);
    enum status st = channel->readable && channel->writable
                         ? ipc_nonblocking(fd, err)
                         : error_set(err, STATUS_TEMPORARY, "out of memory for the channel to delivery");
    if (st == STATUS_OK)
        return channel;
    channel_free(channel);
    return NULL;
}

void channel_open(struct channel *channel, const struct channel_events *events, void *arg)
{
    channel->events = events;
    channel->arg = arg;
    event_add(channel->readable, NULL);
    if (channel->first)
        event_add(channel->writable, NULL);
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    if (channel->readable)
        event_free(channel->readable);
    if (channel->writable)
        event_free(channel->writable);
    while (channel->first)
        drop_first(channel);
    close(channel->fd);
    free(channel);
}

const struct queue_attach *channel_attach(const struct channel *channel)
{
    return &channel->attach;
}

static bool append(struct channel *channel, uint32_t type, int64_t id)
{
    struct entry *entry = malloc(sizeof *entry);
    if (!entry)
        return false;
    *entry = (struct entry){.type = type, .id = id};
    *channel->end = entry;
    channel->end = &entry->next;
    if (channel->events)
        event_add(channel->writable, NULL);
    return true;
}

bool channel_lease(struct channel *channel, int64_t copy_id)
{
    return append(channel, QUEUE_LEASE, copy_id);
}

bool channel_stored(struct channel *channel, int64_t number)
{
    return append(channel, QUEUE_OUTCOME_STORED, number);
}
