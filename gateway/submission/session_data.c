/* A message on its way in: DATA up to its end, and what it has in common with BDAT. */
#include "base/clock.h"
#include "gateway/submission/session.h"

/* To be called with what was kept before, whenever data_* may have kept or dropped something: a sum that is
 * once wrong stays so for the life of the process. */
static void count_in_hand(struct session *s, size_t before)
{
    s->server->in_hand = s->server->in_hand - before + s->data.kept;
}

bool session_begin_message(struct session *s, enum reply_id *why_out)
{
    struct error err = {0};
    const struct submission_limits *limits = &s->server->settings->limits;
    *why_out = REPLY_LATER_MEMORY;
    if (limits->in_hand_max > 0 && s->server->in_hand >= limits->in_hand_max)
        return false;
    if (data_begin(&s->data, limits->message_max, s->listener->normalizes_line_ends, &err) == STATUS_OK)
        return true;
    session_log_error(s, LOG_LEVEL_ERROR, "out-of-memory", &err);
    return false;
}

void session_begin_data(struct session *s)
{
    enum reply_id why;
    if (!session_begin_message(s, &why)) {
        session_reply(s, why);
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
    s->chunks = (struct chunks){0};
    transaction_reset(&s->transaction);
}

enum reply_id session_data_refusal(const struct session *s)
{
    /* What it is refused for must not depend on its size: see data_finish. */
    if (data_has_bare_line_end(&s->data))
        return REPLY_BARE_LINE_END;
    if (data_has_nul(&s->data))
        return REPLY_NUL;
    return s->data.failed == STATUS_LIMIT ? REPLY_TOO_BIG : REPLY_LATER_MEMORY;
}

void session_end_of_data(struct session *s)
{
    struct error err = {0};
    size_t before = s->data.kept;
    s->phase = SESSION_COMMAND;
    enum status st = data_finish(&s->data, &err);
    count_in_hand(s, before);
    if (st == STATUS_OK) {
        submit_start(s);
        return;
    }
    session_log_error(s, LOG_LEVEL_NOTICE, "data-refused", &err);
    session_reply(s, session_data_refusal(s));
    session_end_transaction(s);
}

size_t session_feed_message(struct session *s, struct span input,
                            size_t (*feed)(struct data *data, struct span input))
{
    struct server_state *server = s->server;
    size_t in_hand_max = server->settings->limits.in_hand_max;
    size_t before = s->data.kept;
    size_t used = feed(&s->data, input);
    count_in_hand(s, before);
    if (in_hand_max > 0 && server->in_hand > in_hand_max) {
        before = s->data.kept;
        data_fail(&s->data, STATUS_TEMPORARY);
        count_in_hand(s, before);
    }
    return used;
}

bool session_take_data(struct session *s)
{
    struct span input = conn_input(s->conn);
    if (input.len == 0)
        return false;
    conn_consume(s->conn, session_feed_message(s, input, data_feed));
    if (data_is_whole(&s->data))
        session_end_of_data(s);
    return true;
}
