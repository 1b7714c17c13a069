#include "gateway/auth/auth.h"

#include <stdio.h>
#include <sysexits.h>

#include "gateway/jobs/auth_job.h"
#include "gateway/users/password.h"
#include "gateway/users/users_watch.h"

struct table {
    const struct auth_settings *settings;
    struct users_watch watch;
};

static void check(struct table *table, const struct auth_check *check, struct auth_result *result)
{
    const struct user *user;
    struct error err = {0};
    *result = (struct auth_result){.verdict = AUTH_UNAVAILABLE};
    if (users_watch_refresh(&table->watch, &err) != STATUS_OK) {
        log_error(table->settings->log, LOG_LEVEL_ERROR, "users-unreadable", table->settings->users_path,
                  &err);
        return;
    }
    enum status st = users_check(&table->watch.users, check->user, check->password, &user, &err);
    if (st == STATUS_OK) {
        result->verdict = AUTH_OK;
        snprintf(result->user, sizeof result->user, "%s", user->name);
    } else if (st == STATUS_DENIED) {
        result->verdict = AUTH_WRONG;
    } else {
        log_error(table->settings->log, LOG_LEVEL_ERROR, "auth-failed", "password check", &err);
    }
}

static void job(void *arg, struct request *request)
{
    struct table *table = arg;
    struct auth_check asked;
    struct auth_result result;
    struct error err = {0};
    struct buf body;
    if (request->msg.type != AUTH_CHECK ||
        auth_check_unpack(buf_span(&request->msg.body), &asked, &err) != STATUS_OK) {
        log_error(table->settings->log, LOG_LEVEL_ERROR, "bad-request", "password check", &err);
        return; /* the caller sees the reply pair close: 454 */
    }
    check(table, &asked, &result);
    auth_check_wipe(&asked);
    buf_init(&body, 4096);
    auth_result_pack(&body, &result);
    if (buf_check(&body, "password verdict", &err) != STATUS_OK ||
        request_reply(request, AUTH_RESULT, buf_span(&body), NULL, 0, &err) != STATUS_OK)
        log_error(table->settings->log, LOG_LEVEL_ERROR, "reply-failed", "password verdict", &err);
    buf_free(&body);
}

int auth_run(const struct auth_settings *settings)
{
    struct table table = {.settings = settings};
    struct error err = {0};
    if (users_watch_open(settings->users_path, &table.watch, &err) != STATUS_OK) {
        log_error(settings->log, LOG_LEVEL_ERROR, "cannot-start", settings->users_path, &err);
        return EX_CONFIG;
    }
    int code = worker_run(&settings->worker, job, &table);
    users_watch_close(&table.watch);
    return code;
}
