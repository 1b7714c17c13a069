/* A call from an event loop, and from a blocking worker. */
#include "base/call.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

/* A full service socket is tried again this often: it empties as soon as a worker is free. */
#define RETRY_MS 5

struct call {
    struct event_base *base;
    int service_fd;
    int fds[IPC_FDS_MAX]; /* until sent: [0] the taker's end of the reply pair, then the caller's, all owned
                           */
    size_t nfds;
    uint32_t type;
    struct buf body; /* until sent */
    int reply_fd;
    bool sent;
    bool taken;
    int64_t taken_by;
    int64_t total_by;
    struct event *reply;
    struct event *timer;
    call_done_fn *done;
    void *arg;
};

static void close_fds(struct call *call)
{
    for (size_t i = 0; i < call->nfds; i++)
        if (call->fds[i] >= 0)
            close(call->fds[i]);
    call->nfds = 0;
}

static void call_free(struct call *call)
{
    if (call->reply)
        event_free(call->reply);
    if (call->timer)
        event_free(call->timer);
    close_fds(call);
    if (call->reply_fd >= 0)
        close(call->reply_fd);
    buf_free(&call->body);
    free(call);
}

static void finish(struct call *call, enum status status, struct ipc_msg *reply, const struct error *err)
{
    call_done_fn *done = call->done;
    void *arg = call->arg;
    call_free(call);
    done(arg, status, reply, err);
    if (reply)
        ipc_msg_free(reply);
}

static void set_timer(struct call *call, int64_t now)
{
    int64_t at = call->taken ? call->total_by : call->taken_by;
    if (!call->sent && at > now + RETRY_MS)
        at = now + RETRY_MS;
    int64_t in = at > now ? at - now : 0;
    struct timeval tv = {.tv_sec = in / 1000, .tv_usec = (in % 1000) * 1000};
    event_add(call->timer, &tv);
}

/* STATUS_BUSY: to be tried again. */
static enum status try_send(struct call *call, struct error *err)
{
    enum status st =
        ipc_send(call->service_fd, call->type, buf_span(&call->body), call->fds, call->nfds, err);
    if (st == STATUS_OK) {
        call->sent = true;
        close_fds(call);
        buf_free(&call->body);
    }
    return st;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct call *call = arg;
    struct error err = {0};
    int64_t now = clock_mono_ms();
    if (!call->sent && now < call->taken_by) {
        enum status st = try_send(call, &err);
        if (st == STATUS_OK || st == STATUS_BUSY)
            set_timer(call, now);
        else
            finish(call, st, NULL, &err);
        return;
    }
    if (call->taken)
        finish(call, error_set(&err, STATUS_TEMPORARY, "no reply from the other role in time"), NULL, &err);
    else
        finish(call,
               error_set(&err, STATUS_BUSY, "nobody was free to take the request, or none replied, in time"),
               NULL, &err);
}

static void on_reply(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct call *call = arg;
    struct ipc_msg msg;
    struct error err = {0};
    enum status st = ipc_recv(fd, &msg, &err);
    if (st == STATUS_BUSY)
        return;
    if (st != STATUS_OK) {
        finish(call, st, NULL, &err);
        return;
    }
    if (msg.type == CALL_TAKEN) {
        ipc_msg_free(&msg);
        call->taken = true;
        set_timer(call, clock_mono_ms());
        return;
    }
    finish(call, STATUS_OK, &msg, &err);
}

/* Copies what must outlive the caller's frame: body, and duplicates of the descriptors. */
static enum status keep_request(struct call *call, struct span body, const int *fds, size_t nfds,
                                struct error *err)
{
    int pair[2];
    if (nfds >= IPC_FDS_MAX)
        return error_set(err, STATUS_LIMIT, "too many descriptors in a request");
    enum status st = ipc_pair(pair, err);
    if (st != STATUS_OK)
        return st;
    call->reply_fd = pair[0];
    call->fds[call->nfds++] = pair[1];
    st = ipc_nonblocking(pair[0], err);
    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < nfds; i++) {
        int fd = dup(fds[i]);
        if (fd < 0)
            return error_errno(err, STATUS_TEMPORARY, errno, "cannot duplicate a descriptor for a request");
        call->fds[call->nfds++] = fd;
    }
    buf_init(&call->body, IPC_BODY_MAX);
    buf_append_span(&call->body, body);
    return buf_check(&call->body, "request", err);
}

struct call *call_start(struct event_base *base, int service_fd, uint32_t type, struct span body,
                        const int *fds, size_t nfds, struct call_limits limits, call_done_fn *done, void *arg,
                        struct error *err)
{
    struct call *call = calloc(1, sizeof *call);
    if (!call) {
        error_set(err, STATUS_TEMPORARY, "out of memory for a call to another role");
        return NULL;
    }
    int64_t now = clock_mono_ms();
    *call = (struct call){.base = base,
                          .service_fd = service_fd,
                          .type = type,
                          .reply_fd = -1,
                          .done = done,
                          .arg = arg,
                          .taken_by = now + limits.taken_ms,
                          .total_by = now + limits.total_ms};
    enum status st = keep_request(call, body, fds, nfds, err);
    if (st != STATUS_OK)
        goto fail;
    call->reply = event_new(base, call->reply_fd, EV_READ | EV_PERSIST, on_reply, call);
    call->timer = event_new(base, -1, 0, on_timer, call);
    if (!call->reply || !call->timer || event_add(call->reply, NULL) < 0) {
        error_set(err, STATUS_TEMPORARY, "out of memory for a call to another role");
        goto fail;
    }
    st = try_send(call, err);
    if (st != STATUS_OK && st != STATUS_BUSY)
        goto fail;
    set_timer(call, now);
    return call;
fail:
    call_free(call);
    return NULL;
}

void call_cancel(struct call *call)
{
    call_free(call);
}

/* ---- blocking ---- */

static enum status wait_readable(int fd, int64_t until, bool taken, struct error *err)
{
    int64_t now = clock_mono_ms();
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = poll(&p, 1, until > now ? (int)(until - now) : 0);
    if (n > 0)
        return STATUS_OK;
    if (n < 0 && errno == EINTR)
        return STATUS_OK; /* looked at again by the caller */
    if (taken)
        return error_set(err, STATUS_TEMPORARY, "no reply from the other role in time");
    return error_set(err, STATUS_BUSY, "nobody was free to take the request, or none replied, in time");
}

static enum status wait_reply(int fd, int64_t taken_by, int64_t total_by, struct ipc_msg *reply_out,
                              struct error *err)
{
    bool taken = false;
    for (;;) {
        enum status st = wait_readable(fd, taken ? total_by : taken_by, taken, err);
        if (st != STATUS_OK)
            return st;
        st = ipc_recv(fd, reply_out, err);
        if (st == STATUS_BUSY)
            continue;
        if (st != STATUS_OK)
            return st;
        if (reply_out->type != CALL_TAKEN)
            return STATUS_OK;
        ipc_msg_free(reply_out);
        taken = true;
    }
}

enum status call_wait(int service_fd, uint32_t type, struct span body, const int *fds, size_t nfds,
                      struct call_limits limits, struct ipc_msg *reply_out, struct error *err)
{
    int64_t now = clock_mono_ms();
    int pair[2];
    if (nfds >= IPC_FDS_MAX)
        return error_set(err, STATUS_LIMIT, "too many descriptors in a request");
    enum status st = ipc_pair(pair, err);
    if (st != STATUS_OK)
        return st;
    int all[IPC_FDS_MAX] = {pair[1]};
    for (size_t i = 0; i < nfds; i++)
        all[i + 1] = fds[i];
    st = ipc_nonblocking(pair[0], err);
    while (st == STATUS_OK) {
        st = ipc_send(service_fd, type, body, all, nfds + 1, err);
        if (st != STATUS_BUSY || clock_mono_ms() >= now + limits.taken_ms)
            break;
        poll(NULL, 0, RETRY_MS);
        st = STATUS_OK;
    }
    close(pair[1]);
    if (st == STATUS_OK)
        st = wait_reply(pair[0], now + limits.taken_ms, now + limits.total_ms, reply_out, err);
    close(pair[0]);
    return st;
}
