/* Signed mails as a source of certificates, and what they and extensions say that programs read. */
#include "tests/unit/keystore/store.h"

#include <openssl/cms.h>

#define ENTITY "Content-Type: text/plain\r\n\r\nHello\r\n"
/* SEQUENCE OF SMIMECapability (RFC 4262 §2): aes256-GCM alone. */
#define GCM_EXTENSION "DER:300d300b060960864801650304012e"

/* ---- forging ---- */

/* CIPHER: the one it is told to read. AT: when it was signed; 0: now. OTHER (may be NULL) comes with it. */
static CMS_ContentInfo *sign(const struct forged *who, int cipher, time_t at, const struct forged *other)
{
    const int flags = CMS_PARTIAL | CMS_BINARY | CMS_DETACHED | CMS_NOSMIMECAP;
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    CMS_SignerInfo *info = CMS_add1_signer(cms, who->cert, who->key, EVP_sha256(), flags);
    STACK_OF(X509_ALGOR) *list = NULL;

    forge_must(info && CMS_add_simple_smimecap(&list, cipher, -1) == 1 && CMS_add_smimecap(info, list) == 1);
    sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
    if (at) {
        ASN1_TIME *time = ASN1_TIME_set(NULL, at);
        forge_must(CMS_signed_add1_attr_by_NID(info, NID_pkcs9_signingTime, time->type, time, -1) == 1);
        ASN1_TIME_free(time);
    }
    if (other)
        forge_must(CMS_add1_cert(cms, other->cert) == 1);
    BIO *in = BIO_new_mem_buf(ENTITY, -1);
    forge_must(CMS_final(cms, in, NULL, flags) == 1);
    BIO_free(in);
    return cms;
}

static void write_mail(CMS_ContentInfo *cms, const char *entity, struct buf *out)
{
    unsigned char *der = NULL;
    int len = i2d_CMS_ContentInfo(cms, &der);

    forge_must(len > 0);
    unsigned char *text = malloc(4 * ((size_t)len / 3 + 1) + 1);
    EVP_EncodeBlock(text, der, len);
    buf_init(out, 1 << 20);
    buf_printf(out,
               "From: alice@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; "
               "protocol=\"application/pkcs7-signature\"; boundary=b\r\n\r\n--b\r\n%s\r\n--b\r\n"
               "Content-Type: application/pkcs7-signature\r\nContent-Transfer-Encoding: base64\r\n\r\n",
               entity);
    for (const char *at = (const char *)text; *at; at += strnlen(at, 64))
        buf_printf(out, "%.64s\r\n", at);
    buf_append_str(out, "--b--\r\n");
    free(text);
    OPENSSL_free(der);
}

static enum status add_mail(struct store *s, const struct forged *who, int cipher, time_t at,
                            const struct forged *other, const char *entity)
{
    struct buf mail;
    CMS_ContentInfo *cms = sign(who, cipher, at, other);

    write_mail(cms, entity, &mail);
    enum status st = store_add(s, buf_span(&mail));
    buf_free(&mail);
    CMS_ContentInfo_free(cms);
    return st;
}

static unsigned capabilities(struct store *s, const char *address)
{
    assert_int_equal(store_lookup(s, address, 0), 1);
    return s->list.items[0].capabilities;
}

/* ---- tests ---- */

static void a_signed_mail_brings_certificate_and_capabilities(void **state)
{
    struct store *s = *state;
    struct forged bob = store_forge("email:bob@example.org", 100, NULL);
    struct forged other = store_forge("email:carol@example.org", 100, NULL);

    store_must(s, add_mail(s, &bob, NID_aes_256_gcm, 0, &other, ENTITY));
    assert_int_equal(s->list.n, 1);
    assert_true(span_eq(buf_span(&s->list.items[0].bytes), bob.der));
    assert_int_equal(s->list.items[0].capabilities, CAPABILITY_AES256_GCM);
    assert_int_equal(capabilities(s, "bob@example.org"), CAPABILITY_AES256_GCM);
    /* what else lay in it is covered by no signature */
    assert_int_equal(store_lookup(s, "carol@example.org", 0), 0);
    forged_free(&bob);
    forged_free(&other);
}

static void a_later_mail_counts(void **state)
{
    struct store *s = *state;
    struct forged bob = store_forge("email:bob@example.org", 100, NULL);
    time_t now = time(NULL);

    store_must(s, store_add(s, bob.der));
    assert_int_equal(capabilities(s, "bob@example.org"), 0);
    store_must(s, add_mail(s, &bob, NID_aes_256_gcm, now - 1000, NULL, ENTITY));
    assert_int_equal(capabilities(s, "bob@example.org"), CAPABILITY_AES256_GCM);
    store_must(s, add_mail(s, &bob, NID_aes_256_cbc, now - 2000, NULL, ENTITY)); /* older */
    assert_int_equal(capabilities(s, "bob@example.org"), CAPABILITY_AES256_GCM);
    store_must(s, add_mail(s, &bob, NID_aes_256_cbc, now - 500, NULL, ENTITY));
    assert_int_equal(capabilities(s, "bob@example.org"), 0);
    /* one from the future keeps no later one out */
    store_must(s, add_mail(s, &bob, NID_aes_256_cbc, now + 40000, NULL, ENTITY));
    store_must(s, add_mail(s, &bob, NID_aes_256_gcm, now + 30000, NULL, ENTITY));
    assert_int_equal(capabilities(s, "bob@example.org"), CAPABILITY_AES256_GCM);
    /* the certificate alone takes nothing away */
    store_must(s, store_add(s, bob.der));
    assert_int_equal(capabilities(s, "bob@example.org"), CAPABILITY_AES256_GCM);
    assert_int_equal(store_lookup(s, "bob@example.org", 2), 1); /* judged anew */
    assert_int_equal(s->list.items[0].capabilities, CAPABILITY_AES256_GCM);
    forged_free(&bob);
}

static void the_extension_counts_until_there_is_a_mail(void **state)
{
    struct store *s = *state;
    int today = (int)((time(NULL) - FORGE_NOW) / FORGE_DAY);
    const struct forge_order order = {.key = "P-256",
                                      .days_from = today - 1,
                                      .days_to = today + 100,
                                      .extensions = {{NID_subject_alt_name, "email:bob@example.org"},
                                                     {NID_SMIMECapabilities, GCM_EXTENSION}}};
    struct forged bob = forge(&order, NULL);

    store_must(s, store_add(s, bob.der));
    assert_int_equal(capabilities(s, "bob@example.org"), CAPABILITY_AES256_GCM);
    store_must(s, add_mail(s, &bob, NID_aes_256_cbc, 0, NULL, ENTITY));
    assert_int_equal(capabilities(s, "bob@example.org"), 0);
    forged_free(&bob);
}

static void a_mail_that_proves_nothing_adds_nothing(void **state)
{
    struct store *s = *state;
    struct forged bob = store_forge("email:bob@example.org", 100, NULL);

    assert_int_equal(add_mail(s, &bob, NID_aes_256_gcm, 0, NULL, "Content-Type: text/plain\r\n\r\nHullo\r\n"),
                     STATUS_INVALID);
    assert_int_equal(store_lookup(s, "bob@example.org", 0), 0);
    assert_int_equal(
        store_add(s, span_str("From: a@example.org\r\nContent-Type: text/plain\r\n\r\nHello\r\n")),
        STATUS_INVALID);
    forged_free(&bob);
}

/* The authorities of the mail make the chain, also when the certificate comes again without them. */
static void authorities_that_came_along_are_kept(void **state)
{
    struct store *s = *state;
    struct forged root = store_forge_ca();
    struct forged middle = store_forge_ca_below(&root);
    struct forged bob = store_forge("email:bob@example.org", 100, &middle);

    store_trust(s, &root);
    store_must(s, store_add(s, bob.der));
    assert_false(s->list.items[0].usable);
    store_must(s, add_mail(s, &bob, NID_aes_256_gcm, 0, &middle, ENTITY));
    assert_int_equal(s->list.n, 1);
    assert_true(s->list.items[0].usable);
    store_must(s, store_add(s, bob.der));
    assert_true(s->list.items[0].usable);
    forged_free(&bob);
    forged_free(&middle);
    forged_free(&root);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_set_up, store_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_signed_mail_brings_certificate_and_capabilities),
        TEST(a_later_mail_counts),
        TEST(the_extension_counts_until_there_is_a_mail),
        TEST(a_mail_that_proves_nothing_adds_nothing),
        TEST(authorities_that_came_along_are_kept),
    };

    return cmocka_run_group_tests(tests, store_group_make, store_group_drop);
}
