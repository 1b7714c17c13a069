/* A message on its way in: DATA up to its end. */
#include "base/clock.h"
#include "gateway/submission/session.h"

void session_begin_data(struct session *s)
{
    struct error err = {0};
    const struct submission_limits *limits = &s->server->settings->limits;
    if (limits->in_hand_max > 0 && s->server->in_hand >= limits->in_hand_max) {
        session_reply(s, REPLY_LATER_MEMORY);
        return;
    }
    if (data_begin(&s->data, limits->message_max, &err) != STATUS_OK) {
        session_log_error(s, LOG_LEVEL_ERROR, "out-of-memory", &err);
        session_reply(s, REPLY_LATER_MEMORY);
        return;
    }
    s->phase = SESSION_DATA;
    s->data_since = clock_mono_ms();
    session_reply(s, REPLY_SEND_DATA);
}

void session_end_transaction(struct session *s)
{
    s->server->in_hand -= s->data.kept;
    data_end(&s->data);
    transaction_reset(&s->transaction);
}

static enum reply_id refusal(const struct data *data, enum status status)
{
    if (status == STATUS_INVALID)
        return data->eod.nul && !data->eod.bare_line_end ? REPLY_NUL : REPLY_BARE_LINE_END;
    return status == STATUS_LIMIT ? REPLY_TOO_BIG : REPLY_LATER_MEMORY;
}

static void end_of_data(struct session *s)
{
    struct error err = {0};
    enum status st = data_finish(&s->data, &err);
    s->phase = SESSION_COMMAND;
    if (st == STATUS_OK) {
        submit_start(s);
        return;
    }
    session_log_error(s, LOG_LEVEL_NOTICE, "data-refused", &err);
    session_reply(s, refusal(&s->data, st));
    session_end_transaction(s);
}

bool session_take_data(struct session *s)
{
    struct server_state *server = s->server;
    size_t in_hand_max = server->settings->limits.in_hand_max;
    struct span input = conn_input(s->conn);
    if (input.len == 0)
        return false;
    size_t others = server->in_hand - s->data.kept;
    conn_consume(s->conn, data_feed(&s->data, input));
    if (in_hand_max > 0 && others + s->data.kept > in_hand_max)
        data_fail(&s->data, STATUS_TEMPORARY);
    server->in_hand = others + s->data.kept;
    if (data_is_whole(&s->data))
        end_of_data(s);
    return true;
}
