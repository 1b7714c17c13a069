/* A guard with a database in a folder of its own, and a log that can be read. */
#ifndef SEALGATE_TESTS_UNIT_GUARD_FIXTURE_H
#define SEALGATE_TESTS_UNIT_GUARD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gateway/guard/guard.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define T0 (INT64_C(1790000000000) / DAY * DAY) /* a day begins, and so does a part of any window */

struct state {
    char dir[64], path[80];
    struct log log;
    struct guard_settings settings;
    struct guard *guard;
    int64_t now, delay;
    char text[200];
    struct error err;
};

static inline void open_guard(struct state *s)
{
    if (guard_open(&s->settings, s->now, &s->guard, &s->err) != STATUS_OK)
        fail_msg("%s", s->err.text);
}

/* As after kill -9: nothing is written that was not yet. */
static inline void restart(struct state *s)
{
    guard_close(s->guard);
    open_guard(s);
}

static inline int set_up(void **state)
{
    struct state *s = calloc(1, sizeof *s);
    const char *tmp = getenv("TMPDIR");
    assert_non_null(s);
    snprintf(s->dir, sizeof s->dir, "%.40s/sgguard.XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof s->path, "%s/db", s->dir);
    s->log = (struct log){.fd = memfd_create("log", MFD_CLOEXEC), .level = LOG_LEVEL_DEBUG, .role = "auth"};
    s->now = T0;
    s->settings = (struct guard_settings){
        .log = &s->log,
        .path = s->path,
        .failures_address = {5, HOUR},
        .failures_network = {12, HOUR},
        .failures_user = {8, HOUR},
        .block_ms = 30 * MINUTE,
    };
    open_guard(s);
    *state = s;
    return 0;
}

static inline int tear_down(void **state)
{
    struct state *s = *state;
    static const char *const names[] = {"db", "db-wal", "db-shm", "db.damaged", "db.damaged-wal"};
    char path[160];
    guard_close(s->guard);
    close(s->log.fd);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", s->dir, names[i]);
        unlink(path);
    }
    rmdir(s->dir);
    free(s);
    return 0;
}

/* How often WORD is in the log. */
static inline int logged(const struct state *s, const char *word)
{
    static char text[1 << 20];
    ssize_t n = pread(s->log.fd, text, sizeof text - 1, 0);
    int count = 0;
    text[n > 0 ? n : 0] = '\0';
    for (const char *p = text; (p = strstr(p, word)); p++)
        count++;
    return count;
}

static inline bool begin_login(struct state *s, const char *address, const char *user)
{
    return guard_may_login(s->guard, address, user, s->now, &s->delay, s->text) == GUARD_GO;
}

/* Asks, and leaves no attempt behind. */
static inline bool may_login(struct state *s, const char *address, const char *user)
{
    bool may = begin_login(s, address, user);
    if (may && user)
        guard_login_undecided(s->guard, address, user, s->now);
    return may;
}

static inline void fail_login(struct state *s, const char *address, const char *user, int times)
{
    for (int i = 0; i < times; i++)
        guard_login_failed(s->guard, address, user, s->now);
}

static inline bool may_send(struct state *s, const char *user)
{
    return guard_may_send(s->guard, false, user, NULL, "192.0.2.1", s->now, s->text);
}

struct search {
    const char *kind, *name;
    struct guard_row found;
    char detail[400];
    size_t n;
};

static inline void look_at(void *arg, const struct guard_row *row)
{
    struct search *search = arg;
    search->n++;
    if (search->kind && (strcmp(row->kind, search->kind) != 0 || strcmp(row->name, search->name) != 0))
        return;
    search->found = *row;
    snprintf(search->detail, sizeof search->detail, "%s", row->detail ? row->detail : "");
}

/* The row, or one with count 0. KIND NULL: the last of all; n is how many there are. */
static inline struct search find(struct state *s, const char *kind, const char *name)
{
    struct search search = {.kind = kind, .name = name};
    assert_int_equal(guard_each(s->guard, GUARD_ALL, SIZE_MAX, s->now, look_at, &search, &s->err), STATUS_OK);
    return search;
}

#endif
