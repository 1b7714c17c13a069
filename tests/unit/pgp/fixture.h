/* A folder with a GnuPG home of its own, for tests that need real keys. */
#ifndef SEALGATE_TESTS_UNIT_PGP_FIXTURE_H
#define SEALGATE_TESTS_UNIT_PGP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "pgp/pgp.h"

struct fixture {
    char dir[64]; /* short: a GnuPG home holds sockets, whose paths are limited to 108 bytes */
};

/* Runs shell text in the folder, with its GnuPG home; every command must succeed. */
static inline void fixture_run(const struct fixture *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline void fixture_run(const struct fixture *f, const char *format, ...)
{
    char text[4000], whole[5000];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(whole, sizeof whole,
             "set -e; cd %s; trap 'test $? = 0 || tail -n 5 gpg.log' EXIT; export GNUPGHOME=%s/g; "
             "gpg() { command gpg --batch --quiet --no-permission-warning --trust-model always "
             "--pinentry-mode loopback --passphrase '' \"$@\" 2>>gpg.log; }; %s",
             f->dir, f->dir, text);
    if (system(whole) != 0)
        fail_msg("failed: %s", text);
}

static inline void fixture_make(struct fixture *f)
{
    snprintf(f->dir, sizeof f->dir, "/tmp/sgp.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    fixture_run(f, "mkdir -m 700 g");
}

static inline void fixture_free(const struct fixture *f)
{
    fixture_run(f, "gpgconf --homedir $GNUPGHOME --kill all; cd /; rm -rf %s", f->dir);
}

/* Reads a file of the folder, or any file when F is NULL; free with buf_free. */
static inline void fixture_read(const struct fixture *f, const char *name, struct buf *out)
{
    char path[4200], bytes[4096];
    FILE *file;
    size_t n;

    snprintf(path, sizeof path, "%s%s%s", f ? f->dir : "", f ? "/" : "", name);
    file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    buf_init(out, 64u << 20);
    while ((n = fread(bytes, 1, sizeof bytes, file)) > 0)
        buf_append(out, bytes, n);
    fclose(file);
    assert_false(out->failed);
}

static inline void fixture_write(const struct fixture *f, const char *name, struct span bytes)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.p, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

/*
 * Writes a program NAME that stands in for gpg: it answers --version as the real one, and writes a line to
 * file "runs" and does BODY (shell text, with the real gpg's arguments) for anything else. PATH_OUT: its
 * path.
 */
static inline void fixture_fake_gpg(const struct fixture *f, const char *name, const char *body,
                                    char path_out[100])
{
    char text[2000];

    snprintf(path_out, 100, "%s/%s", f->dir, name);
    snprintf(
        text, sizeof text,
        "#!/bin/bash\ncase $1 in --version) exec /usr/bin/gpg --version;; esac\necho run >> %s/runs\n%s\n",
        f->dir, body);
    fixture_write(f, name, span_str(text));
    fixture_run(f, "chmod 700 %s", name);
}

/* How often such programs ran. */
static inline size_t fixture_count_runs(const struct fixture *f)
{
    struct buf runs;
    size_t n;

    fixture_run(f, "touch runs");
    fixture_read(f, "runs", &runs);
    n = runs.len / strlen("run\n");
    buf_free(&runs);
    return n;
}

/* Opens an engine with GPG_PATH and its home "e" in the folder. */
static inline struct pgp_engine *fixture_engine(const struct fixture *f, const char *gpg_path)
{
    struct pgp_engine *engine;
    struct error err;
    char home[100];
    struct pgp_engine_settings settings = {.gpg_path = gpg_path, .home = home};

    snprintf(home, sizeof home, "%s/e", f->dir);
    if (pgp_engine_open(&settings, &engine, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    return engine;
}

/* Inspects a file of the folder now; free with pgp_certificate_info_free. */
static inline void fixture_inspect(const struct fixture *f, struct pgp_engine *engine, const char *name,
                                   struct pgp_certificate_info *info_out)
{
    struct buf certificate;
    struct error err;

    fixture_read(f, name, &certificate);
    if (pgp_certificate_inspect(engine, buf_span(&certificate), time(NULL), info_out, &err) != STATUS_OK)
        fail_msg("%s: %s", name, err.text);
    buf_free(&certificate);
}

#endif
