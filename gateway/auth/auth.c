#include "gateway/auth/auth.h"

#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "gateway/auth/users.h"
#include "gateway/jobs/auth_job.h"

/* What tells one version of the file from another. */
struct version {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed, modified;
};

struct table {
    const struct auth_settings *settings;
    struct users users;
    struct version version;
    bool loaded; /* false: nobody can be checked until it loads */
};

static bool look(const char *path, struct version *version_out)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return false;
    *version_out = (struct version){.dev = st.st_dev,
                                    .ino = st.st_ino,
                                    .size = st.st_size,
                                    .changed = st.st_ctim,
                                    .modified = st.st_mtim};
    return true;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_version(const struct version *a, const struct version *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && same_time(a->changed, b->changed) &&
           same_time(a->modified, b->modified);
}

/* Looked at before it is read: a change in between is found the next time. */
static enum status load(struct table *table, struct error *err)
{
    users_free(&table->users);
    table->version = (struct version){0};
    bool seen = look(table->settings->users_path, &table->version);
    enum status st = users_load(table->settings->users_path, &table->users, err);
    table->loaded = seen && st == STATUS_OK;
    return st;
}

/* A table that cannot be read any more is not used any more: a removed user must not get in (fail closed). */
static bool refresh(struct table *table)
{
    struct version now;
    if (table->loaded && look(table->settings->users_path, &now) && same_version(&now, &table->version))
        return true;
    struct error err = {0};
    if (load(table, &err) != STATUS_OK)
        log_error(table->settings->log, LOG_LEVEL_ERROR, "users-unreadable", table->settings->users_path,
                  &err);
    return table->loaded;
}

static void check(struct table *table, const struct auth_check *check, struct auth_result *result)
{
    struct error err = {0};
    *result = (struct auth_result){.verdict = AUTH_UNAVAILABLE};
    if (!refresh(table))
        return;
    enum status st = users_check(&table->users, check->user, check->password, &err);
    if (st == STATUS_OK) {
        result->verdict = AUTH_OK;
        memcpy(result->user, check->user, sizeof result->user);
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
    if (load(&table, &err) != STATUS_OK) {
        log_error(settings->log, LOG_LEVEL_ERROR, "cannot-start", settings->users_path, &err);
        return EX_CONFIG;
    }
    int code = worker_run(&settings->worker, job, &table);
    users_free(&table.users);
    return code;
}
