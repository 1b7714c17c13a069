/*
 * The greeting, and who does not wait for it: a client that speaks first is no mail program but a tool that
 * throws its commands at any port (RFC 5321 §4.3.1: the client waits for the greeting).
 */
#include <stdio.h>

#include "gateway/submission/session.h"

static void refuse_early_talker(struct session *s)
{
    struct log_line line;
    session_log(s, &line, LOG_LEVEL_NOTICE, "early-talker");
    log_str(&line, "listener", s->listener->name);
    log_end(&line);
    session_end_with(s, REPLY_EARLY_TALKER);
}

static void greet(struct session *s)
{
    char text[300];
    snprintf(text, sizeof text, "%s %s", s->server->settings->hostname, reply_entry(REPLY_GREETING)->text);
    s->phase = SESSION_COMMAND;
    session_reply_text(s, REPLY_GREETING, text);
}

void session_greet(struct session *s, bool has_waited)
{
    int64_t delay = s->server->settings->limits.greeting_delay_ms;
    s->phase = SESSION_GREETING;
    if (conn_has_pipelined(s->conn))
        refuse_early_talker(s);
    else if (delay > 0 && !has_waited)
        session_set_deadline(s, delay);
    else
        greet(s);
}

void session_heard_before_greeting(struct session *s)
{
    if (conn_input(s->conn).len > 0)
        refuse_early_talker(s);
}
