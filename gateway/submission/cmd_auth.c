/* AUTH (RFC 4954): carries a SASL exchange between the client and the auth role, which alone understands it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/submission/auth_call.h"
#include "gateway/submission/identity.h"
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"
#include "gateway/wire/base64.h"
#include "gateway/wire/command.h"

#define ENCODED_MAX 12288 /* RFC 4954 §4: what a line may have */
#define TEXT_MAX 200

void cmd_auth_end(struct session *s, enum reply_id id)
{
    cmd_auth_end_text(s, id, reply_entry(id)->text);
}

void cmd_auth_end_text(struct session *s, enum reply_id id, const char *text)
{
    auth_call_forget(s);
    s->phase = SESSION_COMMAND;
    session_reply_text(s, id, text);
}

/* ---- what auth said ---- */

static void log_verdict(struct session *s, enum log_level level, const char *event, const char *user)
{
    struct log_line line;
    session_log(s, &line, level, event);
    log_str(&line, "login", user[0] ? user : NULL);
    log_str(&line, "mechanism", sasl_mechanism_name(s->mechanism));
    log_end(&line);
}

static void fail(struct session *s, const char *user)
{
    s->auth_failures++;
    log_verdict(s, LOG_LEVEL_WARNING, "auth-failed", user);
    if (s->mechanism == SASL_EXTERNAL)
        cmd_auth_end_text(s, REPLY_AUTH_WRONG, "The client certificate belongs to no user here");
    else
        cmd_auth_end(s, REPLY_AUTH_WRONG);
}

static void succeed(struct session *s, struct sasl_result *result)
{
    enum reply_id why;
    if (identity_take_user(s, result, &why)) {
        log_verdict(s, LOG_LEVEL_NOTICE, "authenticated", s->user);
        cmd_auth_end(s, REPLY_AUTHENTICATED);
    } else {
        log_verdict(s, LOG_LEVEL_WARNING, "login-not-taken", result->user);
        cmd_auth_end(s, why);
    }
}

static void challenge(struct session *s, const struct buf *bytes)
{
    struct buf encoded;
    buf_init(&encoded, ENCODED_MAX);
    base64_encode(buf_span(bytes), &encoded);
    const char *text = buf_str(&encoded);
    if (text) {
        s->phase = SESSION_SASL;
        session_challenge(s, text);
    } else {
        cmd_auth_end(s, REPLY_AUTH_LATER);
    }
    buf_free(&encoded);
}

/* Additional data goes out as a challenge; the client takes note of it by an empty line (RFC 4954 §4). */
static void grant(struct session *s, struct sasl_result *result)
{
    if (result->challenge.len == 0) {
        succeed(s, result);
        return;
    }
    s->granted = malloc(sizeof *s->granted);
    if (!s->granted) {
        cmd_auth_end(s, REPLY_AUTH_LATER);
        return;
    }
    *s->granted = *result;
    *result = (struct sasl_result){0};
    challenge(s, &s->granted->challenge);
}

static void refuse_mechanism(struct session *s)
{
    char list[SASL_LIST_SIZE], text[TEXT_MAX];
    sasl_mechanisms_list(auth_call_offered(s), list);
    snprintf(text, sizeof text, "This authentication mechanism is not possible here: use one of %s", list);
    cmd_auth_end_text(s, REPLY_AUTH_UNKNOWN_MECHANISM, text);
}

void cmd_auth_result(struct session *s, struct sasl_result *result)
{
    switch (result->verdict) {
    case SASL_GO_ON:
        challenge(s, &result->challenge);
        break;
    case SASL_OK:
        grant(s, result);
        break;
    case SASL_WRONG:
        fail(s, result->user);
        break;
    case SASL_MALFORMED:
        cmd_auth_end(s, REPLY_AUTH_MALFORMED);
        break;
    case SASL_UNKNOWN:
        refuse_mechanism(s);
        break;
    case SASL_BLOCKED:
        log_verdict(s, LOG_LEVEL_WARNING, "auth-blocked", result->user);
        cmd_auth_end_text(s, REPLY_AUTH_LATER, result->text);
        break;
    case SASL_LATER:
        cmd_auth_end(s, REPLY_AUTH_LATER);
        break;
    }
}

/* ---- what the client said ---- */

static void end_granted(struct session *s, struct span response)
{
    struct sasl_result *granted = s->granted;
    s->granted = NULL;
    if (response.len == 0)
        succeed(s, granted);
    else
        cmd_auth_end(s, REPLY_AUTH_MALFORMED);
    sasl_result_free(granted);
    free(granted);
}

void cmd_auth_response(struct session *s, struct span response)
{
    struct buf decoded;
    if (span_is(response, "*")) { /* RFC 4954 §4 */
        cmd_auth_end(s, REPLY_AUTH_CANCELLED);
        return;
    }
    if (s->granted) {
        end_granted(s, response);
        return;
    }
    buf_init(&decoded, SASL_RESPONSE_MAX);
    if (base64_decode(response, &decoded) && !decoded.failed)
        auth_call_step(s, &decoded);
    else
        cmd_auth_end(s, REPLY_AUTH_MALFORMED);
    buf_free(&decoded);
}

static void begin(struct session *s, struct span initial)
{
    struct buf decoded;
    buf_init(&decoded, SASL_RESPONSE_MAX);
    /* "=" is a response of no bytes (RFC 4954 §4). */
    bool good = span_is(initial, "=") || base64_decode(initial, &decoded);
    if (good && !decoded.failed)
        auth_call_start(s, initial.len > 0 ? &decoded : NULL);
    else
        cmd_auth_end(s, REPLY_AUTH_MALFORMED);
    buf_free(&decoded);
}

/* RFC 4954 §6: 534 for a mechanism that we know but find too weak, 504 for one that is not there. */
static bool choose(struct session *s, struct span word)
{
    char name[32];
    unsigned offered = auth_call_offered(s);
    snprintf(name, sizeof name, "%.*s", (int)word.len, word.p);
    s->mechanism = word.len < sizeof name ? sasl_mechanism_find(name) : SASL_NO_MECHANISM;
    if (offered & s->mechanism)
        return true;
    if (s->mechanism == SASL_PLAIN || s->mechanism == SASL_LOGIN) {
        char list[SASL_LIST_SIZE], text[TEXT_MAX];
        sasl_mechanisms_list(offered, list);
        snprintf(text, sizeof text, "This authentication mechanism is too weak here: use one of %s", list);
        session_reply_text(s, REPLY_AUTH_TOO_WEAK, text);
    } else {
        refuse_mechanism(s);
    }
    return false;
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
        session_reply_text(s, REPLY_BAD_ARGUMENTS, "AUTH and a mechanism, with or without a response");
    else if (choose(s, mechanism))
        begin(s, initial);
}
