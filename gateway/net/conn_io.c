/* The bytes of a connection: from the socket to the handler and back. */
#include <errno.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>

#include "gateway/net/conn_private.h"

/* The size of a TLS record. */
#define READ_CHUNK 16384
/* So that one fast peer cannot starve the rest of the loop. */
#define READS_PER_TURN 4
/* More than this behind our last words is not worth waiting for. */
#define DISCARD_MAX (1u << 20)

size_t conn_unsent(const struct conn *c)
{
    return c->out.len - c->out_at;
}

size_t conn_unread(const struct conn *c)
{
    return c->in.len - c->in_at;
}

static ssize_t io_read(struct conn *c, void *to, size_t len)
{
    if (c->tls_up)
        return conn_tls_read(c, to, len);
    ssize_t n = recv(c->fd, to, len, 0);
    if (n > 0)
        return n;
    if (n == 0) {
        error_set(&c->broken, STATUS_CLOSED, "%s closed the connection", c->peer);
        return IO_END;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
        return IO_AGAIN;
    error_errno(&c->broken, STATUS_TEMPORARY, errno, "cannot read from %s", c->peer);
    return IO_ERROR;
}

static ssize_t io_write(struct conn *c, const void *from, size_t len)
{
    if (c->tls_up)
        return conn_tls_write(c, from, len);
    ssize_t n = send(c->fd, from, len, MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        c->want_write = true;
        return IO_AGAIN;
    }
    error_errno(&c->broken, STATUS_TEMPORARY, errno, "cannot write to %s", c->peer);
    return IO_ERROR;
}

/* Gives the memory of a used-up buffer back: thousands of connections are idle (A17). */
static void settle(struct buf *b, size_t *at)
{
    if (*at == b->len) {
        buf_free(b);
        *at = 0;
    }
}

bool conn_write_out(struct conn *c)
{
    c->want_read = c->want_write = false;
    while (conn_unsent(c) > 0) {
        ssize_t n = io_write(c, c->out.data + c->out_at, conn_unsent(c));
        if (n < 0)
            return n == IO_AGAIN;
        c->out_at += (size_t)n;
    }
    settle(&c->out, &c->out_at);
    return true;
}

/* The last replies may still be wanted by a peer that only closed its sending side. */
static void end_reading(struct conn *c)
{
    struct error why = c->broken;
    (void)conn_write_out(c);
    c->broken = why;
    conn_ended(c);
}

static bool may_read(const struct conn *c)
{
    return c->state == CONN_OPEN && !c->paused && c->broken.status == STATUS_OK;
}

/*
 * May a read that gave N of ROOM bytes have left some? If not, the socket is not asked: what comes now, the
 * loop tells. What TLS holds already, it would not tell.
 */
static bool may_have_more(const struct conn *c, size_t n, size_t room)
{
    return n == room || (c->tls_up && SSL_has_pending(c->ssl));
}

/* False: nothing more to read now. */
static bool read_once(struct conn *c, bool *more_out)
{
    buf_consume(&c->in, c->in_at);
    c->in_at = 0;
    size_t room = c->limits.input_max - c->in.len;
    if (room == 0)
        return false;
    /* Not read into the buffer itself: a connection keeps no more memory than it has unread bytes. */
    char chunk[READ_CHUNK];
    bool write_wants_read = c->want_read;
    if (room > sizeof chunk)
        room = sizeof chunk;
    ssize_t n = io_read(c, chunk, room);
    c->want_read = write_wants_read;
    if (n > 0) {
        *more_out = may_have_more(c, (size_t)n, room);
        buf_append(&c->in, chunk, (size_t)n);
        explicit_bzero(chunk, (size_t)n);
        c->announce = true;
        if (!c->in.failed)
            return true;
        n = IO_ERROR;
        error_set(&c->broken, STATUS_TEMPORARY, "out of memory for what %s sends", c->peer);
    }
    settle(&c->in, &c->in_at);
    if (n != IO_AGAIN)
        end_reading(c);
    return false;
}

static void announce(struct conn *c)
{
    c->announce = false;
    c->handler->on_data(c->arg, c);
    settle(&c->in, &c->in_at);
}

void conn_read_in(struct conn *c)
{
    if (c->announce && may_read(c))
        announce(c);
    bool more = true;
    for (int i = 0; i < READS_PER_TURN && more; i++) {
        if (!may_read(c) || !read_once(c, &more))
            return;
        announce(c);
    }
    /* What TLS has read already no socket event will tell of. */
    if (may_read(c) && c->tls_up && SSL_has_pending(c->ssl))
        conn_kick(c, EV_READ);
}

void conn_discard(struct conn *c)
{
    char sink[4096];
    for (;;) {
        ssize_t n = recv(c->fd, sink, sizeof sink, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n > 0)
            c->discarded += (size_t)n;
        if (n <= 0 || c->discarded > DISCARD_MAX)
            break;
    }
    c->state = CONN_ENDED;
}

struct span conn_input(struct conn *c)
{
    return conn_unread(c) ? span_of(c->in.data + c->in_at, conn_unread(c)) : span_of(NULL, 0);
}

void conn_consume(struct conn *c, size_t len)
{
    bool full = conn_unread(c) >= c->limits.input_max;
    c->in_at += len < conn_unread(c) ? len : conn_unread(c);
    if (full && len > 0 && c->state == CONN_OPEN)
        conn_kick(c, EV_READ);
}

void conn_write(struct conn *c, struct span bytes)
{
    if (c->state >= CONN_CLOSING || c->broken.status != STATUS_OK || bytes.len == 0)
        return;
    if (c->state != CONN_OPEN) {
        /* Never to be sent in clear because TLS is not up yet. */
        error_set(&c->broken, STATUS_INTERNAL, "written to %s before the connection was open", c->peer);
    } else if (bytes.len > c->limits.output_max - conn_unsent(c)) {
        error_set(&c->broken, STATUS_LIMIT, "%s does not take what is sent to it", c->peer);
    } else {
        if (bytes.len > c->limits.output_max - c->out.len) {
            buf_consume(&c->out, c->out_at);
            c->out_at = 0;
        }
        buf_append_span(&c->out, bytes);
        if (c->out.failed)
            error_set(&c->broken, STATUS_TEMPORARY, "out of memory for what is sent to %s", c->peer);
    }
    conn_kick(c, EV_WRITE);
}
