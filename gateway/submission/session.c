/* The life of a session: accepted, opened, waited for, ended. */
#include "gateway/submission/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/net/network.h"
#include "gateway/net/tls_peer.h"
#include "gateway/submission/auth_call.h"
#include "gateway/submission/identity.h"
#include "gateway/wire/reply.h"

#define INPUT_MAX 65536  /* more than the longest line, and enough for a fast message */
#define OUTPUT_MAX 98304 /* what UNSENT_MAX lets through, and the longest reply */

/* A message may take a second longer for each so many bytes: 10 minutes and 54 for 50 MB. */
#define DATA_BYTES_PER_SECOND 16384

static const struct submission_limits *limits(const struct session *s)
{
    return &s->server->settings->limits;
}

void session_set_deadline(struct session *s, int64_t ms)
{
    if (!identity_is_known(s)) {
        int64_t left = s->auth_by - clock_mono_ms();
        if (left < 1)
            left = 1;
        if (ms == 0 || left < ms)
            ms = left;
    }
    conn_deadline(s->conn, ms);
}

/* Until then the message in hand must be there (monotonic ms). */
static int64_t data_by(const struct session *s)
{
    int64_t allowance = (int64_t)(s->data.size / DATA_BYTES_PER_SECOND) * 1000;
    if (s->data.failed != STATUS_OK)
        allowance = 0;
    return s->data_since + limits(s)->data_ms + allowance;
}

static int64_t data_time_left(const struct session *s)
{
    int64_t left = data_by(s) - clock_mono_ms();
    return left > 0 ? left : 1;
}

static bool is_amid_data(const struct session *s)
{
    return s->phase == SESSION_DATA || s->phase == SESSION_CHUNK || s->chunks.begun;
}

/* A time that no byte buys more of is over. The timer alone would be set anew with each byte, and a flood
 * would keep it from ever being noticed. */
static bool is_late(const struct session *s)
{
    if (s->call || s->phase < SESSION_COMMAND || s->phase == SESSION_OVER)
        return false;
    int64_t now = clock_mono_ms();
    return (!identity_is_known(s) && s->auth_by <= now) || (is_amid_data(s) && data_by(s) <= now);
}

/* Between two chunks, the whole message's time is running. */
static int64_t command_time(const struct session *s)
{
    int64_t ms = limits(s)->command_ms;
    int64_t left = s->chunks.begun ? data_time_left(s) : ms;
    return left < ms ? left : ms;
}

static void update_deadline(struct session *s)
{
    if (s->call)
        session_set_deadline(s, 0); /* the call has limits of its own */
    else if (s->phase == SESSION_DATA || s->phase == SESSION_CHUNK)
        session_set_deadline(s, data_time_left(s));
    else if (s->rearm && s->phase >= SESSION_COMMAND)
        session_set_deadline(s, command_time(s));
    s->rearm = false;
}

static void link_in(struct session *s)
{
    s->next = s->server->sessions;
    if (s->next)
        s->next->previous = s;
    s->server->sessions = s;
}

static void unlink_from(struct session *s)
{
    if (s->next)
        s->next->previous = s->previous;
    if (s->previous)
        s->previous->next = s->next;
    else
        s->server->sessions = s->next;
}

static void uncount(struct server_state *server, const struct client_key *client, bool known)
{
    if (known)
        limits_leave(&server->limits, client);
    else
        limits_leave_unknown(&server->limits);
}

/* The connection is closed, or handed over to its closing. */
static void session_free(struct session *s)
{
    struct server_state *server = s->server;
    session_forget(s);
    unlink_from(s);
    uncount(server, &s->client, s->client_known);
    buf_free(&s->out);
    free(s);
    server_check_empty(server);
}

void session_forget(struct session *s)
{
    /* RFC 5321 §4.1.1.10: a transaction whose client is gone is cancelled; nobody can be told otherwise. */
    if (s->call)
        call_cancel(s->call);
    s->call = NULL;
    session_end_transaction(s);
    auth_call_forget(s);
    identity_forget(s);
    envelope_recipient_free(&s->asked);
    s->asked = (struct envelope_recipient){0};
    free(s->helo);
    s->helo = NULL;
    s->esmtp = false;
    s->line = (struct line_reader){0};
}

void session_close(struct session *s)
{
    s->phase = SESSION_OVER;
}

void session_end_with(struct session *s, enum reply_id id)
{
    session_reply(s, id);
    session_close(s);
}

static bool has_nothing_in_hand(const struct session *s)
{
    return !s->call && !s->transaction.open && s->phase != SESSION_OVER;
}

static void time_out(struct session *s)
{
    static const char *const words[] = {"handshake", "greeting", "command", "auth", "data", "chunk", "over"};
    struct log_line line;
    session_log(s, &line, LOG_LEVEL_NOTICE, "timeout");
    log_str(&line, "in", words[s->phase]);
    log_end(&line);
    if (s->phase != SESSION_HANDSHAKE)
        session_reply(s, REPLY_TIMEOUT);
    session_close(s);
}

void session_settle(struct session *s)
{
    struct log_line line;
    if (s->server->draining && has_nothing_in_hand(s)) {
        if (s->phase != SESSION_HANDSHAKE)
            session_reply(s, REPLY_SHUTTING_DOWN);
        session_close(s);
    }
    if (s->out.failed) /* out of memory: a reply is missing, so that the next would be taken for it */
        session_close(s);
    if (is_late(s))
        time_out(s);
    s->unsent += s->out.len;
    conn_write(s->conn, buf_span(&s->out));
    buf_reset(&s->out);
    if (s->phase != SESSION_OVER) {
        update_deadline(s);
        return;
    }
    session_log(s, &line, LOG_LEVEL_INFO, "disconnected");
    log_end(&line);
    conn_close(s->conn);
    session_free(s);
}

static void log_client_certificate(struct log_line *line, const struct conn *conn)
{
    struct tls_peer peer;
    if (tls_peer_get(conn, &peer)) {
        log_str(line, "certificate", peer.fingerprint);
        log_str(line, "subject", peer.subject);
    } else {
        log_str(line, "certificate-refused", tls_peer_refused(conn)); /* NULL: left out */
    }
}

/* TLS is up. */
static void on_open(void *arg, struct conn *conn)
{
    struct session *s = arg;
    struct log_line line;
    session_forget(s);
    s->unsent = 0;
    session_log(s, &line, LOG_LEVEL_INFO, "tls");
    log_str(&line, "version", conn_tls_version(conn));
    log_str(&line, "cipher", conn_tls_cipher(conn));
    log_client_certificate(&line, conn);
    log_end(&line);
    identity_recognise(s);
    s->phase = SESSION_COMMAND;
    s->rearm = true;
    if (s->listener->implicit_tls)
        session_greet(s, false);
    session_run(s);
}

static void on_data(void *arg, struct conn *conn)
{
    (void)conn;
    session_run(arg);
}

static void on_drained(void *arg, struct conn *conn)
{
    (void)conn;
    struct session *s = arg;
    s->unsent = 0;
    session_run(s);
}

static void on_deadline(void *arg, struct conn *conn)
{
    struct session *s = arg;
    if (s->phase == SESSION_GREETING) {
        session_greet(s, true);
        session_run(s);
        return;
    }
    bool amid_handshake = s->phase == SESSION_HANDSHAKE;
    time_out(s);
    if (!amid_handshake) {
        session_settle(s);
        return;
    }
    conn_abort(conn);
    session_free(s);
}

static void on_end(void *arg, struct conn *conn, const struct error *why)
{
    (void)conn;
    struct session *s = arg;
    bool in_hand = s->transaction.open || s->call;
    if (!s->client_known)
        session_log_error(s, LOG_LEVEL_WARNING, "proxy-header", why);
    else
        session_log_error(s, in_hand ? LOG_LEVEL_NOTICE : LOG_LEVEL_INFO,
                          in_hand ? "client-gone" : "disconnected", why);
    session_free(s);
}

static void on_proxied(void *arg, struct conn *conn, const struct sockaddr_storage *client);

static const struct conn_handler handler = {.on_open = on_open,
                                            .on_data = on_data,
                                            .on_drained = on_drained,
                                            .on_deadline = on_deadline,
                                            .on_end = on_end,
                                            .on_proxied = on_proxied};

/* Before there is a session. In clear the client can be told why; TLS is not worth its cost then. */
static void turn_away(struct server_state *server, const struct submission_listener *listener, int fd,
                      const char *why)
{
    struct log_line line;
    log_start(&line, server->settings->log, LOG_LEVEL_WARNING, "turned-away");
    log_str(&line, "listener", listener->name);
    log_str(&line, "why", why);
    log_end(&line);
    if (!listener->implicit_tls) {
        const struct reply_entry *entry = reply_entry(REPLY_TOO_MANY_SESSIONS);
        struct buf out;
        buf_init(&out, REPLY_LINE_MAX);
        reply_format(&out, entry->code, entry->enhanced, entry->text);
        (void)send(fd, out.data, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        buf_free(&out);
    }
    close(fd);
}

static struct session *session_new(struct server_state *server, const struct submission_listener *listener)
{
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->server = server;
    s->listener = listener;
    s->phase = SESSION_HANDSHAKE;
    s->auth_by = clock_mono_ms() + server->settings->limits.before_auth_ms;
    id_make(s->id);
    buf_init(&s->out, OUTPUT_MAX);
    data_init(&s->data);
    envelope_init(&s->transaction.envelope);
    return s;
}

/* The session is counted and linked in, and the client's address is known. */
static void begin(struct session *s)
{
    struct log_line line;
    session_log(s, &line, LOG_LEVEL_INFO, "connected");
    log_str(&line, "listener", s->listener->name);
    log_end(&line);
    if (s->listener->implicit_tls)
        session_set_deadline(s, limits(s)->handshake_ms);
    else
        session_greet(s, false);
    session_settle(s);
}

/* In clear the client can be told why; TLS is not worth its cost then. */
static void turn_away_proxied(struct session *s)
{
    struct log_line line;
    session_log(s, &line, LOG_LEVEL_WARNING, "turned-away");
    log_str(&line, "listener", s->listener->name);
    log_str(&line, "why", "too many sessions");
    log_end(&line);
    if (!s->listener->implicit_tls)
        session_reply(s, REPLY_TOO_MANY_SESSIONS);
    session_close(s);
    session_settle(s);
}

/* The balancer has said whose connection this is; it counts as that client's from now on (A17, A31). */
static void on_proxied(void *arg, struct conn *conn, const struct sockaddr_storage *client)
{
    struct session *s = arg;
    struct error err = {0};
    if (client)
        s->client = limits_key(client);
    s->client_known = limits_identify(&s->server->limits, &s->client);
    if (!s->client_known) {
        turn_away_proxied(s);
    } else if (s->listener->implicit_tls &&
               conn_start_tls(conn, s->server->settings->tls, NULL, NULL, &err) != STATUS_OK) {
        session_log_error(s, LOG_LEVEL_WARNING, "tls-failed", &err);
        session_close(s);
        session_settle(s);
    } else {
        begin(s);
    }
}

/* What a connection from a load balancer has to say first. */
static void await_proxy(struct session *s)
{
    conn_expect_proxy(s->conn);
    session_set_deadline(s, limits(s)->handshake_ms);
}

static bool is_proxy(const struct submission_listener *listener, const struct sockaddr_storage *address)
{
    struct network_address peer;
    return listener->n_proxies > 0 && network_address_of(address, &peer) &&
           networks_have(listener->proxies, listener->n_proxies, &peer);
}

void session_accept(struct server_state *server, const struct submission_listener *listener, int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    struct error err = {0};
    (void)getpeername(fd, (struct sockaddr *)&address, &len);
    struct client_key key = limits_key(&address);
    bool proxied = is_proxy(listener, &address);
    if (proxied ? !limits_enter_unknown(&server->limits) : !limits_enter(&server->limits, &key)) {
        turn_away(server, listener, fd, "too many sessions");
        return;
    }
    struct session *s = session_new(server, listener);
    if (!s) {
        uncount(server, &key, !proxied);
        turn_away(server, listener, fd, "out of memory");
        return;
    }
    s->client = key;
    s->client_known = !proxied;
    link_in(s);
    s->conn = conn_accepted(server->base, fd,
                            listener->implicit_tls && !proxied ? server->settings->tls : NULL, &handler, s,
                            (struct conn_limits){.input_max = INPUT_MAX, .output_max = OUTPUT_MAX}, &err);
    if (!s->conn) {
        log_error(server->settings->log, LOG_LEVEL_WARNING, "turned-away", listener->name, &err);
        session_free(s);
    } else if (proxied) {
        await_proxy(s);
    } else {
        begin(s);
    }
}
