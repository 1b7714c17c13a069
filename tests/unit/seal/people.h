/* A folder with people who have real keys, GnuPG homes and certificates; and what tests run in it. */
#ifndef SEALGATE_TESTS_UNIT_SEAL_PEOPLE_H
#define SEALGATE_TESTS_UNIT_SEAL_PEOPLE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "gateway/jobs/keys_job.h"
#include "gateway/seal/seal.h"
#include "pgp/pgp.h"
#include "smime/smime.h"

#define WORLD_WAIT_MS 60000

enum who { BOB, CAROL, DAVE, ERIN, HEIDI, IVAN, OLGA, PEOPLE };

static const struct person {
    const char *name;
    const char *address;
    enum certificate_format format;
    const char *key; /* for openssl req -newkey */
} people[PEOPLE] = {
    [BOB] = {"bob", "bob@example.com", CERTIFICATE_OPENPGP, NULL},
    [CAROL] = {"carol", "carol@example.net", CERTIFICATE_OPENPGP, NULL},
    [DAVE] = {"dave", "dave@example.com", CERTIFICATE_SMIME, "rsa:2048"},
    [ERIN] = {"erin", "erin@example.net", CERTIFICATE_SMIME, "ec -pkeyopt ec_paramgen_curve:P-256"},
    [HEIDI] = {"heidi", "heidi@example.com", CERTIFICATE_OPENPGP, NULL},
    [IVAN] = {"ivan", "ivan@example.net", CERTIFICATE_SMIME, "rsa:2048"},
    [OLGA] = {"olga", "olga@example.org", CERTIFICATE_OPENPGP, NULL},
};

/* How the keys role of ours behaves. */
enum keys_mode {
    KEYS_GOOD,
    KEYS_NOBODY,  /* takes nothing */
    KEYS_SILENT,  /* takes it, says nothing */
    KEYS_DROPPED, /* takes it and closes */
    KEYS_FAILED,  /* answers that the lookups failed */
    KEYS_GARBAGE, /* answers what cannot be unpacked */
    KEYS_FEWER,   /* leaves the last answer out */
    KEYS_OTHER,   /* answers with another type */
    KEYS_MODES,
};

/* In memory that the keys role shares. */
struct keys_control {
    volatile enum keys_mode mode;
    volatile bool unknown[PEOPLE];
    volatile bool unusable[PEOPLE]; /* "expired on 2024-05-01" */
};

struct world {
    char dir[64]; /* short: a GnuPG home holds sockets, whose paths are limited to 108 bytes */
    char gpg_path[100], gpg_home[100];
    struct certificate certificates[PEOPLE];
    struct keys_control *keys;
    int seal[2], lookup[2], queue[2]; /* client end, server end */
    int log_fd;
    struct log log;
    pid_t worker, keys_pid;
    struct seal_settings settings;
};

/* ---- folder and files ---- */

/* Runs shell text in the folder; "home NAME" chooses that person's GnuPG home, which holds no key but theirs.
 * True: exit code 0. */
static inline bool world_shell(const struct world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static inline bool world_shell(const struct world *w, const char *format, ...)
{
    char text[4000], whole[5000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(whole, sizeof whole,
             "set -e; cd %s; exec 2>>tools.log; home() { export GNUPGHOME=%s/g/$1; }; "
             "pgp() { gpg --batch --quiet --no-permission-warning --trust-model always "
             "--pinentry-mode loopback --passphrase '' \"$@\"; }; %s",
             w->dir, w->dir, text);
    return system(whole) == 0;
}

static inline void world_write(const struct world *w, const char *name, struct span bytes)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.p, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

/* Appends the file's content to OUT (initialised here); free with buf_free. */
static inline void world_read(const struct world *w, const char *name, struct buf *out)
{
    char path[200], bytes[4096];
    size_t n;
    snprintf(path, sizeof path, "%s/%s", w->dir, name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    buf_init(out, 256u << 20);
    while ((n = fread(bytes, 1, sizeof bytes, file)) > 0)
        buf_append(out, bytes, n);
    fclose(file);
    assert_false(out->failed);
}

/* ---- people ---- */

static inline void world_make_keys(const struct world *w)
{
    assert_true(world_shell(w, "mkdir g"));
    for (const struct person *p = people; p < people + PEOPLE; p++) {
        bool made =
            p->format == CERTIFICATE_OPENPGP
                ? world_shell(w,
                              "home %s; mkdir -m 700 $GNUPGHOME; pgp --quick-gen-key %s ed25519 sign never; "
                              "fpr=$(pgp --with-colons -k | awk -F: '/^fpr/{print $10; exit}'); "
                              "pgp --quick-add-key $fpr cv25519 encr never; pgp --export $fpr > %s.cert",
                              p->name, p->address, p->name)
                : world_shell(w,
                              "openssl req -x509 -newkey %s -nodes -keyout %s.key -out %s.pem -subj "
                              "'/CN=Person %s' -addext subjectAltName=email:%s -addext "
                              "basicConstraints=CA:FALSE -days 30; openssl x509 -in "
                              "%s.pem -outform DER -out %s.cert",
                              p->key, p->name, p->name, p->name, p->address, p->name, p->name);
        if (!made)
            fail_msg("cannot make keys of %s in %s", p->name, w->dir);
    }
}

static inline void world_inspect_pgp(struct pgp_engine *engine, struct certificate *c)
{
    struct pgp_certificate_info info;
    struct error err;
    if (pgp_certificate_inspect(engine, buf_span(&c->bytes), time(NULL), &info, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(info.fitness, PGP_USABLE);
    snprintf(c->fingerprint, sizeof c->fingerprint, "%s", info.fingerprint);
    c->n_keyids = info.n_encryption_keyids;
    memcpy(c->keyids, info.encryption_keyids, sizeof c->keyids);
    pgp_certificate_info_free(&info);
}

static inline void world_inspect_smime(struct certificate *c)
{
    struct smime_certificate_info info;
    struct error err;
    if (smime_certificate_inspect(buf_span(&c->bytes), NULL, NULL, time(NULL), &info, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(info.fitness, SMIME_USABLE);
    snprintf(c->fingerprint, sizeof c->fingerprint, "%s", info.fingerprint);
    smime_certificate_info_free(&info);
}

static inline void world_load_certificates(struct world *w)
{
    char home[100], name[100];
    struct pgp_engine_settings settings = {.gpg_path = "/usr/bin/gpg", .home = home};
    struct pgp_engine *engine;
    struct error err;
    snprintf(home, sizeof home, "%s/i", w->dir);
    if (pgp_engine_open(&settings, &engine, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < PEOPLE; i++) {
        struct certificate *c = &w->certificates[i];
        *c = (struct certificate){.format = people[i].format, .source = "local", .usable = true};
        snprintf(name, sizeof name, "%s.cert", people[i].name);
        world_read(w, name, &c->bytes);
        if (c->format == CERTIFICATE_OPENPGP)
            world_inspect_pgp(engine, c);
        else
            world_inspect_smime(c);
    }
    pgp_engine_close(engine);
}

#endif
