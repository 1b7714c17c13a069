#include "gateway/submission/auth_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/net/tls_peer.h"
#include "gateway/submission/verbs.h"

#define BODY_MAX 16384 /* SASL_RESPONSE_MAX, and what names the connection */
#define ABORT_TAKEN_MS 2000

unsigned auth_call_offered(const struct session *s)
{
    unsigned char exporter[CONN_EXPORTER_SIZE];
    struct tls_peer peer;
    bool has_exporter = conn_tls_exporter(s->conn, exporter);
    explicit_bzero(exporter, sizeof exporter);
    return sasl_mechanisms_offered(s->server->settings->mechanisms, has_exporter,
                                   tls_peer_get(s->conn, &peer));
}

static void on_answered(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    struct session *s = arg;
    struct sasl_result result = {.verdict = SASL_LATER};
    struct error err = why ? *why : (struct error){0};
    s->call = NULL;
    if (status == STATUS_OK && reply->type != SASL_RESULT)
        status = error_set(&err, STATUS_INTERNAL, "a reply of type %u", (unsigned)reply->type);
    if (status == STATUS_OK)
        status = sasl_result_unpack(buf_span(&reply->body), &result, &err);
    if (status != STATUS_OK)
        session_log_error(s, LOG_LEVEL_ERROR, "auth-unavailable", &err);
    s->exchange = result.verdict == SASL_GO_ON ? result.exchange : 0;
    cmd_auth_result(s, &result);
    sasl_result_free(&result);
    session_run(s);
}

/* Takes over BODY. */
static void ask(struct session *s, uint32_t type, struct buf *body)
{
    const struct submission_settings *settings = s->server->settings;
    struct call_limits limits = {.taken_ms = settings->limits.auth_ms,
                                 .total_ms = settings->limits.auth_total_ms};
    struct sasl_result later = {.verdict = SASL_LATER};
    struct error err = {0};
    if (buf_check(body, "authentication", &err) == STATUS_OK)
        s->call = call_start(s->server->base, settings->auth_service, type, buf_span(body), NULL, 0, limits,
                             on_answered, s, &err);
    buf_free(body);
    if (s->call)
        return;
    session_log_error(s, LOG_LEVEL_ERROR, "auth-unavailable", &err);
    cmd_auth_result(s, &later);
}

void auth_call_start(struct session *s, const struct buf *initial)
{
    struct tls_peer peer;
    struct buf body;
    tls_peer_get(s->conn, &peer);
    /* Borrowed strings: packed, not freed. */
    struct sasl_start start = {.client_address = (char *)(uintptr_t)conn_peer(s->conn),
                               .listener = (char *)(uintptr_t)s->listener->name,
                               .certificate_subject = peer.subject[0] ? peer.subject : NULL,
                               .has_initial = initial != NULL};
    if (initial)
        start.initial = *initial;
    memcpy(start.certificate_sha256, peer.fingerprint, sizeof start.certificate_sha256);
    snprintf(start.mechanism, sizeof start.mechanism, "%s", sasl_mechanism_name(s->mechanism));
    start.has_exporter = conn_tls_exporter(s->conn, start.exporter);
    buf_init(&body, BODY_MAX);
    sasl_start_pack(&body, &start);
    explicit_bzero(start.exporter, sizeof start.exporter);
    ask(s, SASL_START, &body);
}

void auth_call_step(struct session *s, const struct buf *response)
{
    struct sasl_step step = {.exchange = s->exchange, .response = *response};
    struct buf body;
    buf_init(&body, BODY_MAX);
    sasl_step_pack(&body, &step);
    ask(s, SASL_STEP, &body);
}

/* Whether it arrived does not matter: auth forgets an exchange that goes on no more. */
static void on_aborted(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    (void)arg, (void)status, (void)reply, (void)why;
}

void auth_call_forget(struct session *s)
{
    struct call_limits limits = {.taken_ms = ABORT_TAKEN_MS, .total_ms = ABORT_TAKEN_MS};
    struct error err;
    struct buf body;
    if (s->exchange) {
        buf_init(&body, BODY_MAX);
        sasl_abort_pack(&body, s->exchange);
        if (!body.failed)
            (void)call_start(s->server->base, s->server->settings->auth_service, SASL_ABORT, buf_span(&body),
                             NULL, 0, limits, on_aborted, NULL, &err);
        buf_free(&body);
    }
    if (s->granted)
        sasl_result_free(s->granted);
    free(s->granted);
    s->granted = NULL;
    s->exchange = 0;
}
