/* The life of a session from its last reply to its end. */
#include "gateway/submission/session.h"

#include <stdlib.h>

#include "gateway/submission/auth_call.h"
#include "gateway/submission/identity.h"

static void unlink_from(struct session *s)
{
    if (s->next)
        s->next->previous = s->previous;
    if (s->previous)
        s->previous->next = s->next;
    else
        s->server->sessions = s->next;
}

void session_uncount(struct server_state *server, const struct client_key *client, bool known)
{
    if (known)
        limits_leave(&server->limits, client);
    else
        limits_leave_unknown(&server->limits);
}

static void end(struct session *s)
{
    session_forget(s);
    unlink_from(s);
    buf_free(&s->out);
}

void session_free(struct session *s)
{
    struct server_state *server = s->server;
    end(s);
    session_gone(s);
    server_check_empty(server);
}

void session_gone(struct session *s)
{
    session_uncount(s->server, &s->client, s->client_known);
    free(s);
}

/* Its connection may take a few seconds to close, and costs a descriptor until then. */
static void hang_up(struct session *s)
{
    struct server_state *server = s->server;
    end(s);
    conn_close(s->conn); /* session_gone follows */
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

void session_time_out(struct session *s)
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
    if (session_is_late(s))
        session_time_out(s);
    s->unsent += s->out.len;
    conn_write(s->conn, buf_span(&s->out));
    buf_reset(&s->out);
    if (s->phase != SESSION_OVER) {
        session_update_deadline(s);
        return;
    }
    session_log(s, &line, LOG_LEVEL_INFO, "disconnected");
    log_end(&line);
    hang_up(s);
}
