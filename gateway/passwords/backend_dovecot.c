/* Dovecot's auth service as a backend, over its socket for clients. The connection is kept from check to
 * check. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/rand.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/passwords/backend.h"
#include "gateway/passwords/dovecot_wire.h"

#define LINES_MAX 1000 /* before a greeting is over, or that are no reply */

struct dovecot {
    const struct dovecot_settings *settings;
    int fd; /* -1: not connected */
    uint32_t last_id;
    struct buf in;    /* what came and was not read yet */
    int64_t deadline; /* of the check in hand, clock_mono_ms */
};

static void disconnect(struct dovecot *d)
{
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
    buf_reset(&d->in);
}

static int64_t time_left(const struct dovecot *d)
{
    int64_t left = d->deadline - clock_mono_ms();
    return left > 0 ? left : 0;
}

static enum status wait_for(const struct dovecot *d, short events, struct error *err)
{
    struct pollfd p = {.fd = d->fd, .events = events};
    for (;;) {
        int n = poll(&p, 1, (int)time_left(d));
        if (n > 0)
            return STATUS_OK;
        if (n == 0)
            return error_set(err, STATUS_TEMPORARY, "no answer in time");
        if (errno != EINTR)
            return error_errno(err, STATUS_TEMPORARY, errno, "cannot wait");
    }
}

static enum status send_all(const struct dovecot *d, struct span text, struct error *err)
{
    while (text.len > 0) {
        ssize_t n = send(d->fd, text.p, text.len, MSG_NOSIGNAL);
        if (n > 0) {
            text = span_of(text.p + n, text.len - (size_t)n);
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return error_errno(err, STATUS_CLOSED, errno, "cannot send");
        enum status st = wait_for(d, POLLOUT, err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

/* More bytes into the buffer. STATUS_CLOSED: the other side went. */
static enum status receive(struct dovecot *d, struct error *err)
{
    for (;;) {
        enum status st = wait_for(d, POLLIN, err);
        uint8_t *room = st == STATUS_OK ? buf_reserve(&d->in, 1024) : NULL;
        if (st != STATUS_OK)
            return st;
        if (!room)
            return error_set(err, STATUS_INVALID, "a line over %d bytes", DOVECOT_LINE_MAX);
        ssize_t n = recv(d->fd, room, 1024, 0);
        if (n > 0) {
            buf_commit(&d->in, (size_t)n);
            return STATUS_OK;
        }
        if (n == 0)
            return error_set(err, STATUS_CLOSED, "it closed the connection");
        if (errno != EAGAIN && errno != EINTR)
            return error_errno(err, STATUS_CLOSED, errno, "cannot read");
    }
}

/* A line without its LF; it is there until line_done. */
static enum status read_line(struct dovecot *d, struct span *line_out, struct error *err)
{
    for (;;) {
        const uint8_t *lf = d->in.len ? memchr(d->in.data, '\n', d->in.len) : NULL;
        if (lf) {
            *line_out = span_of(d->in.data, (size_t)(lf - d->in.data));
            return STATUS_OK;
        }
        enum status st = receive(d, err);
        if (st != STATUS_OK)
            return st;
    }
}

static void line_done(struct dovecot *d, struct span line)
{
    buf_consume(&d->in, line.len + 1);
}

/* Waits for room in the backlog, but not past the deadline. */
static enum status open_socket(struct dovecot *d, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof address.sun_path, "%s", d->settings->socket_path);
    if (n < 0 || (size_t)n >= sizeof address.sun_path)
        return error_set(err, STATUS_INVALID, "the path is too long for a socket");
    int64_t left = time_left(d) + 1; /* 0 would be for ever */
    struct timeval limit = {.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
    d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (d->fd < 0 || setsockopt(d->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
        connect(d->fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        fcntl(d->fd, F_SETFL, O_NONBLOCK) < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot connect");
    return STATUS_OK;
}

static enum status read_greeting(struct dovecot *d, struct error *err)
{
    struct dovecot_greeting greeting = {0};
    for (int i = 0; i < LINES_MAX && !greeting.done; i++) {
        struct span line;
        enum status st = read_line(d, &line, err);
        if (st != STATUS_OK)
            return st;
        bool good = dovecot_greeting_line(&greeting, line);
        line_done(d, line);
        if (!good)
            return error_set(err, STATUS_INVALID, "it does not speak version 1 of the protocol");
    }
    if (!greeting.done)
        return error_set(err, STATUS_INVALID, "its greeting has no end");
    if (!greeting.plain)
        return error_set(err, STATUS_INVALID, "it does not offer PLAIN: add it to auth_mechanisms");
    return STATUS_OK;
}

static enum status say_hello(struct dovecot *d, struct error *err)
{
    struct buf hello;
    uint32_t id = 0;
    /* By chance, not the process id: the connection before may not be forgotten there yet. */
    if (RAND_bytes((unsigned char *)&id, sizeof id) != 1)
        return error_set(err, STATUS_TEMPORARY, "no random bytes");
    buf_init(&hello, 200);
    dovecot_hello(&hello, (id >> 1) + 1);
    enum status st = send_all(d, buf_span(&hello), err);
    buf_free(&hello);
    return st == STATUS_OK ? read_greeting(d, err) : st;
}

static enum status read_reply(struct dovecot *d, struct password_result *result, struct error *err)
{
    for (int i = 0; i < LINES_MAX; i++) {
        struct span line;
        enum status st = read_line(d, &line, err);
        if (st != STATUS_OK)
            return st;
        enum dovecot_reply reply = dovecot_reply_read(line, d->last_id, result->user);
        line_done(d, line);
        if (reply == DOVECOT_NONE)
            continue;
        if (reply == DOVECOT_NONSENSE)
            break;
        if (reply == DOVECOT_TEMPORARY)
            backend_unavailable(result, "Dovecot reports a temporary failure of its own");
        else
            result->verdict = reply == DOVECOT_OK ? PASSWORD_OK : PASSWORD_WRONG;
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID, "its reply makes no sense");
}

static enum status ask(struct dovecot *d, const struct password_check *check, struct password_result *result,
                       struct error *err)
{
    struct buf request;
    buf_init(&request, DOVECOT_LINE_MAX);
    d->last_id++;
    dovecot_request(&request, d->last_id, check);
    enum status st = buf_check(&request, "a request to Dovecot", err);
    if (st == STATUS_OK)
        st = send_all(d, buf_span(&request), err);
    buf_free(&request);
    return st == STATUS_OK ? read_reply(d, result, err) : st;
}

/* A connection that was kept may have been closed since: then once more with a new one. */
static void check(void *state, const struct password_check *check, struct password_result *result)
{
    struct dovecot *d = state;
    struct error err = {0};
    d->deadline = clock_mono_ms() + d->settings->timeout_ms;
    for (bool again = true; again;) {
        bool kept = d->fd >= 0;
        enum status st = STATUS_OK;
        if (!kept) {
            st = open_socket(d, &err);
            if (st == STATUS_OK)
                st = say_hello(d, &err);
        }
        if (st == STATUS_OK)
            st = ask(d, check, result, &err);
        if (st == STATUS_OK)
            return;
        disconnect(d); /* a late reply must not meet the next request */
        again = kept && st == STATUS_CLOSED;
    }
    backend_unavailable(result, "Dovecot at %s: %s", d->settings->socket_path, err.text);
}

static void close_dovecot(void *state)
{
    struct dovecot *d = state;
    disconnect(d);
    buf_free(&d->in);
    free(d);
}

enum status backend_dovecot_open(const struct dovecot_settings *settings, struct backend *backend_out,
                                 struct error *err)
{
    struct dovecot *d = calloc(1, sizeof *d);
    if (!d)
        return error_set(err, STATUS_TEMPORARY, "out of memory for Dovecot");
    d->settings = settings;
    d->fd = -1;
    buf_init(&d->in, DOVECOT_LINE_MAX + 1024);
    *backend_out = (struct backend){.state = d, .check = check, .close = close_dovecot};
    return STATUS_OK;
}
