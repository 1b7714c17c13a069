/* The way of an exchange: started, stepped, aborted, late, answered. */
#include "gateway/auth/exchange.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/auth/account.h"

#define REPLY_MAX (1u << 20) /* SASL_SEND_AS_MAX addresses, and more */

/* ---- answers ---- */

static void drop(struct request *request)
{
    request_free(request);
    free(request);
}

/* A caller that gets no answer sees the pair close: 454. */
static void reply(struct auth_role *role, struct request *request, const struct sasl_result *result)
{
    struct error err;
    struct buf body;
    buf_init(&body, REPLY_MAX);
    sasl_result_pack(&body, result);
    if (buf_check(&body, "result of an authentication", &err) != STATUS_OK ||
        request_reply(request, SASL_RESULT, buf_span(&body), NULL, 0, &err) != STATUS_OK)
        log_error(role->settings->log, LOG_LEVEL_ERROR, "reply-failed", "result of an authentication", &err);
    buf_free(&body);
    drop(request);
}

/* For a request that belongs to no exchange. */
static void refuse(struct auth_role *role, struct request *request, enum sasl_verdict verdict,
                   const char *why)
{
    struct sasl_result result = {.verdict = verdict};
    snprintf(result.text, sizeof result.text, "%.*s", (int)sizeof result.text - 1, why);
    reply(role, request, &result);
}

static void refuse_damaged(struct auth_role *role, struct request *request, const struct error *err)
{
    log_error(role->settings->log, LOG_LEVEL_ERROR, "bad-request", "authentication", err);
    drop(request);
}

/* ---- life ---- */

/* Not in the table any more; its request is answered or dropped. */
static void exchange_free(struct exchange *x)
{
    if (x->call)
        call_cancel(x->call);
    if (x->timer)
        event_free(x->timer);
    mechanism_free(x->mechanism);
    sasl_start_free(&x->start);
    buf_free(&x->response);
    free(x);
}

static void answer(struct exchange *x, const struct sasl_result *result)
{
    struct request *request = x->request;
    x->request = NULL;
    x->role->in_hand--;
    reply(x->role, request, result);
}

void exchange_end(struct exchange *x, const struct sasl_result *result)
{
    struct auth_role *role = x->role;
    table_remove(&role->exchanges, &x->entry);
    if (x->request)
        answer(x, result);
    exchange_free(x);
    auth_check_end(role);
}

void exchange_end_with(struct exchange *x, enum sasl_verdict verdict, const char *why)
{
    struct sasl_result result = {.verdict = verdict};
    if (verdict == SASL_WRONG || verdict == SASL_BLOCKED)
        memcpy(result.user, mechanism_user(x->mechanism), sizeof result.user);
    snprintf(result.text, sizeof result.text, "%.*s", (int)sizeof result.text - 1, why ? why : "");
    exchange_end(x, &result);
}

enum sasl_verdict exchange_verdict(enum mechanism_step step)
{
    switch (step) {
    case STEP_WRONG:
        return SASL_WRONG;
    case STEP_MALFORMED:
        return SASL_MALFORMED;
    case STEP_NO_BINDING:
        return SASL_UNKNOWN;
    default:
        return SASL_LATER;
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct exchange *x = arg;
    if (x->request)
        verify_go_on(x);
    else
        exchange_end_with(x, SASL_LATER, NULL);
}

static void wait_for_client(struct exchange *x)
{
    int64_t left = x->until - clock_mono_ms();
    if (left < 1)
        left = 1;
    struct timeval tv = {.tv_sec = left / 1000, .tv_usec = (left % 1000) * 1000};
    event_add(x->timer, &tv);
}

static void take_step(struct exchange *x, enum mechanism_step step, struct buf *challenge)
{
    x->step = step;
    if (step == STEP_CHALLENGE) {
        struct sasl_result result = {.verdict = SASL_GO_ON, .exchange = x->entry.id, .challenge = *challenge};
        answer(x, &result);
        wait_for_client(x);
        auth_check_end(x->role);
    } else if (step == STEP_PASSWORD || step == STEP_PROVEN || step == STEP_WRONG) {
        verify_begin(x);
    } else {
        exchange_end_with(x, exchange_verdict(step), NULL);
    }
}

/* ---- what the mechanism asks ---- */

static bool scram_keys(void *arg, const char *user, struct scram_keys *keys_out, bool *known_out)
{
    struct exchange *x = arg;
    struct auth_role *role = x->role;
    struct error err = {0};
    enum status st = users_watch_refresh(&role->users, &err);
    /* Made for everybody: what a name costs must not tell whether it is there (A19). */
    if (st == STATUS_OK)
        st = fake_keys_make(&role->secret, &role->users.users, user, keys_out, &err);
    if (st != STATUS_OK) {
        log_error(role->settings->log, LOG_LEVEL_ERROR, "auth-unavailable", role->settings->users_path, &err);
        return false;
    }
    const struct user *found = users_find(&role->users.users, user);
    *known_out = found && found->has_scram;
    if (*known_out)
        *keys_out = found->scram;
    return true;
}

static void certificate_user(void *arg, const char *authzid, char user_out[SASL_USER_MAX])
{
    const struct exchange *x = arg;
    const char *subject = x->start.certificate_subject ? x->start.certificate_subject : "";
    struct tls_peer certificate = {0};
    memcpy(certificate.fingerprint, x->start.certificate_sha256, sizeof certificate.fingerprint);
    if (strlen(subject) < sizeof certificate.subject) /* a cut one could be another's */
        memcpy(certificate.subject, subject, strlen(subject) + 1);
    const char *user = account_by_certificate(x->role->settings, &certificate, authzid);
    if (user && strlen(user) < SASL_USER_MAX)
        memcpy(user_out, user, strlen(user) + 1);
}

/* ---- requests ---- */

static unsigned offered(const struct auth_role *role, const struct sasl_start *start)
{
    return sasl_mechanisms_offered(role->settings->mechanisms, start->has_exporter,
                                   start->certificate_sha256[0] != '\0');
}

/* Takes over what START owns, also when it fails. */
static enum status exchange_new(struct auth_role *role, struct sasl_start *start, struct exchange **x_out,
                                struct error *err)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (!x) {
        sasl_start_free(start);
        return error_set(err, STATUS_TEMPORARY, "out of memory for an authentication");
    }
    x->role = role;
    x->start = *start;
    x->kind = sasl_mechanism_find(start->mechanism);
    x->until = clock_mono_ms() + role->settings->exchange_ms;
    buf_init(&x->response, SASL_RESPONSE_MAX);
    table_client(x->start.client_address, x->entry.client);
    const struct mechanism_owner owner = {
        .scram_keys = scram_keys, .certificate_user = certificate_user, .arg = x};
    bool bound = offered(role, &x->start) & SASL_SCRAM_SHA_256_PLUS;
    enum status st =
        mechanism_start(role->library, x->kind, bound ? x->start.exporter : NULL, &owner, &x->mechanism, err);
    x->timer = event_new(role->base, -1, 0, on_timer, x);
    if (st == STATUS_OK && !x->timer)
        st = error_set(err, STATUS_TEMPORARY, "out of memory for an authentication");
    if (st == STATUS_OK)
        st = table_add(&role->exchanges, &x->entry, err);
    if (st == STATUS_OK)
        *x_out = x;
    else
        exchange_free(x);
    return st;
}

static void begin(struct auth_role *role, struct request *request, struct sasl_start *start)
{
    struct exchange *x = NULL;
    struct error err;
    struct buf challenge;
    if (exchange_new(role, start, &x, &err) != STATUS_OK) {
        log_error(role->settings->log, LOG_LEVEL_WARNING, "auth-unavailable", NULL, &err);
        refuse(role, request, SASL_LATER, err.text);
        return;
    }
    x->request = request;
    role->in_hand++;
    buf_init(&challenge, SASL_RESPONSE_MAX);
    struct buf *initial = x->start.has_initial ? &x->start.initial : NULL;
    enum mechanism_step step = mechanism_begin(x->mechanism, initial, &challenge);
    buf_reset(&x->start.initial);
    take_step(x, step, &challenge);
    buf_free(&challenge);
}

void exchange_on_start(struct auth_role *role, struct request *request)
{
    struct sasl_start start;
    struct error err;
    if (sasl_start_unpack(buf_span(&request->msg.body), &start, &err) != STATUS_OK) {
        refuse_damaged(role, request, &err);
    } else if (!(offered(role, &start) & sasl_mechanism_find(start.mechanism))) {
        sasl_start_free(&start);
        refuse(role, request, SASL_UNKNOWN, "");
    } else {
        begin(role, request, &start);
    }
}

static void step_on(struct exchange *x, struct sasl_step *step)
{
    struct buf challenge;
    event_del(x->timer);
    if (mechanism_next_proves(x->mechanism)) {
        x->step = STEP_MALFORMED; /* what an empty one is, which proves nothing */
        buf_append_span(&x->response, buf_span(&step->response));
        verify_begin(x);
        return;
    }
    buf_init(&challenge, SASL_RESPONSE_MAX);
    take_step(x, mechanism_step(x->mechanism, &step->response, &challenge), &challenge);
    buf_free(&challenge);
}

void exchange_on_step(struct auth_role *role, struct request *request)
{
    struct sasl_step step;
    struct error err;
    if (sasl_step_unpack(buf_span(&request->msg.body), &step, &err) != STATUS_OK) {
        refuse_damaged(role, request, &err);
        return;
    }
    struct exchange *x = (struct exchange *)table_find(&role->exchanges, step.exchange);
    if (x && !x->request) {
        x->request = request;
        role->in_hand++;
        step_on(x, &step);
    } else {
        refuse(role, request, SASL_LATER, "no such authentication: it took too long, or auth began anew");
    }
    sasl_step_free(&step);
}

void exchange_on_abort(struct auth_role *role, struct request *request)
{
    uint64_t id;
    struct error err;
    if (sasl_abort_unpack(buf_span(&request->msg.body), &id, &err) != STATUS_OK) {
        refuse_damaged(role, request, &err);
        return;
    }
    struct exchange *x = (struct exchange *)table_find(&role->exchanges, id);
    if (x && !x->request)
        exchange_end_with(x, SASL_LATER, NULL);
    drop(request);
}

void exchange_end_all(struct auth_role *role)
{
    struct table_entry *entry;
    while ((entry = table_any(&role->exchanges)) != NULL) {
        struct exchange *x = (struct exchange *)entry;
        table_remove(&role->exchanges, entry);
        if (x->request)
            drop(x->request);
        exchange_free(x);
    }
}
