/* What submission asks of the guard, and tells it. */
#include "gateway/auth/role.h"

#include <stdlib.h>

#include "base/clock.h"
#include "gateway/jobs/allow_job.h"

#define REPLY_MAX 1024

static void end(struct request *request)
{
    request_free(request);
    free(request);
}

static void log_bad(struct auth_role *role, const char *what, const struct error *err)
{
    log_error(role->settings->log, LOG_LEVEL_ERROR, "bad-request", what, err);
}

static void log_refusal(const struct auth_role *role, const struct allow_ask *ask, const char *text)
{
    struct log_line line;
    log_start(&line, role->settings->log, LOG_LEVEL_NOTICE, "over-rate");
    log_str(&line, "user", ask->user);
    log_str(&line, "relay", ask->client);
    log_str(&line, "client", ask->client_address);
    log_str(&line, "text", text);
    log_end(&line);
}

/* A caller that gets no answer sees the pair close: 451, for nothing passes uncounted. */
static void answer(struct auth_role *role, struct request *request, const struct allow_result *result)
{
    struct buf body;
    struct error err;
    buf_init(&body, REPLY_MAX);
    allow_result_pack(&body, result);
    if (buf_check(&body, "answer whether mail may be sent", &err) != STATUS_OK ||
        request_reply(request, ALLOW_RESULT, buf_span(&body), NULL, 0, &err) != STATUS_OK)
        log_error(role->settings->log, LOG_LEVEL_ERROR, "reply-failed", "whether mail may be sent", &err);
    buf_free(&body);
}

void counting_on_ask(struct auth_role *role, struct request *request)
{
    struct allow_ask ask;
    struct allow_result result = {0};
    struct error err;
    if (allow_ask_unpack(buf_span(&request->msg.body), &ask, &err) != STATUS_OK) {
        log_bad(role, "whether mail may be sent", &err);
    } else {
        result.allowed = guard_may_send(role->guard, ask.what == ALLOW_RECIPIENT, ask.user, ask.client,
                                        ask.client_address, clock_wall_ms(), result.text);
        if (!result.allowed)
            log_refusal(role, &ask, result.text);
        answer(role, request, &result);
        allow_ask_free(&ask);
    }
    end(request);
}

void counting_on_clear(struct auth_role *role, struct request *request)
{
    struct clear_tried tried;
    struct error err;
    if (clear_tried_unpack(buf_span(&request->msg.body), &tried, &err) == STATUS_OK) {
        guard_tried_in_clear(role->guard, tried.client_address, tried.verb, tried.helo, clock_wall_ms());
        clear_tried_free(&tried);
    } else {
        log_bad(role, "a try without TLS", &err);
    }
    end(request);
}
