/* The users file as a backend: one hash per check, whoever asks (A19). */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/passwords/backend.h"
#include "gateway/users/password.h"
#include "gateway/users/users_watch.h"

struct users_backend {
    struct users_watch watch;
    struct remembered remembered;
};

static void check(void *state, const struct password_check *check, struct password_result *result)
{
    struct users_backend *users = state;
    const struct user *user;
    struct error err = {0};
    enum status st = users_watch_refresh(&users->watch, &err);
    if (st == STATUS_OK)
        st = users_check(&users->watch.users, check->user, check->password, &users->remembered, &user, &err);
    else if (st == STATUS_DENIED)
        st = STATUS_TEMPORARY; /* of the file's rights, not of the password */
    if (st == STATUS_OK) {
        result->verdict = PASSWORD_OK;
        snprintf(result->user, sizeof result->user, "%s", user->name);
    } else if (st == STATUS_DENIED) {
        result->verdict = PASSWORD_WRONG;
    } else {
        backend_unavailable(result, "%s", err.text);
    }
}

static void close_users(void *state)
{
    struct users_backend *users = state;
    users_watch_close(&users->watch);
    remembered_wipe(&users->remembered);
    free(users);
}

enum status backend_users_open(const char *path, int64_t remember_ms, struct backend *backend_out,
                               struct error *err)
{
    struct users_backend *users = calloc(1, sizeof *users);
    if (!users)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the users file");
    enum status st = users_watch_open(path, &users->watch, err);
    if (st == STATUS_OK)
        st = remembered_init(&users->remembered, remember_ms, err);
    *backend_out = (struct backend){.state = users, .check = check, .close = close_users};
    if (st != STATUS_OK)
        close_users(users);
    return st;
}
