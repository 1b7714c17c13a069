/* From the bytes of a session to its verbs. */
#include <string.h>

#include "gateway/submission/clear_tried.h"
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"
#include "gateway/wire/command.h"

/* Replies that are not sent yet stop a session here: who does not read is not listened to (A17). */
#define UNSENT_MAX 32768

/*
 * A verb that must be the last of a pipelined group has input behind it: the client cannot know the reply,
 * so what follows may be meant as something else (a message, TLS). Before TLS it is an attack or a
 * defective client (A3).
 */
static bool has_input_behind(const struct session *s)
{
    if (!conn_is_tls(s->conn))
        return conn_has_pipelined(s->conn);
    return conn_input(s->conn).len > 0;
}

static void run_verb(struct session *s, struct span args)
{
    enum reply_id refusal;
    if (s->verb->flags & VERB_LAST_IN_GROUP && has_input_behind(s)) {
        struct log_line line;
        session_log(s, &line, LOG_LEVEL_WARNING, "pipelined-behind");
        log_str(&line, "verb", s->verb->name);
        log_end(&line);
        session_reply(s, REPLY_NOT_LAST_IN_GROUP);
        session_close(s);
    } else if (verb_is_allowed(s->verb, s, args.len > 0, &refusal)) {
        s->verb->run(s, args);
    } else {
        if (refusal == REPLY_TLS_NEEDED)
            clear_tried(s);
        if (s->verb->flags & VERB_WITH_CHUNK)
            chunk_begin(s, args, &refusal);
        else
            session_reply(s, refusal);
    }
}

/*
 * A browser that was made to talk to this port (ALPACA): its header or body could hold commands, so that not
 * another byte of it is read.
 */
static bool is_http(struct span verb)
{
    static const char *const methods[] = {"GET",    "POST",  "PUT",     "HEAD",  "OPTIONS",
                                          "DELETE", "PATCH", "CONNECT", "TRACE", "PRI"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (span_is(verb, methods[i]))
            return true;
    return false;
}

static void refuse_verb(struct session *s, struct span verb)
{
    struct log_line line;
    session_reply(s, REPLY_UNKNOWN_COMMAND);
    if (!is_http(verb))
        return;
    session_log(s, &line, LOG_LEVEL_WARNING, "http-request");
    log_span(&line, "method", verb);
    log_end(&line);
    session_close(s);
}

/* One that means BDAT may have a chunk behind it, which must not be read as commands (A1). */
static void refuse_no_command(struct session *s, struct span line)
{
    if (span_starts(line, "BDAT"))
        session_end_with(s, REPLY_BAD_CHUNK);
    else
        session_reply(s, REPLY_NOT_A_COMMAND);
}

static void take_command(struct session *s, struct span line)
{
    struct command command;
    if (!command_parse(line, &command)) {
        refuse_no_command(s, line);
        return;
    }
    s->verb = verb_find(command.verb);
    if (s->verb)
        run_verb(s, command.args);
    else
        refuse_verb(s, command.verb);
    s->verb = NULL;
}

static void take_line(struct session *s, struct span line)
{
    if (s->phase == SESSION_SASL)
        cmd_auth_response(s, line);
    else
        take_command(s, line);
}

/* A line that is no command and no response. */
static void refuse_line(struct session *s, enum line_event event)
{
    bool in_auth = s->phase == SESSION_SASL;
    enum reply_id id = event == LINE_NUL ? REPLY_NOT_A_COMMAND : REPLY_LINE_TOO_LONG;
    if (event == LINE_BAD_END)
        id = REPLY_BAD_LINE_END;
    else if (in_auth)
        id = event == LINE_NUL ? REPLY_AUTH_MALFORMED : REPLY_AUTH_LINE_TOO_LONG;
    if (in_auth)
        cmd_auth_end(s, id);
    else
        session_reply(s, id);
    if (event == LINE_NO_CHUNK || event == LINE_BAD_END || event == LINE_FLOOD)
        session_close(s);
}

/* False: no whole line there. */
static bool take_next_line(struct session *s)
{
    char copy[LINE_AUTH_MAX]; /* the input may move while the line is worked on */
    struct span line;
    size_t used;
    size_t max = s->phase == SESSION_SASL ? LINE_AUTH_MAX : 0;
    enum line_event event = line_read(&s->line, conn_input(s->conn), max, &line, &used);
    if (event == LINE_WHOLE)
        memcpy(copy, line.p, line.len);
    conn_consume(s->conn, used);
    if (event == LINE_MORE)
        return false;
    if (event == LINE_WHOLE)
        take_line(s, span_of(copy, line.len));
    else
        refuse_line(s, event);
    explicit_bzero(copy, line.len);
    return true;
}

static bool take_input(struct session *s)
{
    if (s->phase == SESSION_DATA)
        return session_take_data(s);
    return s->phase == SESSION_CHUNK ? chunk_take(s) : take_next_line(s);
}

static void check_patience(struct session *s)
{
    const struct submission_limits *limits = &s->server->settings->limits;
    if (s->phase == SESSION_OVER)
        return;
    if (s->bad_commands >= limits->bad_commands_max)
        session_end_with(s, REPLY_TOO_MANY_BAD_COMMANDS);
    else if (s->auth_failures >= limits->auth_failures_max)
        session_end_with(s, REPLY_TOO_MANY_AUTH_FAILURES);
}

static bool may_take_input(const struct session *s)
{
    return !s->call && s->phase >= SESSION_COMMAND && s->phase != SESSION_OVER &&
           s->unsent + s->out.len < UNSENT_MAX;
}

void session_run(struct session *s)
{
    if (s->phase == SESSION_GREETING)
        session_heard_before_greeting(s);
    check_patience(s);
    while (may_take_input(s)) {
        if (!take_input(s))
            break;
        check_patience(s);
    }
    session_settle(s);
}
