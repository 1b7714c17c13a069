#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/pem.h>

#include "smime/smime.h"
#include "tests/unit/smime/forge.h"

#define CA                                                                                                   \
    {NID_basic_constraints, "critical,CA:TRUE"},                                                             \
    {                                                                                                        \
        NID_key_usage, "critical,keyCertSign"                                                                \
    }

struct state {
    char folder[64];
    char path[96]; /* the file of roots */
    struct forged root;
    struct forged other_root;    /* of the same name, another key */
    struct forged intermediate;  /* by root */
    struct forged web;           /* by root, for web servers alone */
    struct forged leaf;          /* by intermediate */
    struct forged leaf_of_web;   /* by web */
    struct forged alone;         /* self-signed */
    struct forged by_leaf;       /* by leaf, which is no authority */
    struct forged short_ca;      /* by root, expired */
    struct forged leaf_of_short; /* by short_ca */
    struct forged weak;          /* by root, with a SHA-1 signature */
    struct forged leaf_of_weak;  /* by weak */
    struct forged limited;       /* by root, for addresses at example.com alone */
    struct forged inside;        /* by limited, bob@example.com */
    struct forged outside;       /* by limited, alice@example.org */
    struct forged outside_dn;    /* by limited, the same in its subject */
};

static void write_roots(const struct state *s, const struct forged *const *roots, size_t n)
{
    FILE *out = fopen(s->path, "w");
    forge_must(out != NULL);
    for (size_t i = 0; i < n; i++) {
        forge_must(PEM_write_X509(out, roots[i]->cert) == 1);
    }
    fclose(out);
}

static enum status open_trust(const struct state *s, struct smime_trust **trust, struct error *err)
{
    const struct smime_trust_settings settings = {.roots_path = s->path};
    return smime_trust_open(&settings, trust, err);
}

/* Judges CERT with ROOTS trusted and EXTRA (may be NULL) at hand. */
static void expect(const struct state *s, const struct forged *root, const struct forged *cert,
                   const struct forged *extra, enum smime_fitness fitness, const char *reason)
{
    struct smime_trust *trust = NULL;
    struct smime_certificates list = {0};
    struct smime_certificate_info info;
    struct error err = {0};
    write_roots(s, &root, 1);
    assert_int_equal(open_trust(s, &trust, &err), STATUS_OK);
    if (extra) {
        assert_int_equal(smime_certificates_split(extra->der, 1, &list, &err), STATUS_OK);
    }
    assert_int_equal(
        smime_certificate_inspect(cert->der, trust, extra ? &list : NULL, FORGE_NOW, &info, &err), STATUS_OK);
    if (info.fitness != fitness || !strstr(info.reason, reason)) {
        fail_msg("wanted %d \"%s\", got %d \"%s\"", (int)fitness, reason, (int)info.fitness, info.reason);
    }
    smime_certificate_info_free(&info);
    smime_certificates_free(&list);
    smime_trust_close(trust);
}

static void trusts_whole_chain(void **state)
{
    const struct state *s = *state;
    expect(s, &s->root, &s->leaf, &s->intermediate, SMIME_USABLE, "");
}

static void trusts_intermediate_as_anchor(void **state)
{
    const struct state *s = *state;
    expect(s, &s->intermediate, &s->leaf, NULL, SMIME_USABLE, "");
}

static void trusts_listed_certificate_itself(void **state)
{
    const struct state *s = *state;
    expect(s, &s->alone, &s->alone, NULL, SMIME_USABLE, "");
}

static void distrusts_broken_chains(void **state)
{
    const struct state *s = *state;
    expect(s, &s->root, &s->leaf, NULL, SMIME_UNTRUSTED, "issuer");
    expect(s, &s->root, &s->leaf, &s->web, SMIME_UNTRUSTED, "issuer");
    expect(s, &s->other_root, &s->leaf, &s->intermediate, SMIME_UNTRUSTED, "");
    expect(s, &s->root, &s->alone, NULL, SMIME_UNTRUSTED, "self");
    expect(s, &s->root, &s->leaf_of_web, &s->web, SMIME_UNTRUSTED, "not for mail");
    expect(s, &s->root, &s->by_leaf, &s->leaf, SMIME_UNTRUSTED, "");
    expect(s, &s->root, &s->leaf_of_weak, &s->weak, SMIME_UNTRUSTED, "too weak");
    expect(s, &s->root, &s->leaf_of_short, &s->short_ca, SMIME_UNTRUSTED, "expired");
}

/* RFC 5280 §4.2.1.10: an authority for one domain vouches for no other. */
static void honours_name_constraints(void **state)
{
    const struct state *s = *state;
    expect(s, &s->root, &s->inside, &s->limited, SMIME_USABLE, "");
    expect(s, &s->root, &s->outside, &s->limited, SMIME_UNTRUSTED, "subtree");
    expect(s, &s->root, &s->outside_dn, &s->limited, SMIME_UNTRUSTED, "subtree");
}

/* Pinned: no chain is asked for, all else is. */
static void pinned_needs_no_chain(void **state)
{
    const struct state *s = *state;
    const struct forge_order old = {
        .key = "P-256", .days_from = -9, .days_to = -1, .extensions = {FORGE_SAN_ALICE}};
    struct forged expired = forge(&old, NULL);
    const struct {
        const struct forged *cert;
        enum smime_fitness fitness;
    } rows[] = {{&s->alone, SMIME_USABLE}, {&s->leaf, SMIME_USABLE}, {&expired, SMIME_EXPIRED}};
    struct smime_trust *trust = NULL;
    struct smime_certificate_info info;
    struct error err = {0};
    const struct forged *root = &s->root;
    write_roots(s, &root, 1);
    assert_int_equal(open_trust(s, &trust, &err), STATUS_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(
            smime_certificate_inspect_pinned(rows[i].cert->der, trust, NULL, FORGE_NOW, &info, &err),
            STATUS_OK);
        assert_int_equal(info.fitness, rows[i].fitness);
        smime_certificate_info_free(&info);
        assert_int_equal(smime_certificate_inspect(rows[i].cert->der, trust, NULL, FORGE_NOW, &info, &err),
                         STATUS_OK);
        assert_int_not_equal(info.fitness, SMIME_USABLE);
        smime_certificate_info_free(&info);
    }
    smime_trust_close(trust);
    forged_free(&expired);
}

/* The extra certificates come from the network: an issuer among them is no anchor. */
static void extra_is_never_an_anchor(void **state)
{
    const struct state *s = *state;
    expect(s, &s->web, &s->leaf, &s->intermediate, SMIME_UNTRUSTED, "");
    expect(s, &s->web, &s->alone, &s->alone, SMIME_UNTRUSTED, "");
}

static void asks_for_no_chain_without_roots(void **state)
{
    const struct state *s = *state;
    const struct smime_trust_settings settings = {.roots_path = NULL};
    struct smime_trust *trust = NULL;
    struct smime_certificate_info info;
    struct error err = {0};
    assert_int_equal(smime_trust_open(&settings, &trust, &err), STATUS_OK);
    assert_int_equal(smime_certificate_inspect(s->leaf.der, trust, NULL, FORGE_NOW, &info, &err), STATUS_OK);
    assert_int_equal(info.fitness, SMIME_USABLE);
    smime_certificate_info_free(&info);
    smime_trust_close(trust);
    smime_trust_close(NULL);
}

/* A33: roots that cannot be read are an error, never "no chain is asked for". */
static void unreadable_roots_are_an_error(void **state)
{
    const struct state *s = *state;
    struct smime_trust *trust = NULL;
    struct error err = {0};
    unlink(s->path);
    assert_int_equal(open_trust(s, &trust, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, s->path));
    write_roots(s, NULL, 0);
    assert_int_equal(open_trust(s, &trust, &err), STATUS_INVALID);
    FILE *out = fopen(s->path, "w");
    fputs("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", out);
    fclose(out);
    assert_int_equal(open_trust(s, &trust, &err), STATUS_INVALID);
    unlink(s->path);
    assert_int_equal(mkdir(s->path, 0700), 0);
    assert_int_equal(open_trust(s, &trust, &err), STATUS_INVALID);
    rmdir(s->path);
    out = fopen(s->path, "w");
    forge_must(out && ftruncate(fileno(out), 100 << 20) == 0);
    fclose(out);
    assert_int_equal(open_trust(s, &trust, &err), STATUS_LIMIT);
    assert_null(trust);
}

static int make_chain(void **state)
{
    struct state *s = calloc(1, sizeof *s);
    forge_must(s != NULL);
    const char *tmp = getenv("TMPDIR");
    snprintf(s->folder, sizeof s->folder, "%.40s/smime.XXXXXX", tmp ? tmp : "/tmp");
    forge_must(mkdtemp(s->folder) != NULL);
    snprintf(s->path, sizeof s->path, "%s/roots.pem", s->folder);

    const struct forge_order root = {.key = "P-256", .subject = "Root", .extensions = {CA}};
    const struct forge_order intermediate = {.key = "P-256", .subject = "Intermediate", .extensions = {CA}};
    const struct forge_order web = {
        .key = "P-256", .subject = "Web", .extensions = {CA, {NID_ext_key_usage, "serverAuth"}}};
    const struct forge_order short_ca = {
        .key = "P-256", .subject = "Short", .days_from = -9, .days_to = -1, .extensions = {CA}};
    const struct forge_order weak = {.key = "P-256", .digest = "SHA1", .subject = "Weak", .extensions = {CA}};
    const struct forge_order leaf = {.key = "P-256", .subject = "Alice", .extensions = {FORGE_SAN_ALICE}};
    s->root = forge(&root, NULL);
    s->other_root = forge(&root, NULL);
    s->intermediate = forge(&intermediate, &s->root);
    s->web = forge(&web, &s->root);
    s->short_ca = forge(&short_ca, &s->root);
    s->weak = forge(&weak, &s->root);
    s->leaf_of_weak = forge(&leaf, &s->weak);
    s->leaf = forge(&leaf, &s->intermediate);
    s->leaf_of_web = forge(&leaf, &s->web);
    s->leaf_of_short = forge(&leaf, &s->short_ca);
    s->by_leaf = forge(&leaf, &s->leaf);
    const struct forge_order limited = {
        .key = "P-256",
        .subject = "Limited",
        .extensions = {CA, {NID_name_constraints, "critical,permitted;email:example.com"}}};
    const struct forge_order inside = {.key = "P-256",
                                       .extensions = {{NID_subject_alt_name, "email:bob@example.com"}}};
    const struct forge_order outside_dn = {.key = "P-256", .email = "alice@example.org"};
    s->limited = forge(&limited, &s->root);
    s->inside = forge(&inside, &s->limited);
    s->outside = forge(&leaf, &s->limited);
    s->outside_dn = forge(&outside_dn, &s->limited);
    s->alone = forge(&leaf, NULL);
    *state = s;
    return 0;
}

static int free_chain(void **state)
{
    struct state *s = *state;
    struct forged *const all[] = {&s->root,     &s->other_root,    &s->intermediate, &s->web,
                                  &s->leaf,     &s->leaf_of_web,   &s->alone,        &s->by_leaf,
                                  &s->short_ca, &s->leaf_of_short, &s->weak,         &s->leaf_of_weak,
                                  &s->limited,  &s->inside,        &s->outside,      &s->outside_dn};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        forged_free(all[i]);
    }
    unlink(s->path);
    rmdir(s->folder);
    free(s);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trusts_whole_chain),
        cmocka_unit_test(trusts_intermediate_as_anchor),
        cmocka_unit_test(trusts_listed_certificate_itself),
        cmocka_unit_test(distrusts_broken_chains),
        cmocka_unit_test(honours_name_constraints),
        cmocka_unit_test(pinned_needs_no_chain),
        cmocka_unit_test(extra_is_never_an_anchor),
        cmocka_unit_test(asks_for_no_chain_without_roots),
        cmocka_unit_test(unreadable_roots_are_an_error),
    };
    return cmocka_run_group_tests(tests, make_chain, free_chain);
}
