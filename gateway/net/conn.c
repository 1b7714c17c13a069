/* The life of a connection: made, opened, waited for, closed. */
#include "gateway/net/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/net/conn_private.h"
#include "gateway/net/network.h"

/* Longest time for conn_close to hand over the last bytes and see the other side's end. */
#define CLOSE_MS 3000

static void set_timer(struct conn *c, int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    event_add(&c->timer, &tv);
}

static void release(struct conn *c)
{
    void (*on_gone)(void *) = c->tell_gone ? c->handler->on_gone : NULL;
    void *arg = c->arg;
    event_del(&c->read);
    event_del(&c->write);
    event_del(&c->timer);
    event_del(&c->soon);
    SSL_free(c->ssl);
    if (c->fd >= 0)
        close(c->fd);
    buf_free(&c->in);
    buf_free(&c->out);
    free(c);
    if (on_gone)
        on_gone(arg);
}

static void leave(struct conn *c)
{
    if (--c->busy == 0 && c->state == CONN_ENDED)
        release(c);
}

void conn_kick(struct conn *c, short what)
{
    event_active(&c->soon, what, 0);
}

void conn_opened(struct conn *c)
{
    c->state = CONN_OPEN;
    c->want_read = c->want_write = false;
    c->handler->on_open(c->arg, c);
}

void conn_ended(struct conn *c)
{
    if (c->state == CONN_ENDED)
        return;
    bool told = c->state != CONN_CLOSING && c->state != CONN_LINGERING;
    /* An orderly end is answered in kind; whatever does not go out now is lost with the connection. */
    if (c->tls_up && c->broken.status == STATUS_CLOSED)
        (void)conn_tls_shutdown(c);
    c->state = CONN_ENDED;
    if (told)
        c->handler->on_end(c->arg, c, &c->broken);
}

static void finish_connect(struct conn *c)
{
    int errnum = 0;
    socklen_t len = sizeof errnum;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &errnum, &len) < 0)
        errnum = errno;
    if (errnum == 0) {
        conn_opened(c);
        return;
    }
    error_errno(&c->broken, STATUS_TEMPORARY, errnum, "cannot connect to %s", c->peer);
    conn_ended(c);
}

static void flush_then_handshake(struct conn *c)
{
    if (!conn_write_out(c)) {
        conn_ended(c);
    } else if (conn_unsent(c) == 0) {
        c->state = CONN_HANDSHAKE;
        conn_handshake(c);
    }
}

static void close_step(struct conn *c)
{
    if (!conn_write_out(c)) {
        conn_ended(c);
        return;
    }
    if (conn_unsent(c) > 0)
        return;
    int shut = c->tls_up ? conn_tls_shutdown(c) : 0;
    if (shut == IO_AGAIN)
        return;
    if (shut != 0 || shutdown(c->fd, SHUT_WR) < 0) {
        c->state = CONN_ENDED;
        return;
    }
    c->state = CONN_LINGERING;
    conn_discard(c);
}

/*
 * A server that closes with our bytes unread resets the connection, often right behind the reply that says
 * why: that is read before the end is told. Of a client nothing more is wanted: it does not hear what comes
 * of it.
 */
static void end_writing(struct conn *c)
{
    struct error why = c->broken;
    if (!c->server) {
        c->broken = (struct error){0};
        conn_read_in(c);
    }
    if (c->state == CONN_ENDED)
        return;
    c->broken = why;
    conn_ended(c);
}

static void exchange(struct conn *c, short what)
{
    bool wrote = conn_unsent(c) > 0;
    bool blocked = c->want_write;
    if (!conn_write_out(c)) {
        end_writing(c);
        return;
    }
    if (wrote && conn_unsent(c) == 0)
        c->handler->on_drained(c->arg, c);
    if (c->state == CONN_OPEN && (what & EV_READ || blocked))
        conn_read_in(c);
}

static void watch(struct event *event, bool wanted)
{
    if (wanted)
        event_add(event, NULL);
    else
        event_del(event);
}

/* Waits for what the connection can use now. */
static void update(struct conn *c)
{
    bool read = false, write = false;
    switch (c->state) {
    case CONN_CONNECTING:
    case CONN_FLUSHING:
        write = true;
        break;
    case CONN_PROXY:
        read = true;
        break;
    case CONN_HANDSHAKE:
        read = c->want_read;
        write = c->want_write;
        break;
    case CONN_OPEN:
        read = c->want_read || (!c->paused && conn_unread(c) < c->limits.input_max);
        write = c->want_write;
        break;
    case CONN_CLOSING:
        read = c->want_read;
        write = !c->want_read;
        break;
    case CONN_LINGERING:
        read = true;
        break;
    case CONN_ENDED:
        return;
    }
    watch(&c->read, read);
    watch(&c->write, write);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct conn *c = arg;
    c->busy++;
    if (c->broken.status != STATUS_OK) {
        conn_ended(c);
        leave(c);
        return;
    }
    switch (c->state) {
    case CONN_CONNECTING:
        finish_connect(c);
        break;
    case CONN_PROXY:
        conn_proxy(c);
        break;
    case CONN_FLUSHING:
        flush_then_handshake(c);
        break;
    case CONN_HANDSHAKE:
        conn_handshake(c);
        break;
    case CONN_OPEN:
        exchange(c, what);
        break;
    case CONN_CLOSING:
        close_step(c);
        break;
    case CONN_LINGERING:
        conn_discard(c);
        break;
    case CONN_ENDED:
        break;
    }
    update(c);
    leave(c);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct conn *c = arg;
    c->busy++;
    if (c->state == CONN_CLOSING || c->state == CONN_LINGERING)
        c->state = CONN_ENDED;
    else if (c->state != CONN_ENDED)
        c->handler->on_deadline(c->arg, c);
    leave(c);
}

void conn_name_peer(struct conn *c, const struct sockaddr *sa)
{
    network_peer_text(sa, c->peer);
}

/* Owns FD whatever happens. */
static struct conn *make(struct event_base *base, int fd, const struct sockaddr *peer,
                         const struct conn_handler *handler, void *arg, struct conn_limits limits,
                         struct error *err)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        error_set(err, STATUS_TEMPORARY, "out of memory for a connection");
        return NULL;
    }
    c->base = base;
    c->handler = handler;
    c->arg = arg;
    c->limits = limits;
    c->fd = fd;
    buf_init(&c->in, limits.input_max);
    buf_init(&c->out, limits.output_max);
    conn_name_peer(c, peer);
    event_assign(&c->read, base, fd, EV_READ | EV_PERSIST, on_event, c);
    event_assign(&c->write, base, fd, EV_WRITE | EV_PERSIST, on_event, c);
    event_assign(&c->timer, base, -1, 0, on_timer, c);
    event_assign(&c->soon, base, -1, 0, on_event, c);
    /* Replies are short and waited for; it only costs latency when this fails (a local socket). */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return c;
}

struct conn *conn_accepted(struct event_base *base, int fd, SSL_CTX *tls, const struct conn_handler *handler,
                           void *arg, struct conn_limits limits, struct error *err)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0) {
        error_errno(err, STATUS_CLOSED, errno, "a client left at once");
        close(fd);
        return NULL;
    }
    struct conn *c = make(base, fd, (struct sockaddr *)&peer, handler, arg, limits, err);
    if (!c)
        return NULL;
    c->server = true;
    c->state = CONN_OPEN;
    if (tls && conn_start_tls(c, tls, NULL, NULL, err) != STATUS_OK) {
        release(c);
        return NULL;
    }
    update(c);
    return c;
}

struct conn *conn_connect(struct event_base *base, const struct sockaddr *from, const struct sockaddr *to,
                          socklen_t to_len, const struct conn_handler *handler, void *arg,
                          struct conn_limits limits, struct error *err)
{
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        error_errno(err, STATUS_LIMIT, errno, "cannot make a socket");
        return NULL;
    }
    struct conn *c = make(base, fd, to, handler, arg, limits, err);
    if (!c)
        return NULL;
    c->state = CONN_CONNECTING;
    if (from && bind(fd, from, to_len) < 0) {
        char source[NETWORK_PEER_SIZE];
        int why = errno;
        network_peer_text(from, source);
        error_errno(err, STATUS_LIMIT, why, "cannot connect from the configured source address %s", source);
        release(c);
        return NULL;
    }
    if (connect(fd, to, to_len) < 0 && errno != EINPROGRESS) {
        error_errno(err, STATUS_TEMPORARY, errno, "cannot connect to %s", c->peer);
        release(c);
        return NULL;
    }
    update(c);
    return c;
}

void conn_expect_proxy(struct conn *c)
{
    c->state = CONN_PROXY;
    update(c);
}

void conn_pause(struct conn *c)
{
    c->paused = true;
    update(c);
}

void conn_resume(struct conn *c)
{
    c->paused = false;
    if (conn_unread(c) > 0)
        c->announce = true;
    /* Also when nothing is unread: TLS may hold bytes for which the socket never becomes readable. */
    if (c->state == CONN_OPEN)
        conn_kick(c, EV_READ);
    update(c);
}

void conn_deadline(struct conn *c, int64_t in_ms)
{
    if (c->state >= CONN_CLOSING)
        return;
    if (in_ms > 0)
        set_timer(c, in_ms);
    else
        event_del(&c->timer);
}

void conn_close(struct conn *c)
{
    if (c->state >= CONN_CLOSING)
        return;
    c->tell_gone = true;
    if (c->state != CONN_OPEN || c->broken.status != STATUS_OK) {
        conn_abort(c);
        return;
    }
    c->state = CONN_CLOSING;
    set_timer(c, CLOSE_MS);
    conn_kick(c, EV_WRITE);
    update(c);
}

void conn_abort(struct conn *c)
{
    c->busy++;
    c->state = CONN_ENDED;
    leave(c);
}

bool conn_is_tls(const struct conn *c)
{
    return c->tls_up;
}

SSL *conn_ssl(const struct conn *c)
{
    return c->tls_up ? c->ssl : NULL;
}

const char *conn_peer(const struct conn *c)
{
    return c->peer;
}

void conn_local(const struct conn *c, char out[CONN_ADDRESS_SIZE])
{
    struct sockaddr_storage local;
    socklen_t len = sizeof local;
    _Static_assert(CONN_ADDRESS_SIZE >= NETWORK_PEER_SIZE, "an address fits");
    out[0] = '\0';
    if (getsockname(c->fd, (struct sockaddr *)&local, &len) == 0)
        network_peer_text((const struct sockaddr *)&local, out);
}

const char *conn_tls_version(const struct conn *c)
{
    return c->tls_up ? SSL_get_version(c->ssl) : "";
}

const char *conn_tls_cipher(const struct conn *c)
{
    return c->tls_up ? SSL_get_cipher_name(c->ssl) : "";
}
