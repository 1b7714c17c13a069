#include "gateway/submission/allowance.h"

#include "gateway/submission/identity.h"
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

#define BODY_MAX 4096

static void refuse(struct session *s, enum reply_id id, const char *text)
{
    const struct allowance *allowance = s->allowance;
    s->allowance = NULL;
    if (text)
        session_reply_text(s, id, text);
    else
        session_reply(s, id);
    allowance->refused(s);
}

static void cannot_ask(struct session *s, enum status status, const struct error *err)
{
    session_log_error(s, LOG_LEVEL_ERROR, "rate-unknown", err);
    refuse(s, reply_for_call(status), NULL);
}

static void on_answered(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    struct session *s = arg;
    struct allow_result result;
    struct error err = why ? *why : (struct error){0};
    s->call = NULL;
    s->verb = verb_find(span_str(s->allowance->verb));
    if (status == STATUS_OK && reply->type != ALLOW_RESULT)
        status = error_set(&err, STATUS_INTERNAL, "a reply of type %u", (unsigned)reply->type);
    if (status == STATUS_OK)
        status = allow_result_unpack(buf_span(&reply->body), &result, &err);
    if (status != STATUS_OK) {
        cannot_ask(s, status, &err);
    } else if (!result.allowed) {
        refuse(s, REPLY_OVER_RATE, result.text);
    } else {
        const struct allowance *allowance = s->allowance;
        s->allowance = NULL;
        allowance->allowed(s);
    }
    s->verb = NULL;
    session_run(s);
}

/* Without a rate that could apply, nobody is asked. */
static bool is_limited(const struct session *s, enum allow_what what)
{
    const struct submission_rates *rates = &s->server->settings->limits.rates;
    if (s->user)
        return what == ALLOW_MESSAGE ? rates->user_messages : rates->user_recipients;
    return what == ALLOW_MESSAGE ? rates->client_messages : rates->client_recipients;
}

static void ask(struct session *s)
{
    const struct submission_settings *settings = s->server->settings;
    struct call_limits limits = {.taken_ms = settings->limits.auth_ms,
                                 .total_ms = settings->limits.auth_total_ms};
    /* Borrowed strings: packed, not freed. */
    struct allow_ask ask = {.what = s->allowance->what,
                            .user = s->user,
                            .client = (char *)(uintptr_t)identity_client(s),
                            .client_address = (char *)(uintptr_t)conn_peer(s->conn)};
    struct error err = {0};
    struct buf body;
    buf_init(&body, BODY_MAX);
    allow_ask_pack(&body, &ask);
    if (buf_check(&body, "question about a rate", &err) == STATUS_OK)
        s->call = call_start(s->server->base, settings->auth_service, ALLOW_ASK, buf_span(&body), NULL, 0,
                             limits, on_answered, s, &err);
    buf_free(&body);
    if (!s->call)
        cannot_ask(s, err.status, &err);
}

void allowance_ask(struct session *s, const struct allowance *allowance)
{
    if (!is_limited(s, allowance->what)) {
        allowance->allowed(s);
        return;
    }
    s->allowance = allowance;
    ask(s);
}
