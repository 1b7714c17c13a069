/* The whole message goes to seal; the answer comes from whoever held the request last. */
#include <unistd.h>

#include "base/clock.h"
#include "gateway/submission/refused.h"
#include "gateway/submission/session.h"

#define BODY_MAX                                                                                             \
    (1u << 20) /* of an envelope: ENVELOPE_RECIPIENTS_MAX addresses of PATH_MAX_BYTES, and more */

/* What the reply says; fail closed: whatever cannot be read is not "queued". */
static enum reply_id read_reply(struct session *s, enum status status, const struct ipc_msg *msg,
                                const struct error *why, struct submit_reply *reply)
{
    struct error err = {0};
    *reply = (struct submit_reply){0};
    if (status != STATUS_OK) {
        session_log_error(s, LOG_LEVEL_WARNING, "seal-failed", why);
        return reply_for_call(status);
    }
    if (msg->type != SUBMIT_REPLY || submit_reply_unpack(buf_span(&msg->body), reply, &err) != STATUS_OK) {
        session_log_error(s, LOG_LEVEL_ERROR, "seal-failed", &err);
        *reply = (struct submit_reply){0};
        return REPLY_LATER;
    }
    return reply_for_submit(reply->outcome);
}

static void log_outcome(struct session *s, const struct reply_entry *entry, const char *text)
{
    struct log_line line;
    const struct envelope *e = &s->transaction.envelope;
    session_log(s, &line, LOG_LEVEL_NOTICE, entry->code < 300 ? "accepted" : "not-accepted");
    log_str(&line, "from", e->reverse_path);
    log_int(&line, "recipients", (int64_t)e->n_recipients);
    log_int(&line, "size", (int64_t)s->data.size);
    log_int(&line, "ms", clock_wall_ms() - e->received_ms);
    log_int(&line, "code", entry->code);
    log_str(&line, "status", entry->enhanced);
    log_str(&line, "text", text);
    log_end(&line);
}

static void on_submitted(void *arg, enum status status, struct ipc_msg *msg, const struct error *err)
{
    struct session *s = arg;
    struct submit_reply reply;
    s->call = NULL;
    enum reply_id id = read_reply(s, status, msg, err, &reply);
    const char *text = reply.text[0] ? reply.text : reply_entry(id)->text;
    log_outcome(s, reply_entry(id), text);
    if (reply.outcome == SUBMIT_REFUSED_POLICY)
        refused_record(s, reply.recipient, reply.rule, text);
    session_reply_text(s, id, text);
    session_end_transaction(s);
    session_run(s);
}

void submit_start(struct session *s)
{
    const struct submission_settings *settings = s->server->settings;
    struct envelope *e = &s->transaction.envelope;
    struct error err = {0};
    struct buf body;
    e->received_ms = clock_wall_ms();
    /* A client may send 8-bit bytes without having said so; the next hop is to know. */
    e->body_8bit |= data_has_eight_bit(&s->data);
    buf_init(&body, BODY_MAX);
    envelope_pack(&body, e);
    if (buf_check(&body, "envelope", &err) == STATUS_OK)
        s->call = call_start(
            s->server->base, settings->seal_service, SUBMIT_MESSAGE, buf_span(&body), &s->data.fd, 1,
            (struct call_limits){.taken_ms = settings->limits.busy_ms, .total_ms = settings->limits.seal_ms},
            on_submitted, s, &err);
    buf_free(&body);
    if (s->call)
        return;
    session_log_error(s, LOG_LEVEL_ERROR, "seal-failed", &err);
    session_reply(s, REPLY_LATER);
    session_end_transaction(s);
}
