/* The users file as a backend: one hash per check, whoever asks (A19). */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/passwords/backend.h"
#include "gateway/users/password.h"
#include "gateway/users/users_watch.h"

static void check(void *state, const struct password_check *check, struct password_result *result)
{
    struct users_watch *watch = state;
    const struct user *user;
    struct error err = {0};
    enum status st = users_watch_refresh(watch, &err);
    if (st == STATUS_OK)
        st = users_check(&watch->users, check->user, check->password, &user, &err);
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
    users_watch_close(state);
    free(state);
}

enum status backend_users_open(const char *path, struct backend *backend_out, struct error *err)
{
    struct users_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the users file");
    enum status st = users_watch_open(path, watch, err);
    *backend_out = (struct backend){.state = watch, .check = check, .close = close_users};
    if (st != STATUS_OK)
        close_users(watch);
    return st;
}
