/* From an accepted socket to a session, or to a client that is turned away. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/net/network.h"
#include "gateway/submission/session.h"
#include "gateway/wire/reply.h"

#define INPUT_MAX 65536  /* more than the longest line, and enough for a fast message */
#define OUTPUT_MAX 98304 /* what UNSENT_MAX lets through, and the longest reply */

/* Before there is a session. In clear the client can be told why; TLS is not worth its cost then. */
static void turn_away(struct server_state *server, const struct submission_listener *listener, int fd,
                      const struct sockaddr_storage *address, const char *why)
{
    struct log_line line;
    char client[NETWORK_PEER_SIZE];
    network_peer_text((const struct sockaddr *)address, client);
    log_start(&line, server->settings->log, LOG_LEVEL_WARNING, "turned-away");
    log_str(&line, "client", client);
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

static void link_in(struct session *s)
{
    s->next = s->server->sessions;
    if (s->next)
        s->next->previous = s;
    s->server->sessions = s;
}

/* What a connection from a load balancer has to say first. */
static void await_proxy(struct session *s)
{
    conn_expect_proxy(s->conn);
    session_set_deadline(s, s->server->settings->limits.handshake_ms);
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
        turn_away(server, listener, fd, &address, "too many sessions");
        return;
    }
    struct session *s = session_new(server, listener);
    if (!s) {
        session_uncount(server, &key, !proxied);
        turn_away(server, listener, fd, &address, "out of memory");
        return;
    }
    s->client = key;
    s->client_known = !proxied;
    link_in(s);
    s->conn = conn_accepted(
        server->base, fd, listener->implicit_tls && !proxied ? server->settings->tls : NULL, &session_handler,
        s, (struct conn_limits){.input_max = INPUT_MAX, .output_max = OUTPUT_MAX}, &err);
    if (!s->conn) {
        log_error(server->settings->log, LOG_LEVEL_WARNING, "turned-away", listener->name, &err);
        session_free(s);
    } else if (proxied) {
        await_proxy(s);
    } else {
        session_begin(s);
    }
}
