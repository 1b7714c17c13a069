/* CRLs: what is revoked is not used, and what cannot be found out is never "not revoked" (A33). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "smime/smime.h"
#include "tests/unit/smime/forge_crl.h"

#define CA                                                                                                   \
    {NID_basic_constraints, "critical,CA:TRUE"},                                                             \
    {                                                                                                        \
        NID_key_usage, "critical,keyCertSign,cRLSign"                                                        \
    }
#define LEAF_SERIAL 100
#define INTERMEDIATE_SERIAL 200

struct state {
    char folder[64];
    struct forged root;
    struct forged intermediate;  /* by root */
    struct forged leaf;          /* by intermediate */
    struct forged pointing;      /* by intermediate, with a distribution point */
    struct forged impostor;      /* of the intermediate's name, another key */
    struct forged no_crls;       /* of the intermediate's name and key, without cRLSign */
    struct forged leaf_of_plain; /* by no_crls */
};

static void path_of(const struct state *s, const char *name, char out[96])
{
    snprintf(out, 96, "%s/%s", s->folder, name);
}

/* Replaced by rename, as a careful script does. */
static void write_crls(const struct state *s, const char *name, const struct crl_order *orders, size_t n,
                       bool pem)
{
    char path[96];
    char fresh[96];
    path_of(s, name, path);
    path_of(s, "fresh", fresh);
    FILE *out = fopen(fresh, "w");
    forge_must(out != NULL);
    for (size_t i = 0; i < n; i++) {
        X509_CRL *crl = forge_crl(&orders[i]);
        forge_must((pem ? PEM_write_X509_CRL(out, crl) : i2d_X509_CRL_fp(out, crl)) == 1);
        X509_CRL_free(crl);
    }
    forge_must(fclose(out) == 0 && rename(fresh, path) == 0);
}

/* ---- judging ---- */

enum how { WITH_ROOTS, WITHOUT_ROOTS, PINNED };

struct asked {
    const struct forged *cert;
    const struct forged *extra; /* NULL: none */
    enum how how;
    bool required;
};

static enum status open_trust(const struct state *s, enum how how, bool required, const char *crl,
                              struct smime_trust **trust, struct error *err)
{
    char roots[96];
    char path[96];
    const char *paths[] = {path};
    path_of(s, "roots.pem", roots);
    path_of(s, crl ? crl : "", path);
    const struct smime_trust_settings settings = {.roots_path = how == WITHOUT_ROOTS ? NULL : roots,
                                                  .crl_paths = paths,
                                                  .n_crl_paths = crl ? 1 : 0,
                                                  .crl_required = required};
    return smime_trust_open(&settings, trust, err);
}

static enum status judge(const struct smime_trust *trust, const struct asked *asked,
                         struct smime_certificate_info *info, struct error *err)
{
    struct smime_certificates list = {0};
    if (asked->extra) {
        forge_must(smime_certificates_split(asked->extra->der, 1, &list, err) == STATUS_OK);
    }
    enum status status =
        asked->how == PINNED
            ? smime_certificate_inspect_pinned(asked->cert->der, trust, &list, FORGE_NOW, info, err)
            : smime_certificate_inspect(asked->cert->der, trust, &list, FORGE_NOW, info, err);
    smime_certificates_free(&list);
    return status;
}

static void expect(const struct state *s, const char *what, const struct crl_order *orders, size_t n,
                   bool pem, const struct asked *asked, enum smime_fitness fitness, const char *reason)
{
    struct smime_trust *trust = NULL;
    struct smime_certificate_info info;
    struct error err = {0};
    if (n) {
        write_crls(s, "crl", orders, n, pem);
    }
    if (open_trust(s, asked->how, asked->required, n ? "crl" : NULL, &trust, &err) != STATUS_OK ||
        judge(trust, asked, &info, &err) != STATUS_OK) {
        fail_msg("%s: %s", what, err.text);
    }
    if (info.fitness != fitness || !strstr(info.reason, reason)) {
        fail_msg("%s: wanted %d \"%s\", got %d \"%s\"", what, (int)fitness, reason, (int)info.fitness,
                 info.reason);
    }
    assert_int_equal(ERR_peek_error(), 0);
    smime_certificate_info_free(&info);
    smime_trust_close(trust);
}

struct row {
    const char *what;
    struct crl_order orders[2];
    size_t n;
    bool pem;
    struct asked asked;
    enum smime_fitness fitness;
    const char *reason;
};

static void judges_by_lists(void **state)
{
    const struct state *s = *state;
    const struct forged *in = &s->intermediate;
    const struct forged *leaf = &s->leaf;
    const struct crl_order revokes = {.issuer = in, .serial = LEAF_SERIAL};
    const struct crl_order other = {.issuer = in, .serial = LEAF_SERIAL + 1};
    const struct crl_order old = {.issuer = in, .serial = LEAF_SERIAL, .days_from = -30, .days_to = -1};
    const struct crl_order old_other = {.issuer = in, .serial = 7, .days_from = -30, .days_to = -1};
    const struct crl_order future = {.issuer = in, .serial = 7, .days_from = 1, .days_to = 9};
    const struct crl_order endless = {.issuer = in, .serial = 7, .no_next_update = true};
    const struct crl_order root = {.issuer = &s->root};
    const struct crl_order root_revokes = {.issuer = &s->root, .serial = INTERMEDIATE_SERIAL};
    const struct crl_order fake = {.issuer = &s->impostor, .serial = LEAF_SERIAL};
    const struct crl_order fake_other = {.issuer = &s->impostor, .serial = 7};
    const struct crl_order for_cas = {.issuer = in,
                                      .extension = {NID_issuing_distribution_point, "critical,onlyCA:TRUE"}};
    const struct crl_order for_users = {
        .issuer = in, .extension = {NID_issuing_distribution_point, "critical,onlyuser:TRUE"}};
    const struct crl_order some = {
        .issuer = in,
        .extension = {NID_issuing_distribution_point, "critical,onlysomereasons:keyCompromise"}};
    const struct crl_order part = {
        .issuer = in,
        .extension = {NID_issuing_distribution_point, "critical,fullname:URI:http://crl.example/1"}};
    const struct crl_order other_part = {
        .issuer = in,
        .extension = {NID_issuing_distribution_point, "critical,fullname:URI:http://crl.example/2"}};
    const struct asked rooted = {.cert = leaf, .extra = in, .how = WITH_ROOTS};
    const struct asked strict = {.cert = leaf, .extra = in, .how = WITH_ROOTS, .required = true};
    const struct asked free_of = {.cert = leaf, .extra = in, .how = WITHOUT_ROOTS};
    const struct asked strict_free = {.cert = leaf, .extra = in, .how = WITHOUT_ROOTS, .required = true};
    const struct asked alone = {.cert = leaf, .how = WITHOUT_ROOTS};
    const struct asked strict_alone = {.cert = leaf, .how = WITHOUT_ROOTS, .required = true};
    const struct asked pinned = {.cert = leaf, .extra = in, .how = PINNED};
    const struct asked pinned_alone = {.cert = leaf, .how = PINNED};
    const struct asked fooled = {.cert = leaf, .extra = &s->impostor, .how = WITHOUT_ROOTS};
    const struct asked pointing = {.cert = &s->pointing, .extra = in, .how = WITHOUT_ROOTS, .required = true};
    const struct asked plain = {
        .cert = &s->leaf_of_plain, .extra = &s->no_crls, .how = WITHOUT_ROOTS, .required = true};
    const struct row rows[] = {
        {"listed", {revokes}, 1, true, rooted, SMIME_REVOKED, "revoked on 2026-09-16 (CRL of Intermediate)"},
        {"listed, DER", {revokes}, 1, false, rooted, SMIME_REVOKED, "revoked on 2026-09-16"},
        {"another is listed", {other}, 1, true, rooted, SMIME_USABLE, ""},
        {"listed in the second", {other, revokes}, 2, true, rooted, SMIME_REVOKED, "revoked"},
        {"listed in an old one beside a new one", {old, other}, 2, true, rooted, SMIME_REVOKED, "revoked"},
        {"listed in an old one", {old}, 1, true, rooted, SMIME_REVOKED, "revoked"},
        {"old", {old_other}, 1, true, rooted, SMIME_USABLE, ""},
        {"of the root alone", {root}, 1, true, rooted, SMIME_USABLE, ""},
        {"intermediate listed",
         {root_revokes},
         1,
         true,
         rooted,
         SMIME_REVOKED,
         "one of its issuers is revoked"},
        {"no roots, listed", {revokes}, 1, true, free_of, SMIME_REVOKED, "revoked on"},
        {"no roots, intermediate not asked", {root_revokes}, 1, true, free_of, SMIME_USABLE, ""},
        {"no issuer at hand, listed", {revokes}, 1, true, alone, SMIME_UNCHECKED, "cannot be verified"},
        {"no issuer at hand, not listed", {other}, 1, true, alone, SMIME_USABLE, ""},
        {"pinned, listed", {revokes}, 1, true, pinned, SMIME_REVOKED, "revoked on"},
        {"pinned, no chain asked", {other}, 1, true, pinned_alone, SMIME_USABLE, ""},
        {"by an impostor", {fake}, 1, true, rooted, SMIME_UNCHECKED, "cannot be verified"},
        {"impostor's certificate beside it", {revokes}, 1, true, fooled, SMIME_UNCHECKED, "verified"},
        {"required, there", {root, other}, 2, true, strict, SMIME_USABLE, ""},
        {"required, none at all", {{0}}, 0, true, strict, SMIME_UNCHECKED, "no fresh CRL of Intermediate"},
        {"required, the intermediate's missing", {other}, 1, true, strict, SMIME_UNCHECKED, "CRL of Root"},
        {"required, listed", {root, revokes}, 2, true, strict, SMIME_REVOKED, "revoked"},
        {"required, old", {root, old_other}, 2, true, strict, SMIME_UNCHECKED, "no fresh CRL of Interm"},
        {"required, of tomorrow", {root, future}, 2, true, strict, SMIME_UNCHECKED, "no fresh CRL"},
        {"required, without end", {root, endless}, 2, true, strict, SMIME_UNCHECKED, "no fresh CRL"},
        {"required, by an impostor", {root, fake_other}, 2, true, strict, SMIME_UNCHECKED, "no fresh CRL"},
        {"required, no roots", {other}, 1, true, strict_free, SMIME_USABLE, ""},
        {"required, no issuer at hand", {other}, 1, true, strict_alone, SMIME_UNCHECKED, "no fresh CRL"},
        {"required, for authorities", {for_cas}, 1, true, strict_free, SMIME_UNCHECKED, "no fresh CRL"},
        {"required, for users", {for_users}, 1, true, strict_free, SMIME_USABLE, ""},
        {"required, for some reasons", {some}, 1, true, strict_free, SMIME_UNCHECKED, "no fresh CRL"},
        {"required, its part", {part}, 1, true, pointing, SMIME_USABLE, ""},
        {"required, another part", {other_part}, 1, true, pointing, SMIME_UNCHECKED, "no fresh CRL"},
        {"required, a part and none named", {part}, 1, true, strict_free, SMIME_UNCHECKED, "no fresh CRL"},
        {"required, issuer may sign none", {other}, 1, true, plain, SMIME_UNCHECKED, "no fresh CRL"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        expect(s, r->what, r->orders, r->n, r->pem, &r->asked, r->fitness, r->reason);
    }
}

/* ---- files ---- */

static void write_text(const struct state *s, const char *name, const char *text, size_t len)
{
    char path[96];
    path_of(s, name, path);
    FILE *out = fopen(path, "w");
    forge_must(out && fwrite(text, 1, len, out) == len && fclose(out) == 0);
}

static void refuse_file(const struct state *s, enum status status, const char *reason)
{
    struct smime_trust *trust = NULL;
    struct error err = {0};
    enum status got = open_trust(s, WITHOUT_ROOTS, false, "bad", &trust, &err);
    if (got != status || !strstr(err.text, reason)) {
        fail_msg("wanted \"%s\", got %s \"%s\"", reason, status_word(got), err.text);
    }
    assert_null(trust);
    assert_int_equal(ERR_peek_error(), 0);
}

static void bad_files_are_errors(void **state)
{
    const struct state *s = *state;
    char path[96];
    const struct crl_order one = {.issuer = &s->intermediate, .serial = 1};
    const struct {
        struct forge_extension extension;
        const char *reason;
    } unknown[] = {
        {{NID_delta_crl, "critical,DER:020101"}, "delta CRL"},
        {{NID_issuing_distribution_point, "critical,indirectCRL:TRUE"}, "indirect CRL"},
        {{NID_issuing_distribution_point, "critical,DER:3003810561"}, "issuingDistributionPoint"},
        {{NID_netscape_comment, "critical,hello"}, "critical extension"},
    };
    path_of(s, "bad", path);
    refuse_file(s, STATUS_INVALID, "cannot open");
    write_text(s, "bad", "", 0);
    refuse_file(s, STATUS_INVALID, "no CRL in it");
    write_text(s, "bad", "-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n", 52);
    refuse_file(s, STATUS_INVALID, "bad");
    write_text(s, "bad", "-----BEGIN X509 CRL-----\nMIIB", 29);
    refuse_file(s, STATUS_INVALID, "damaged PEM");
    write_text(s, "bad", s->leaf.der.p, s->leaf.der.len);
    refuse_file(s, STATUS_INVALID, "CRL");
    write_crls(s, "bad", (const struct crl_order[]){one, one}, 2, false);
    refuse_file(s, STATUS_INVALID, "more bytes behind");
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        struct crl_order order = one;
        order.extension = unknown[i].extension;
        write_crls(s, "bad", &order, 1, true);
        refuse_file(s, STATUS_INVALID, unknown[i].reason);
    }
    FILE *out = fopen(path, "w");
    forge_must(out && ftruncate(fileno(out), 100 << 20) == 0 && fclose(out) == 0);
    refuse_file(s, STATUS_LIMIT, "bad");
}

/* A changed file is read again; while it is damaged or gone nothing is judged. */
static void follows_the_file(void **state)
{
    const struct state *s = *state;
    const struct asked asked = {.cert = &s->leaf, .extra = &s->intermediate, .how = WITH_ROOTS};
    const struct crl_order other = {.issuer = &s->intermediate, .serial = 7};
    const struct crl_order revokes = {.issuer = &s->intermediate, .serial = LEAF_SERIAL};
    struct smime_trust *trust = NULL;
    struct smime_certificate_info info;
    struct error err = {0};
    char path[96];
    path_of(s, "live", path);
    write_crls(s, "live", &other, 1, true);
    assert_int_equal(open_trust(s, WITH_ROOTS, false, "live", &trust, &err), STATUS_OK);
    assert_int_equal(judge(trust, &asked, &info, &err), STATUS_OK);
    assert_int_equal(info.fitness, SMIME_USABLE);
    smime_certificate_info_free(&info);

    write_crls(s, "live", &revokes, 1, true);
    assert_int_equal(judge(trust, &asked, &info, &err), STATUS_OK);
    assert_int_equal(info.fitness, SMIME_REVOKED);
    smime_certificate_info_free(&info);

    write_text(s, "live", "-----BEGIN X509 CRL-----\nMIIB", 29);
    assert_int_equal(judge(trust, &asked, &info, &err), STATUS_TEMPORARY);
    assert_non_null(strstr(err.text, path));
    unlink(path);
    assert_int_equal(judge(trust, &asked, &info, &err), STATUS_TEMPORARY);

    write_crls(s, "live", &other, 1, true);
    assert_int_equal(judge(trust, &asked, &info, &err), STATUS_OK);
    assert_int_equal(info.fitness, SMIME_USABLE);
    smime_certificate_info_free(&info);
    smime_trust_close(trust);
}

/* Kept judgements end when the lists begin to say something else. */
static void tells_when_the_lists_changed(void **state)
{
    const struct state *s = *state;
    const int64_t then = (int64_t)time(NULL) - 1;
    const int today = (int)((then - FORGE_NOW) / FORGE_DAY);
    const struct crl_order order = {
        .issuer = &s->intermediate, .days_from = today + 10, .days_to = today + 20};
    const int64_t from = FORGE_NOW + order.days_from * (int64_t)FORGE_DAY;
    const int64_t to = FORGE_NOW + order.days_to * (int64_t)FORGE_DAY;
    struct smime_trust *trust = NULL;
    struct error err = {0};
    int64_t changed = 0;
    char path[96];
    path_of(s, "live", path);
    write_crls(s, "live", &order, 1, true);
    assert_int_equal(open_trust(s, WITHOUT_ROOTS, false, "live", &trust, &err), STATUS_OK);
    assert_int_equal(smime_trust_refresh(trust, from - 1, &changed, &err), STATUS_OK);
    assert_true(changed >= then && changed <= (int64_t)time(NULL));
    assert_int_equal(smime_trust_refresh(trust, from, &changed, &err), STATUS_OK);
    assert_int_equal(changed, from);
    assert_int_equal(smime_trust_refresh(trust, to + 5, &changed, &err), STATUS_OK);
    assert_int_equal(changed, to);
    unlink(path);
    assert_int_equal(smime_trust_refresh(trust, from, &changed, &err), STATUS_TEMPORARY);
    smime_trust_close(trust);
    assert_int_equal(open_trust(s, WITH_ROOTS, false, NULL, &trust, &err), STATUS_OK);
    assert_int_equal(smime_trust_refresh(trust, from, &changed, &err), STATUS_OK);
    assert_true(changed == INT64_MIN);
    assert_int_equal(smime_trust_refresh(NULL, from, &changed, &err), STATUS_OK);
    assert_true(changed == INT64_MIN);
    smime_trust_close(trust);
}

/* ---- setup ---- */

static int make_chain(void **state)
{
    struct state *s = calloc(1, sizeof *s);
    const struct forge_order root = {.key = "P-256", .subject = "Root", .extensions = {CA}};
    const struct forge_order intermediate = {
        .key = "P-256", .subject = "Intermediate", .serial = INTERMEDIATE_SERIAL, .extensions = {CA}};
    const struct forge_order leaf = {.key = "P-256", .serial = LEAF_SERIAL, .extensions = {FORGE_SAN_ALICE}};
    const struct forge_order pointing = {
        .key = "P-256",
        .serial = LEAF_SERIAL + 5,
        .extensions = {FORGE_SAN_ALICE, {NID_crl_distribution_points, "URI:http://crl.example/1"}}};
    forge_must(s != NULL);
    s->root = forge(&root, NULL);
    s->intermediate = forge(&intermediate, &s->root);
    s->impostor = forge(&intermediate, NULL);
    const struct forge_order no_crls = {
        .given = s->intermediate.key,
        .subject = "Intermediate",
        .extensions = {{NID_basic_constraints, "CA:TRUE"}, {NID_key_usage, "keyCertSign"}}};
    s->no_crls = forge(&no_crls, &s->root);
    s->leaf = forge(&leaf, &s->intermediate);
    s->leaf_of_plain = forge(&leaf, &s->no_crls);
    s->pointing = forge(&pointing, &s->intermediate);

    char path[96];
    const char *tmp = getenv("TMPDIR");
    snprintf(s->folder, sizeof s->folder, "%.40s/crl.XXXXXX", tmp ? tmp : "/tmp");
    forge_must(mkdtemp(s->folder) != NULL);
    path_of(s, "roots.pem", path);
    FILE *out = fopen(path, "w");
    forge_must(out && PEM_write_X509(out, s->root.cert) == 1 && fclose(out) == 0);
    *state = s;
    return 0;
}

static int free_chain(void **state)
{
    struct state *s = *state;
    struct forged *const all[] = {&s->root,     &s->intermediate, &s->leaf,         &s->pointing,
                                  &s->impostor, &s->no_crls,      &s->leaf_of_plain};
    const char *const names[] = {"roots.pem", "crl", "bad", "live"};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        forged_free(all[i]);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[96];
        path_of(s, names[i], path);
        unlink(path);
    }
    rmdir(s->folder);
    free(s);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_by_lists),
        cmocka_unit_test(bad_files_are_errors),
        cmocka_unit_test(follows_the_file),
        cmocka_unit_test(tells_when_the_lists_changed),
    };
    return cmocka_run_group_tests(tests, make_chain, free_chain);
}
