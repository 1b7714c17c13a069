/* A folder of its own for each test, with a users file in it. */
#ifndef SEALGATE_TESTS_AUTH_FIXTURE_H
#define SEALGATE_TESTS_AUTH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/users/password.h"

struct folder {
    char dir[200];
    char users[300];
};

static inline int folder_make(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    const char *base = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%s/auth-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->users, sizeof f->users, "%s/users", f->dir);
    *state = f;
    return 0;
}

static inline int folder_remove(void **state)
{
    struct folder *f = *state;
    unlink(f->users);
    int rc = rmdir(f->dir); /* fails when something was left behind */
    free(f);
    return rc;
}

static inline void write_users(const struct folder *f, const void *bytes, size_t len, mode_t mode)
{
    unlink(f->users);
    FILE *file = fopen(f->users, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(f->users, mode), 0);
}

static inline struct user user_with(const char *name, const char *password)
{
    struct user user = {.name = strdup(name)};
    struct error err = {0};
    assert_int_equal(user_set_password(&user, password, &err), STATUS_OK);
    return user;
}

static inline void add_user(const struct folder *f, const char *name, const char *password)
{
    struct error err = {0};
    struct user user = user_with(name, password);
    assert_int_equal(users_change(f->users, USER_ADD, &user, &err), STATUS_OK);
    user_wipe(&user);
}

#endif
