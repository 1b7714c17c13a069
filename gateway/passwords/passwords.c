#include "gateway/passwords/passwords.h"

#include <stdarg.h>
#include <stdio.h>

#include "gateway/users/users.h"

void backend_unavailable(struct password_result *result, const char *format, ...)
{
    va_list ap;
    password_result_free(result);
    result->verdict = PASSWORD_UNAVAILABLE;
    va_start(ap, format);
    vsnprintf(result->why, sizeof result->why, format, ap);
    va_end(ap);
}

/*
 * What no backend gets to see: a name that nobody can have (A21: control characters, NUL, no UTF-8), and an
 * empty password, with which an LDAP bind succeeds for anybody (RFC 4513 §5.1.2).
 */
static bool can_be_right(const struct password_check *check)
{
    return user_name_is_valid(check->user) && *check->password;
}

static void check_password(const struct passwords_settings *settings, const struct password_check *check,
                           struct password_result *result)
{
    *result = (struct password_result){0};
    if (can_be_right(check))
        settings->backend->check(settings->backend->state, check, result);
    else
        result->verdict = PASSWORD_WRONG;
    /* A name that nobody could log in with is none that others may have to deal with. */
    if (result->verdict == PASSWORD_OK && !user_name_is_valid(result->user))
        backend_unavailable(result, "the backend gave the user a name that is no user name");
    if (result->verdict != PASSWORD_UNAVAILABLE)
        return;
    struct log_line line;
    log_start(&line, settings->log, LOG_LEVEL_ERROR, "passwords-unavailable");
    log_str(&line, "user", check->user);
    log_str(&line, "error", result->why);
    log_end(&line);
}

static void job(void *arg, struct request *request)
{
    const struct passwords_settings *settings = arg;
    struct password_check check;
    struct password_result result;
    struct error err = {0};
    struct buf body;
    if (request->msg.type != PASSWORD_CHECK ||
        password_check_unpack(buf_span(&request->msg.body), &check, &err) != STATUS_OK) {
        log_error(settings->log, LOG_LEVEL_ERROR, "bad-request", "password check", &err);
        return; /* the caller sees the reply pair close: 454 */
    }
    check_password(settings, &check, &result);
    password_check_wipe(&check);
    buf_init(&body, 1u << 19); /* PASSWORD_ADDRESSES_MAX addresses of at most 320 bytes */
    password_result_pack(&body, &result);
    if (buf_check(&body, "password verdict", &err) != STATUS_OK ||
        request_reply(request, PASSWORD_RESULT, buf_span(&body), NULL, 0, &err) != STATUS_OK)
        log_error(settings->log, LOG_LEVEL_ERROR, "reply-failed", "password verdict", &err);
    buf_free(&body);
    password_result_free(&result);
}

int passwords_run(const struct passwords_settings *settings)
{
    struct passwords_settings mine = *settings;
    int code = worker_run(&settings->worker, job, &mine);
    settings->backend->close(settings->backend->state);
    return code;
}
