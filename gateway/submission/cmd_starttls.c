/* STARTTLS (RFC 3207). What the client sent before is forgotten once TLS is up (session_events.c). */
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

void cmd_starttls(struct session *s, struct span args)
{
    (void)args;
    const struct submission_settings *settings = s->server->settings;
    struct error err = {0};
    if (conn_is_tls(s->conn)) {
        session_reply(s, REPLY_TLS_ALREADY);
        return;
    }
    session_reply(s, REPLY_READY_FOR_TLS);
    conn_write(s->conn, buf_span(&s->out));
    buf_reset(&s->out);
    enum status st = conn_start_tls(s->conn, settings->tls, NULL, NULL, &err);
    if (st == STATUS_OK) {
        s->phase = SESSION_HANDSHAKE;
        session_set_deadline(s, settings->limits.handshake_ms);
        return;
    }
    session_log_error(s, LOG_LEVEL_WARNING, "starttls-failed", &err);
    session_end_with(s, st == STATUS_INVALID ? REPLY_NOT_LAST_IN_GROUP : REPLY_TLS_LATER);
}
