/* The last step of an exchange: held back where somebody guesses (A20), checked, and what follows from it. */
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/auth/account.h"
#include "gateway/auth/exchange.h"
#include "gateway/jobs/password_job.h"
#include "gateway/users/users.h"

#define CHECK_MAX 4096

/* The guard counts a name by what was claimed; "" is none. */
static const char *claimed(const struct exchange *x)
{
    const char *user = mechanism_user(x->mechanism);
    return *user ? user : NULL;
}

typedef void guard_verdict_fn(struct guard *guard, const char *address, const char *user, int64_t now);

/* Ends the attempt, if there is one, by the guard's function for what came of it. */
static void tell_guard(struct exchange *x, guard_verdict_fn *verdict)
{
    if (x->attempt)
        verdict(x->role->guard, x->start.client_address, claimed(x), clock_wall_ms());
    x->attempt = false;
}

static void wrong(struct exchange *x)
{
    /* One without a name is no attempt at a user, but counts for the address. */
    if (!claimed(x))
        guard_login_failed(x->role->guard, x->start.client_address, NULL, clock_wall_ms());
    tell_guard(x, guard_login_failed);
    exchange_end_with(x, SASL_WRONG, NULL);
}

static void unavailable(struct exchange *x, const char *why)
{
    struct log_line line;
    log_start(&line, x->role->settings->log, LOG_LEVEL_ERROR, "auth-unavailable");
    log_str(&line, "client", x->start.client_address);
    log_str(&line, "user", claimed(x));
    log_str(&line, "error", why);
    log_end(&line);
    tell_guard(x, guard_login_undecided);
    exchange_end_with(x, SASL_LATER, why);
}

static void right(struct exchange *x, const char *user, char *const *addresses, size_t n_addresses,
                  const struct buf *additional)
{
    struct sasl_result result = {.verdict = SASL_OK};
    struct error err;
    /* Whoever names the user: "client:x" would pass for a relay client in the audit trail. */
    if (!user_name_is_valid(user)) {
        unavailable(x, "the user has a name that is no user name");
        return;
    }
    memcpy(result.user, user, strnlen(user, sizeof result.user - 1));
    if (additional) {
        buf_init(&result.challenge, SASL_RESPONSE_MAX);
        buf_append_span(&result.challenge, buf_span(additional));
    }
    enum status st = account_send_as(x->role->settings, result.user, addresses, n_addresses, &result, &err);
    if (st == STATUS_OK)
        st = buf_check(&result.challenge, "additional data of an authentication", &err);
    if (st == STATUS_OK) {
        tell_guard(x, guard_login_succeeded);
        exchange_end(x, &result);
    } else {
        unavailable(x, err.text);
    }
    sasl_result_free(&result);
}

/* The response that should have proved something was none. */
static void undecided(struct exchange *x)
{
    tell_guard(x, guard_login_undecided);
    exchange_end_with(x, exchange_verdict(x->step), NULL);
}

/* ---- passwords ---- */

static void on_checked(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    struct exchange *x = arg;
    struct password_result result = {.verdict = PASSWORD_UNAVAILABLE};
    struct error err = why ? *why : (struct error){0};
    x->call = NULL;
    if (status == STATUS_OK && reply->type != PASSWORD_RESULT)
        status = error_set(&err, STATUS_INTERNAL, "a reply of type %u", (unsigned)reply->type);
    if (status == STATUS_OK)
        status = password_result_unpack(buf_span(&reply->body), &result, &err);
    if (status == STATUS_OK && result.verdict == PASSWORD_OK && result.user[0])
        right(x, result.user, result.addresses, result.n_addresses, NULL);
    else if (status == STATUS_OK && result.verdict == PASSWORD_WRONG)
        wrong(x);
    else
        unavailable(x, status == STATUS_OK ? result.why : err.text);
    password_result_free(&result);
}

static void ask_password(struct exchange *x)
{
    const struct auth_settings *settings = x->role->settings;
    struct call_limits limits = {.taken_ms = settings->password_taken_ms,
                                 .total_ms = settings->password_total_ms};
    struct password_check check = {0};
    struct error err;
    struct buf body;
    snprintf(check.user, sizeof check.user, "%s", mechanism_user(x->mechanism));
    snprintf(check.password, sizeof check.password, "%s", mechanism_password(x->mechanism));
    snprintf(check.client_address, sizeof check.client_address, "%s", x->start.client_address);
    buf_init(&body, CHECK_MAX);
    password_check_pack(&body, &check);
    password_check_wipe(&check);
    if (buf_check(&body, "password check", &err) == STATUS_OK)
        x->call = call_start(x->role->base, settings->passwords_service, PASSWORD_CHECK, buf_span(&body),
                             NULL, 0, limits, on_checked, x, &err);
    buf_free(&body);
    if (!x->call)
        unavailable(x, err.text);
}

/* ---- in order ---- */

void verify_begin(struct exchange *x)
{
    int64_t delay_ms = 0;
    char text[200];
    const char *user = claimed(x);
    if (guard_may_login(x->role->guard, x->start.client_address, user, clock_wall_ms(), &delay_ms, text) ==
        GUARD_STOP) {
        exchange_end_with(x, SASL_BLOCKED, text);
        return;
    }
    x->attempt = user != NULL;
    if (delay_ms <= 0) {
        verify_go_on(x);
        return;
    }
    struct timeval tv = {.tv_sec = delay_ms / 1000, .tv_usec = (delay_ms % 1000) * 1000};
    event_add(x->timer, &tv);
}

void verify_go_on(struct exchange *x)
{
    struct buf additional;
    buf_init(&additional, SASL_RESPONSE_MAX);
    if (x->response.len > 0)
        x->step = mechanism_step(x->mechanism, &x->response, &additional);
    if (x->step == STEP_PASSWORD)
        ask_password(x);
    else if (x->step == STEP_PROVEN)
        right(x, mechanism_user(x->mechanism), NULL, 0, &additional);
    else if (x->step == STEP_WRONG)
        wrong(x);
    else
        undecided(x);
    buf_free(&additional);
}
