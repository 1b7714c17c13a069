/* What a session says: to the client, and to the log. */
#include <stdio.h>

#include "gateway/submission/identity.h"
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"
#include "gateway/wire/reply.h"

/* Longest text of our own making or from another role. */
#define TEXT_MAX 1000

void session_log(struct session *s, struct log_line *line, enum log_level level, const char *event)
{
    log_start(line, s->server->settings->log, level, event);
    if (s->transaction.open)
        log_str(line, "id", s->transaction.envelope.id);
    log_str(line, "session", s->id);
    log_str(line, "client", conn_peer(s->conn));
    log_str(line, "user", s->user);
    log_str(line, "relay", identity_client(s));
}

void session_log_error(struct session *s, enum log_level level, const char *event, const struct error *err)
{
    struct log_line line;
    session_log(s, &line, level, event);
    log_str(&line, "class", status_word(err->status));
    log_str(&line, "error", err->text);
    log_end(&line);
}

/* Arguments are never logged: those of AUTH are a password. */
static void log_refusal(struct session *s, const struct reply_entry *entry, const char *text)
{
    struct log_line line;
    session_log(s, &line, LOG_LEVEL_INFO, "refused");
    log_str(&line, "verb", s->verb ? s->verb->name : NULL);
    log_int(&line, "code", entry->code);
    log_str(&line, "status", entry->enhanced);
    log_str(&line, "text", text);
    log_end(&line);
}

void session_reply_lines(struct session *s, enum reply_id id, const char *text)
{
    const struct reply_entry *entry = reply_entry(id);
    reply_format(&s->out, entry->code, entry->enhanced, text);
    s->rearm = true;
    if (entry->is_bad_command)
        s->bad_commands++;
    if (entry->code >= 400)
        log_refusal(s, entry, text);
}

void session_reply_text(struct session *s, enum reply_id id, const char *text)
{
    char line[TEXT_MAX];
    snprintf(line, sizeof line, "%s", text);
    for (char *p = line; *p; p++)
        if (*p == '\n')
            *p = '?';
    session_reply_lines(s, id, line);
}

void session_challenge(struct session *s, const char *base64)
{
    buf_printf(&s->out, "%d %s\r\n", reply_entry(REPLY_CHALLENGE)->code, base64);
    s->rearm = true;
}

void session_reply(struct session *s, enum reply_id id)
{
    session_reply_lines(s, id, reply_entry(id)->text);
}
