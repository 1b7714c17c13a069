/* A CRL counts from the moment it is there, whatever was judged before. */
#include "tests/unit/keystore/store.h"
#include "tests/unit/smime/forge_crl.h"

#define LEAF_SERIAL 100

struct revoked {
    struct store s;
    struct forged ca;
    struct forged leaf; /* by ca, alice@example.org */
    char crl[100];
    const char *paths[1];
};

/* Replaced by rename, as the manual says. SERIAL is revoked. */
static void write_crl(struct revoked *r, long serial)
{
    int today = (int)((time(NULL) - FORGE_NOW) / FORGE_DAY);
    const struct crl_order order = {
        .issuer = &r->ca, .days_from = today - 1, .days_to = today + 30, .serial = serial};
    X509_CRL *crl = forge_crl(&order);
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;

    forge_must(PEM_write_bio_X509_CRL(bio, crl) == 1);
    long len = BIO_get_mem_data(bio, &text);
    fixture_write(&r->s.f, "fresh.crl", span_of(text, (size_t)len));
    fixture_run(&r->s.f, "mv fresh.crl ca.crl");
    BIO_free(bio);
    X509_CRL_free(crl);
}

static void forge_people(struct revoked *r)
{
    int today = (int)((time(NULL) - FORGE_NOW) / FORGE_DAY);
    const struct forge_order ca = {.key = "P-256",
                                   .subject = "Test CA",
                                   .days_from = today - 2,
                                   .days_to = today + 1000,
                                   .extensions = {{NID_basic_constraints, "critical,CA:TRUE"},
                                                  {NID_key_usage, "critical,keyCertSign,cRLSign"}}};
    const struct forge_order leaf = {.key = "P-256",
                                     .serial = LEAF_SERIAL,
                                     .days_from = today - 1,
                                     .days_to = today + 300,
                                     .extensions = {FORGE_SAN_ALICE}};
    r->ca = forge(&ca, NULL);
    r->leaf = forge(&leaf, &r->ca);
}

/* With the authority's certificate, as partners send them. */
static void add_both(struct revoked *r)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;

    forge_must(PEM_write_bio_X509(bio, r->leaf.cert) == 1 && PEM_write_bio_X509(bio, r->ca.cert) == 1);
    long len = BIO_get_mem_data(bio, &text);
    store_must(&r->s, store_add(&r->s, span_of(text, (size_t)len)));
    BIO_free(bio);
}

static int make(void **state)
{
    struct revoked *r = calloc(1, sizeof *r);

    assert_non_null(r);
    store_make(&r->s);
    forge_people(r);
    snprintf(r->crl, sizeof r->crl, "%s/ca.crl", r->s.f.dir);
    r->paths[0] = r->crl;
    r->s.settings.crl_paths = r->paths;
    r->s.settings.n_crl_paths = 1;
    *state = r;
    return 0;
}

static int drop(void **state)
{
    struct revoked *r = *state;

    forged_free(&r->ca);
    forged_free(&r->leaf);
    fixture_free(&r->s.f);
    free(r);
    return 0;
}

static int set_up(void **state)
{
    struct revoked *r = *state;

    write_crl(r, LEAF_SERIAL + 1);
    store_open(&r->s);
    add_both(r);
    assert_int_equal(store_lookup(&r->s, "alice@example.org", 0), 1);
    assert_true(r->s.list.items[0].usable);
    return 0;
}

static int tear_down(void **state)
{
    struct revoked *r = *state;

    store_clear(&r->s);
    return 0;
}

static void a_revocation_counts_at_once(void **state)
{
    struct revoked *r = *state;

    write_crl(r, LEAF_SERIAL);
    assert_int_equal(store_lookup(&r->s, "alice@example.org", 0), 1);
    assert_false(r->s.list.items[0].usable);
    assert_non_null(strstr(r->s.list.items[0].reason, "revoked on"));
    /* over its next update too */
    assert_int_equal(store_lookup(&r->s, "alice@example.org", 60), 1);
    assert_false(r->s.list.items[0].usable);
}

static void a_pin_does_not_outweigh_a_revocation(void **state)
{
    struct revoked *r = *state;
    char fingerprint[CERTIFICATE_FINGERPRINT_SIZE];

    snprintf(fingerprint, sizeof fingerprint, "%s", r->s.list.items[0].fingerprint);
    certificate_list_free(&r->s.list);
    store_must(&r->s, keystore_pin(r->s.ks, fingerprint, true, &r->s.list, &r->s.err));
    write_crl(r, LEAF_SERIAL);
    assert_int_equal(store_lookup(&r->s, "alice@example.org", 0), 1);
    assert_false(r->s.list.items[0].usable);
}

static void nothing_is_judged_while_a_list_is_missing_A33(void **state)
{
    struct revoked *r = *state;

    fixture_run(&r->s.f, "rm ca.crl");
    assert_int_equal(store_try(&r->s, "alice@example.org", 0), STATUS_TEMPORARY);
    assert_non_null(strstr(r->s.err.text, "ca.crl"));
    fixture_run(&r->s.f, "echo damaged > ca.crl");
    assert_int_equal(store_try(&r->s, "alice@example.org", 0), STATUS_TEMPORARY);
    write_crl(r, LEAF_SERIAL + 1);
    assert_int_equal(store_lookup(&r->s, "alice@example.org", 0), 1);
    assert_true(r->s.list.items[0].usable);
}

static void required_lists_must_be_fresh(void **state)
{
    struct revoked *r = *state;

    store_close(&r->s);
    r->s.settings.crl_required = true;
    store_open(&r->s);
    r->s.settings.crl_required = false;
    assert_int_equal(store_lookup(&r->s, "alice@example.org", 0), 1);
    assert_true(r->s.list.items[0].usable);
    assert_int_equal(store_lookup(&r->s, "alice@example.org", 31), 1);
    assert_false(r->s.list.items[0].usable);
    assert_non_null(strstr(r->s.list.items[0].reason, "no fresh CRL"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_revocation_counts_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_pin_does_not_outweigh_a_revocation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_judged_while_a_list_is_missing_A33, set_up, tear_down),
        cmocka_unit_test_setup_teardown(required_lists_must_be_fresh, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
