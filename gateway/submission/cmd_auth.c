/* AUTH (RFC 4954): takes the credentials by SASL and asks the auth role about them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/policy/sender.h"
#include "gateway/submission/identity.h"
#include "gateway/submission/sasl.h"
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"
#include "gateway/wire/command.h"

#define BODY_MAX 4096

void cmd_auth_end(struct session *s, enum reply_id id)
{
    sasl_free(s->sasl);
    s->sasl = NULL;
    s->phase = SESSION_COMMAND;
    session_reply(s, id);
}

static void log_verdict(struct session *s, enum log_level level, const char *event, const char *user)
{
    struct log_line line;
    session_log(s, &line, level, event);
    log_str(&line, "login", user);
    log_str(&line, "mechanism", s->sasl_mechanism);
    log_end(&line);
}

static void fail(struct session *s, const char *user)
{
    s->auth_failures++;
    log_verdict(s, LOG_LEVEL_WARNING, "auth-failed", user);
    cmd_auth_end(s, REPLY_AUTH_WRONG);
}

static void succeed(struct session *s, const char *user)
{
    struct error err;
    char *own[] = {(char *)(uintptr_t)user};
    /* A name with a wildcard would be a pattern. */
    size_t n = sender_is_literal(user) ? 1 : 0;
    if (identity_log_in(s, user, own, n, &err) != STATUS_OK) {
        session_log_error(s, LOG_LEVEL_ERROR, "out-of-memory", &err);
        cmd_auth_end(s, REPLY_AUTH_LATER);
        return;
    }
    log_verdict(s, LOG_LEVEL_NOTICE, "authenticated", user);
    cmd_auth_end(s, REPLY_AUTHENTICATED);
}

static void on_checked(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    struct session *s = arg;
    struct auth_result result = {.verdict = AUTH_UNAVAILABLE};
    struct auth_check check;
    struct error err = why ? *why : (struct error){0};
    s->call = NULL;
    if (status == STATUS_OK && reply->type == AUTH_RESULT)
        status = auth_result_unpack(buf_span(&reply->body), &result, &err);
    sasl_credentials(s->sasl, &check);
    if (status == STATUS_OK && result.verdict == AUTH_OK && result.user[0]) {
        succeed(s, result.user);
    } else if (status == STATUS_OK && result.verdict == AUTH_WRONG) {
        fail(s, check.user);
    } else {
        session_log_error(s, LOG_LEVEL_ERROR, "auth-unavailable", &err);
        cmd_auth_end(s, REPLY_AUTH_LATER);
    }
    auth_check_wipe(&check);
    session_run(s);
}

static void ask(struct session *s)
{
    const struct submission_settings *settings = s->server->settings;
    struct call_limits limits = {.taken_ms = settings->limits.auth_ms, .total_ms = settings->limits.auth_ms};
    struct auth_check check;
    struct error err = {0};
    struct buf body;
    sasl_credentials(s->sasl, &check);
    snprintf(check.client_address, sizeof check.client_address, "%s", conn_peer(s->conn));
    buf_init(&body, BODY_MAX);
    auth_check_pack(&body, &check);
    auth_check_wipe(&check);
    if (buf_check(&body, "password check", &err) == STATUS_OK)
        s->call = call_start(s->server->base, settings->auth_service, AUTH_CHECK, buf_span(&body), NULL, 0,
                             limits, on_checked, s, &err);
    buf_free(&body);
    if (s->call)
        return;
    session_log_error(s, LOG_LEVEL_ERROR, "auth-unavailable", &err);
    cmd_auth_end(s, REPLY_AUTH_LATER);
}

static void go_on(struct session *s, enum sasl_result result, struct buf *challenge)
{
    switch (result) {
    case SASL_CHALLENGE:
        s->phase = SESSION_SASL;
        session_reply_text(s, REPLY_CHALLENGE, buf_str(challenge) ? buf_str(challenge) : "");
        break;
    case SASL_CREDENTIALS:
        ask(s);
        break;
    case SASL_MALFORMED:
        cmd_auth_end(s, REPLY_AUTH_MALFORMED);
        break;
    case SASL_REFUSED:
        fail(s, NULL);
        break;
    case SASL_FAILED:
        cmd_auth_end(s, REPLY_AUTH_LATER);
        break;
    }
    buf_free(challenge);
}

void cmd_auth_response(struct session *s, struct span response)
{
    struct buf challenge;
    buf_init(&challenge, BODY_MAX);
    if (span_is(response, "*")) /* RFC 4954 §4 */
        cmd_auth_end(s, REPLY_AUTH_CANCELLED);
    else
        go_on(s, sasl_step(s->sasl, response, &challenge), &challenge);
}

static void begin(struct session *s, struct span mechanism, const struct span *initial)
{
    struct error err = {0};
    struct buf challenge;
    enum status st = sasl_start(s->server->sasl_library, mechanism, &s->sasl, &err);
    if (st != STATUS_OK) {
        session_reply(s, st == STATUS_INVALID ? REPLY_AUTH_UNKNOWN_MECHANISM : REPLY_AUTH_LATER);
        return;
    }
    snprintf(s->sasl_mechanism, sizeof s->sasl_mechanism, "%.*s", (int)mechanism.len, mechanism.p);
    buf_init(&challenge, BODY_MAX);
    go_on(s, sasl_begin(s->sasl, initial, &challenge), &challenge);
}

void cmd_auth(struct session *s, struct span args)
{
    struct span mechanism = command_word(&args);
    struct span initial = command_word(&args);
    if (!s->esmtp)
        session_reply(s, REPLY_HELLO_NEEDED);
    else if (s->user)
        session_reply(s, REPLY_AUTH_ALREADY);
    else if (mechanism.len == 0 || command_word(&args).len > 0)
        session_reply_text(s, REPLY_BAD_ARGUMENTS, "AUTH PLAIN or AUTH LOGIN");
    else
        begin(s, mechanism, initial.len > 0 ? &initial : NULL);
}
