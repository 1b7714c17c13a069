/* What the tests of main share: a folder with all that a configuration names, and its text. */
#ifndef SEALGATE_TESTS_MAIN_FIXTURE_H
#define SEALGATE_TESTS_MAIN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf.h"

struct folder {
    char dir[200];
};

struct path {
    char text[300];
};

static inline struct path path_of(const struct folder *f, const char *name)
{
    struct path path;
    snprintf(path.text, sizeof path.text, "%s/%s", f->dir, name);
    return path;
}

static inline int folder_make(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    const char *base = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%s/main-XXXXXX", base ? base : "/tmp");
    *state = f;
    return mkdtemp(f->dir) ? 0 : -1;
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline int folder_remove(void **state)
{
    struct folder *f = *state;
    int rc = nftw(f->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return rc;
}

static inline void write_file(const struct folder *f, const char *name, const char *text, mode_t mode)
{
    FILE *file = fopen(path_of(f, name).text, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path_of(f, name).text, mode), 0);
}

/* A configuration text around what differs: LISTENS and REST stand as they are. */
static inline void conf_text(const struct folder *f, const char *listens, const char *rest, struct buf *out)
{
    buf_init(out, 1u << 20);
    buf_printf(out,
               "hostname = \"mail.example.org\"\n"
               "state-dir = \"%s/state\"\n"
               "user = \"nobody\"\n"
               "%s\n"
               "tls { certificate = \"%s/cert.pem\" key = \"%s/key.pem\" }\n"
               "auth { users = \"%s/users\" }\n"
               "%s\n",
               f->dir, listens, f->dir, f->dir, f->dir, rest);
    assert_non_null(buf_str(out));
}

/* Free with conf_free. */
static inline struct conf conf_with(const struct folder *f, const char *listens, const char *rest)
{
    struct buf text, problems;
    struct conf conf;
    struct error err;
    conf_text(f, listens, rest, &text);
    buf_init(&problems, 1u << 16);
    if (conf_parse(buf_span(&text), "test.conf", &conf, &problems, &err) != STATUS_OK)
        fail_msg("%s\n%s", err.text, problems.len ? buf_str(&problems) : "");
    buf_free(&problems);
    buf_free(&text);
    return conf;
}

#define ONE_LISTENER "listen \"127.0.0.1:2465\" { tls = implicit }"

#endif
