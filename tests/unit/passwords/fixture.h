/* What the tests of backends have in common. */
#ifndef SEALGATE_TESTS_PASSWORDS_FIXTURE_H
#define SEALGATE_TESTS_PASSWORDS_FIXTURE_H

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

#include "gateway/passwords/backend.h"

struct folder {
    char dir[200];
    char path[300]; /* of the one file or socket in it */
};

static inline int folder_make(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    const char *base = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%s/pw-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(f->path, sizeof f->path, "%s/file", f->dir);
    *state = f;
    return 0;
}

static inline int folder_remove(void **state)
{
    struct folder *f = *state;
    unlink(f->path);
    int rc = rmdir(f->dir); /* fails when something was left behind */
    free(f);
    return rc;
}

static inline struct password_check question(const char *user, const char *password)
{
    struct password_check check = {.client_address = "192.0.2.1"};
    snprintf(check.user, sizeof check.user, "%s", user);
    snprintf(check.password, sizeof check.password, "%s", password);
    return check;
}

/* Asks the backend, says what came of it. Free RESULT with password_result_free. */
static inline enum password_verdict ask_backend(const struct backend *backend, const char *user,
                                                const char *password, struct password_result *result)
{
    struct password_check check = question(user, password);
    *result = (struct password_result){0};
    backend->check(backend->state, &check, result);
    assert_true(result->verdict != PASSWORD_UNAVAILABLE || *result->why);
    assert_true(result->verdict == PASSWORD_OK || !*result->user);
    return result->verdict;
}

#endif
