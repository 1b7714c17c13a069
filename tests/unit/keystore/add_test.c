/* Adding: each file format, all or none, what is refused. */
#include "tests/unit/keystore/store.h"

#include <openssl/pem.h>
#include <openssl/pkcs7.h>

static size_t count_all(struct store *s)
{
    certificate_list_free(&s->list);
    store_must(s, keystore_list(s->ks, &s->list, &s->err));
    return s->list.n;
}

/* ---- formats ---- */

static void armored_and_binary_openpgp_are_the_same(void **state)
{
    struct store *s = *state;
    struct buf first;

    store_must(s, store_add_file(s, "alice.pgp"));
    assert_int_equal(s->list.n, 1);
    struct certificate *c = &s->list.items[0];
    assert_int_equal(c->format, CERTIFICATE_OPENPGP);
    assert_int_equal(strlen(c->fingerprint), 40);
    assert_true(c->usable);
    assert_string_equal(c->reason, "");
    assert_string_equal(c->source, "local");
    assert_string_equal(c->addresses, "Alice@Example.ORG");
    assert_string_equal(c->name, "Alice <Alice@Example.ORG>");
    assert_string_equal(c->algorithm, "cv25519");
    assert_int_equal(c->n_keyids, 1);
    assert_true(c->keyids[0] != 0);
    assert_true(c->expires == 0 && c->added > 0);
    buf_init(&first, KEYSTORE_BYTES_MAX);
    buf_append_span(&first, buf_span(&c->bytes));

    store_must(s, store_add_file(s, "alice.asc"));
    assert_true(span_eq(buf_span(&s->list.items[0].bytes), buf_span(&first)));
    buf_free(&first);
    assert_int_equal(count_all(s), 1);
}

static void several_openpgp_certificates_in_one_file(void **state)
{
    struct store *s = *state;

    fixture_run(&s->f, "cat alice.pgp carol.pgp alice.pgp > many.pgp; "
                       "printf '\\357\\273\\277Hello\\n' | cat - alice.asc carol.asc dave.asc > many.asc");
    store_must(s, store_add_file(s, "many.pgp"));
    assert_int_equal(s->list.n, 2); /* alice once */
    store_must(s, store_add_file(s, "many.asc"));
    assert_int_equal(s->list.n, 3);
    assert_int_equal(count_all(s), 3);
}

static struct span pem(X509 *const *certs, size_t n, BIO **bio_out)
{
    char *data;

    *bio_out = BIO_new(BIO_s_mem());
    for (size_t i = 0; i < n; i++)
        forge_must(PEM_write_bio_X509(*bio_out, certs[i]) == 1);
    long len = BIO_get_mem_data(*bio_out, &data);
    return span_of(data, (size_t)len);
}

static struct span pkcs7(X509 *const *certs, size_t n, BIO **bio_out)
{
    PKCS7 *p7 = PKCS7_new();
    char *data;

    forge_must(PKCS7_set_type(p7, NID_pkcs7_signed) == 1 && PKCS7_content_new(p7, NID_pkcs7_data) == 1);
    for (size_t i = 0; i < n; i++)
        forge_must(PKCS7_add_certificate(p7, certs[i]) == 1);
    *bio_out = BIO_new(BIO_s_mem());
    forge_must(i2d_PKCS7_bio(*bio_out, p7) == 1);
    PKCS7_free(p7);
    long len = BIO_get_mem_data(*bio_out, &data);
    return span_of(data, (size_t)len);
}

static void x509_in_each_wrapping(void **state)
{
    struct store *s = *state;
    struct forged ca = store_forge_ca();
    struct forged alice = store_forge("email:Alice@Example.org", 365, &ca);
    X509 *const certs[] = {ca.cert, alice.cert};
    BIO *bios[2];
    const struct span files[] = {alice.der, pem(certs, 2, &bios[0]), pkcs7(certs, 2, &bios[1])};

    for (size_t i = 0; i < 3; i++) {
        store_must(s, store_add(s, files[i]));
        assert_int_equal(s->list.n, 1); /* the CA is skipped */
        struct certificate *c = &s->list.items[0];
        assert_int_equal(c->format, CERTIFICATE_SMIME);
        assert_int_equal(strlen(c->fingerprint), 64);
        assert_true(c->usable);
        assert_string_equal(c->addresses, "Alice@Example.org");
        assert_string_equal(c->name, "CN=Test");
        assert_string_equal(c->algorithm, "nistp256");
        assert_true(span_eq(buf_span(&c->bytes), alice.der));
        assert_true(c->expires > time(NULL));
        assert_int_equal(c->n_keyids, 0);
        assert_int_equal(count_all(s), 1);
    }
    BIO_free(bios[0]);
    BIO_free(bios[1]);
    forged_free(&alice);
    forged_free(&ca);
}

/* An intermediate that came with the certificate is there when it is judged again. */
static void a_chain_is_kept(void **state)
{
    struct store *s = *state;
    struct forged root = store_forge_ca();
    int today = (int)((time(NULL) - FORGE_NOW) / FORGE_DAY);
    const struct forge_order order = {
        .key = "P-256",
        .subject = "Intermediate",
        .days_from = today - 2,
        .days_to = today + 1000,
        .extensions = {{NID_basic_constraints, "critical,CA:TRUE"}, {NID_key_usage, "critical,keyCertSign"}}};
    struct forged intermediate = forge(&order, &root);
    struct forged alice = store_forge("email:alice@example.org", 365, &intermediate);
    X509 *const bundle[] = {alice.cert, intermediate.cert};
    BIO *bios[2];

    fixture_write(&s->f, "roots.pem", pem(&root.cert, 1, &bios[0]));
    store_close(s);
    s->settings.roots_path = s->roots;
    store_open(s);
    store_must(s, store_add(s, alice.der));
    assert_false(s->list.items[0].usable);
    assert_non_null(strstr(s->list.items[0].reason, "no chain to a trusted root"));
    store_must(s, store_add(s, pem(bundle, 2, &bios[1])));
    assert_true(s->list.items[0].usable);
    assert_int_equal(store_lookup(s, "alice@example.org", 2), 1);
    assert_true(s->list.items[0].usable);
    BIO_free(bios[0]);
    BIO_free(bios[1]);
    forged_free(&alice);
    forged_free(&intermediate);
    forged_free(&root);
}

static void unusable_ones_are_added_with_the_reason(void **state)
{
    struct store *s = *state;
    struct forged old = store_forge("email:old@example.org", 0, NULL);

    store_must(s, store_add_file(s, "frank.asc"));
    assert_false(s->list.items[0].usable);
    assert_string_equal(s->list.items[0].reason, "revoked");
    store_must(s, store_add(s, old.der));
    assert_false(s->list.items[0].usable);
    assert_non_null(strstr(s->list.items[0].reason, "expired on 20"));
    forged_free(&old);
}

static void a_new_copy_replaces_the_old(void **state)
{
    struct store *s = *state;
    const char *text = "gpg --quick-add-uid $(gpg --list-keys --with-colons dave@example.org | "
                       "awk -F: '/^fpr/{print $10; exit}') 'Dave <dave@example.net>'; "
                       "gpg --export dave@example.net > dave2.pgp";

    store_must(s, store_add_file(s, "dave.pgp"));
    assert_int_equal(store_lookup(s, "dave@example.net", 0), 0);
    fixture_run(&s->f, "%s", text);
    store_must(s, store_add_file(s, "dave2.pgp"));
    assert_int_equal(store_lookup(s, "dave@example.net", 0), 1);
    assert_int_equal(store_lookup(s, "dave@example.org", 0), 1);
    store_must(s, store_add_file(s, "dave.pgp"));
    assert_int_equal(store_lookup(s, "dave@example.net", 0), 0);
    assert_int_equal(count_all(s), 1);
}

/* ---- refusals ---- */

static void refuse(struct store *s, struct span file, enum status expected, const char *word)
{
    assert_int_equal(store_add(s, file), expected);
    assert_int_equal(s->list.n, 0);
    if (!strstr(s->err.text, word))
        fail_msg("no \"%s\" in: %s", word, s->err.text);
    assert_int_equal(count_all(s), 0);
}

static void refuse_file(struct store *s, const char *name, const char *word)
{
    struct buf file;

    fixture_read(&s->f, name, &file);
    refuse(s, buf_span(&file), STATUS_INVALID, word);
    buf_free(&file);
}

static void what_is_no_certificate_is_refused(void **state)
{
    struct store *s = *state;
    char junk[2000];

    memset(junk, 0x99, sizeof junk);
    refuse(s, span_of(NULL, 0), STATUS_INVALID, "empty");
    refuse(s, span_str("\xef\xbb\xbf"), STATUS_INVALID, "no certificate");
    refuse(s, span_str("Hello\n"), STATUS_INVALID, "no certificate");
    refuse(s, span_str("see -----BEGIN PGP PUBLIC KEY BLOCK-----\n"), STATUS_INVALID, "no certificate");
    refuse(s, span_of(junk, sizeof junk), STATUS_INVALID, "");
    memset(junk, 0x30, sizeof junk);
    junk[1] = (char)0x82;
    refuse(s, span_of(junk, sizeof junk), STATUS_INVALID, "certificate");
    fixture_run(&s->f, "head -c 200 alice.pgp > cut.pgp; head -n 6 alice.asc > cut.asc");
    refuse_file(s, "cut.pgp", "");
    refuse_file(s, "cut.asc", "");
}

static void secret_keys_are_refused(void **state)
{
    struct store *s = *state;

    refuse_file(s, "secret.asc", "private key");
    refuse(s, span_str("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), STATUS_INVALID,
           "private key");
}

static void both_formats_in_one_file_are_refused(void **state)
{
    struct store *s = *state;
    struct forged alice = store_forge("email:alice@example.org", 365, NULL);
    BIO *bio;

    fixture_write(&s->f, "x.pem", pem(&alice.cert, 1, &bio));
    fixture_run(&s->f, "cat x.pem alice.asc > mixed; cat alice.asc x.pem > mixed2");
    refuse_file(s, "mixed", "one file of each");
    refuse_file(s, "mixed2", "one file of each");
    BIO_free(bio);
    forged_free(&alice);
}

static void a_file_is_added_as_a_whole_or_not(void **state)
{
    struct store *s = *state;
    struct forged good = store_forge("email:alice@example.org", 365, NULL);
    struct forged nameless = store_forge("DNS:example.org", 365, NULL);
    X509 *const certs[] = {good.cert, nameless.cert};
    BIO *bio;

    refuse(s, pem(certs, 2, &bio), STATUS_INVALID, "has no address");
    fixture_run(&s->f, "{ cat alice.pgp; head -c 200 carol.pgp; } > half.pgp");
    refuse_file(s, "half.pgp", "");
    BIO_free(bio);
    forged_free(&nameless);
    forged_free(&good);
}

static void authorities_alone_are_refused(void **state)
{
    struct store *s = *state;
    struct forged ca = store_forge_ca();

    refuse(s, ca.der, STATUS_INVALID, "authorities");
    forged_free(&ca);
}

static void a_source_is_a_short_word(void **state)
{
    struct store *s = *state;
    struct buf file;
    struct certificate_list list;

    fixture_read(&s->f, "alice.pgp", &file);
    assert_int_equal(keystore_add(s->ks, buf_span(&file), "", &list, &s->err), STATUS_INVALID);
    assert_int_equal(keystore_add(s->ks, buf_span(&file), "123456789012345678901234", &list, &s->err),
                     STATUS_INVALID);
    store_must(s, keystore_add(s->ks, buf_span(&file), "12345678901234567890123", &list, &s->err));
    assert_string_equal(list.items[0].source, "12345678901234567890123");
    certificate_list_free(&list);
    buf_free(&file);
}

/* One address cannot be filled without bound, and a refused file leaves nothing. */
static void certificates_of_an_address_are_bounded(void **state)
{
    struct store *s = *state;
    EVP_PKEY *key = forge_key("P-256");
    int today = (int)((time(NULL) - FORGE_NOW) / FORGE_DAY);
    struct buf file;

    buf_init(&file, 1 << 20);
    for (long i = 0; i <= KEYSTORE_PER_ADDRESS_MAX; i++) {
        const struct forge_order order = {.given = key,
                                          .serial = i + 1,
                                          .days_from = today - 1,
                                          .days_to = today + 9,
                                          .extensions = {FORGE_SAN_ALICE}};
        struct forged one = forge(&order, NULL);
        BIO *bio;
        buf_append_span(&file, pem(&one.cert, 1, &bio));
        BIO_free(bio);
        forged_free(&one);
    }
    refuse(s, buf_span(&file), STATUS_LIMIT, "100 certificates already");
    EVP_PKEY_free(key);
    buf_free(&file);
}

static void a_failed_inspection_adds_nothing(void **state)
{
    struct store *s = *state;
    struct buf file;

    fixture_read(&s->f, "alice.pgp", &file);
    fixture_run(&s->f, "touch broken");
    refuse(s, buf_span(&file), STATUS_TEMPORARY, "");
    fixture_run(&s->f, "rm broken");
    store_must(s, store_add(s, buf_span(&file)));
    buf_free(&file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(armored_and_binary_openpgp_are_the_same),
        TEST(several_openpgp_certificates_in_one_file),
        TEST(x509_in_each_wrapping),
        TEST(a_chain_is_kept),
        TEST(unusable_ones_are_added_with_the_reason),
        TEST(a_new_copy_replaces_the_old),
        TEST(what_is_no_certificate_is_refused),
        TEST(secret_keys_are_refused),
        TEST(both_formats_in_one_file_are_refused),
        TEST(a_file_is_added_as_a_whole_or_not),
        TEST(authorities_alone_are_refused),
        TEST(a_source_is_a_short_word),
        TEST(certificates_of_an_address_are_bounded),
        TEST(a_failed_inspection_adds_nothing),
    };

    return cmocka_run_group_tests(tests, store_group_make, store_group_drop);
}
