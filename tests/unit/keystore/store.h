/* A keystore in a folder of its own, with certificates made by gpg and OpenSSL. */
#ifndef SEALGATE_TESTS_UNIT_KEYSTORE_STORE_H
#define SEALGATE_TESTS_UNIT_KEYSTORE_STORE_H

#include <openssl/pem.h>

#include "keystore/keystore.h"
#include "keystore/private.h"
#include "tests/unit/pgp/fixture.h"
#include "tests/unit/smime/forge.h"

struct store {
    struct fixture f;
    char path[100], home[100], gpg[100], roots[100];
    struct keystore_settings settings;
    struct keystore *ks;
    struct certificate_list list; /* of the last call */
    struct error err;
};

/*
 * OpenPGP certificates NAME.pgp (binary) and NAME.asc: alice with capital letters in her address and in the
 * domain's, carol with alice's address in the comment, dave with two addresses of which one is revoked, erin
 * who expires in 30 days, frank revoked, tag for a tagged address, mallory with alice's address
 * everywhere but where it counts.
 */
static const char store_keys[] =
    "gen() { name=$1; gpg --quick-gen-key \"$2\" ed25519 cert,sign ${3:-never}; "
    "FPR=$(gpg --list-keys --with-colons \"=$2\" | awk -F: '/^fpr/{print $10; exit}'); "
    "gpg --quick-add-key $FPR cv25519 encr ${3:-never}; }; "
    "out() { gpg --export $FPR > $name.pgp; gpg --armor --export $FPR > $name.asc; }; "
    "gen alice 'Alice <Alice@Example.ORG>'; out; gpg --armor --export-secret-keys $FPR > secret.asc; "
    "gen carol 'Carol (alice@example.org) <carol@example.com>'; out; "
    "gen dave 'Dave <dave@example.org>'; gpg --quick-add-uid $FPR 'Dave <dave@example.com>'; "
    "gpg --quick-revoke-uid $FPR 'Dave <dave@example.com>'; out; "
    "gen erin 'Erin <erin@example.org>' 30d; out; "
    "gen frank 'Frank <frank@example.org>'; "
    "sed s/^:-/-/ g/openpgp-revocs.d/$FPR.rev > rev; gpg --import rev; out; "
    "gen tag 'Tag <user+tag@example.org>'; out; "
    "gen user 'User <user@example.org>'; out; "
    "gen mallory 'bob@example.com (alice@example.org) <mallory0@example.net>'; "
    "uid() { gpg --allow-freeform-uid --quick-add-uid $FPR \"$1\"; }; "
    "uid 'alice@example.org <mallory1@example.net>'; uid '\"alice@example.org\" <mallory2@example.net>'; "
    "uid '<alice@example.org> <mallory3@example.net>'; uid 'Alice \xd0\xb0lice@example.org'; "
    "uid 'mallory4@example.net (alice@example.org)'; uid 'Alice alice@example.org'; out; ";

static inline void store_make(struct store *s)
{
    fixture_make(&s->f);
    fixture_run(&s->f, "%s", store_keys);
    snprintf(s->path, sizeof s->path, "%s/ks.db", s->f.dir);
    snprintf(s->home, sizeof s->home, "%s/e", s->f.dir);
    snprintf(s->roots, sizeof s->roots, "%s/roots.pem", s->f.dir);
    fixture_fake_gpg(&s->f, "gpg.sh",
                     "test ! -e broken || exit 2; test ! -e hung || sleep 30; exec /usr/bin/gpg \"$@\"",
                     s->gpg);
    /* The stand-in looks for its files where it lies. */
    fixture_run(&s->f, "sed -i '2i cd %s' gpg.sh", s->f.dir);
    s->settings = (struct keystore_settings){.path = s->path, .gpg_path = s->gpg, .gpg_home = s->home};
}

static inline void store_open(struct store *s)
{
    if (keystore_open(&s->settings, &s->ks, &s->err) != STATUS_OK)
        fail_msg("%s", s->err.text);
}

static inline void store_close(struct store *s)
{
    certificate_list_free(&s->list);
    keystore_close(s->ks);
    s->ks = NULL;
}

/* As new: an empty keystore, a gpg that works, no roots. */
static inline void store_clear(struct store *s)
{
    store_close(s);
    fixture_run(&s->f, "rm -rf ks.db* e broken hung runs");
    s->settings.local_part_case_sensitive = false;
    s->settings.roots_path = NULL;
}

static inline enum status store_add(struct store *s, struct span file)
{
    certificate_list_free(&s->list);
    return keystore_add(s->ks, file, "local", &s->list, &s->err);
}

static inline enum status store_add_file(struct store *s, const char *name)
{
    struct buf file;

    fixture_read(&s->f, name, &file);
    enum status st = store_add(s, buf_span(&file));
    buf_free(&file);
    return st;
}

static inline void store_must(struct store *s, enum status st)
{
    if (st != STATUS_OK)
        fail_msg("%s", s->err.text);
}

/* Looks ADDRESS up, DAYS from now, into s->list; returns how many there are. */
static inline size_t store_lookup(struct store *s, const char *address, int days)
{
    certificate_list_free(&s->list);
    store_must(s,
               keystore_lookup_at(s->ks, address, time(NULL) + days * (int64_t)FORGE_DAY, &s->list, &s->err));
    return s->list.n;
}

static inline enum status store_try(struct store *s, const char *address, int days)
{
    certificate_list_free(&s->list);
    enum status st =
        keystore_lookup_at(s->ks, address, time(NULL) + days * (int64_t)FORGE_DAY, &s->list, &s->err);
    if (st != STATUS_OK)
        assert_int_equal(s->list.n, 0);
    return st;
}

/* Changes the database behind the keystore's back. */
static inline void store_sql(struct store *s, const char *text)
{
    struct sql_stmt *stmt;

    store_must(s, sql_prepare(s->ks->sql, text, &stmt, &s->err));
    store_must(s, sql_run(stmt, &s->err));
}

/* A P-256 certificate for a SAN, valid from yesterday for DAYS; ISSUER NULL: its own. */
static inline struct forged store_forge(const char *san, int days, const struct forged *issuer)
{
    int today = (int)((time(NULL) - FORGE_NOW) / FORGE_DAY);
    const struct forge_order order = {.key = "P-256",
                                      .days_from = today - 1,
                                      .days_to = today + days,
                                      .serial = random() % 1000000 + 1,
                                      .extensions = {{NID_subject_alt_name, san}}};

    return forge(&order, issuer);
}

/* ISSUER NULL: a root. */
static inline struct forged store_forge_ca_below(const struct forged *issuer)
{
    int today = (int)((time(NULL) - FORGE_NOW) / FORGE_DAY);
    const struct forge_order order = {
        .key = "P-256",
        .subject = issuer ? "Test Issuing CA" : "Test CA",
        .days_from = today - 2,
        .days_to = today + 1000,
        .extensions = {{NID_basic_constraints, "critical,CA:TRUE"}, {NID_key_usage, "critical,keyCertSign"}},
    };

    return forge(&order, issuer);
}

static inline struct forged store_forge_ca(void)
{
    return store_forge_ca_below(NULL);
}

/* Opens the keystore anew with ROOT as the only root. */
static inline void store_trust(struct store *s, const struct forged *root)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;

    forge_must(PEM_write_bio_X509(bio, root->cert) == 1);
    long len = BIO_get_mem_data(bio, &text);
    fixture_write(&s->f, "roots.pem", span_of(text, (size_t)len));
    BIO_free(bio);
    store_close(s);
    s->settings.roots_path = s->roots;
    store_open(s);
}

/* ---- fixtures: a keystore's keys for the whole group, an empty keystore for each test ---- */

static inline int store_group_make(void **state)
{
    struct store *s = calloc(1, sizeof *s);

    assert_non_null(s);
    store_make(s);
    *state = s;
    return 0;
}

static inline int store_group_drop(void **state)
{
    struct store *s = *state;

    fixture_free(&s->f);
    free(s);
    return 0;
}

static inline int store_set_up(void **state)
{
    store_open(*state);
    return 0;
}

static inline int store_tear_down(void **state)
{
    store_clear(*state);
    return 0;
}

#endif
