/* What happens to a session's connection, and what the session makes of it. */
#include "gateway/net/tls_peer.h"
#include "gateway/submission/identity.h"
#include "gateway/submission/session.h"

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
    session_time_out(s);
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

void session_begin(struct session *s)
{
    struct log_line line;
    session_log(s, &line, LOG_LEVEL_INFO, "connected");
    log_str(&line, "listener", s->listener->name);
    log_end(&line);
    if (s->listener->implicit_tls)
        session_set_deadline(s, s->server->settings->limits.handshake_ms);
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
        session_begin(s);
    }
}

static void on_gone(void *arg)
{
    session_gone(arg);
}

const struct conn_handler session_handler = {.on_open = on_open,
                                             .on_data = on_data,
                                             .on_drained = on_drained,
                                             .on_deadline = on_deadline,
                                             .on_end = on_end,
                                             .on_gone = on_gone,
                                             .on_proxied = on_proxied};
