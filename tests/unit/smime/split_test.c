#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <time.h>

#include "smime/smime.h"
#include "tests/unit/smime/forge.h"

#define N 3

struct state {
    struct forged made[N];
    BIO *file; /* what a test puts together */
};

static struct span content(BIO *file)
{
    char *p = NULL;
    long len = BIO_get_mem_data(file, &p);
    return span_of(p, (size_t)len);
}

static void put_pem(BIO *file, struct forged *made, const char *name)
{
    forge_must(PEM_write_bio(file, name, "", (const unsigned char *)made->der.p, (long)made->der.len) > 0);
}

/* Certs-only SignedData of all three. */
static CMS_ContentInfo *make_pkcs7(struct state *s)
{
    STACK_OF(X509) *certs = sk_X509_new_null();
    for (size_t i = 0; i < N; i++) {
        sk_X509_push(certs, s->made[i].cert);
    }
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, certs, NULL, CMS_BINARY | CMS_PARTIAL);
    forge_must(cms != NULL);
    sk_X509_free(certs);
    return cms;
}

static void put_pkcs7(struct state *s)
{
    CMS_ContentInfo *cms = make_pkcs7(s);
    forge_must(i2d_CMS_bio(s->file, cms) == 1);
    CMS_ContentInfo_free(cms);
}

/* Splits what is in the file; the certificates must be the first N_WANTED made, in any order of PKCS#7's SET.
 */
static void expect(struct state *s, size_t n_wanted)
{
    struct smime_certificates list;
    struct error err = {0};
    if (smime_certificates_split(content(s->file), N, &list, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(list.n, n_wanted);
    for (size_t i = 0; i < n_wanted; i++) {
        size_t found = 0;
        for (size_t j = 0; j < list.n; j++) {
            found += span_eq(buf_span(&list.items[j]), s->made[i].der);
        }
        assert_int_equal(found, 1);
    }
    smime_certificates_free(&list);
    assert_int_equal(ERR_peek_error(), 0);
}

static void refuse(struct span file, enum status status, const char *text)
{
    struct smime_certificates list;
    struct error err = {0};
    enum status got = smime_certificates_split(file, N, &list, &err);
    if (got != status || !strstr(err.text, text) || list.n != 0 || list.items) {
        fail_msg("wanted %s with \"%s\", got %s: %s", status_word(status), text, status_word(got), err.text);
    }
    smime_certificates_free(&list);
}

static void takes_pem(void **state)
{
    struct state *s = *state;
    put_pem(s->file, &s->made[0], "CERTIFICATE");
    expect(s, 1);
}

static void takes_pem_bundle_with_text_between(void **state)
{
    struct state *s = *state;
    BIO_puts(s->file, "\xef\xbb\xbf 0 s:CN = somebody\r\n");
    put_pem(s->file, &s->made[0], "CERTIFICATE");
    BIO_puts(s->file, "# this is not a PRIVATE KEY\n");
    put_pem(s->file, &s->made[1], "X509 CERTIFICATE");
    put_pem(s->file, &s->made[0], "X509 CRL"); /* other kinds are passed over unread */
    put_pem(s->file, &s->made[2], "CERTIFICATE");
    expect(s, 3);
}

static void takes_pem_with_crlf(void **state)
{
    struct state *s = *state;
    BIO *lf = BIO_new(BIO_s_mem());
    put_pem(lf, &s->made[0], "CERTIFICATE");
    struct span text = content(lf);
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] == '\n') {
            BIO_puts(s->file, "\r");
        }
        BIO_write(s->file, text.p + i, 1);
    }
    BIO_free(lf);
    expect(s, 1);
}

static void takes_der(void **state)
{
    struct state *s = *state;
    BIO_write(s->file, s->made[0].der.p, (int)s->made[0].der.len);
    expect(s, 1);
}

static void takes_pkcs7_der(void **state)
{
    struct state *s = *state;
    put_pkcs7(s);
    expect(s, 3);
}

/* As some directories write it: indefinite lengths around the SignedData. */
static void takes_pkcs7_ber(void **state)
{
    struct state *s = *state;
    unsigned char *der = NULL;
    CMS_ContentInfo *cms = make_pkcs7(s);
    int len = i2d_CMS_ContentInfo(cms, &der);
    assert_true(len > 300 && der[1] == 0x82 && der[16] == 0x82);
    BIO_write(s->file, "\x30\x80", 2);
    BIO_write(s->file, der + 4, 11);
    BIO_write(s->file, "\xa0\x80", 2);
    BIO_write(s->file, der + 19, len - 19);
    BIO_write(s->file, "\0\0\0\0", 4);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    expect(s, 3);
    BIO_write(s->file, "", 1);
    refuse(content(s->file), STATUS_INVALID, "damaged");
}

static void takes_pkcs7_pem(void **state)
{
    struct state *s = *state;
    static const char *const names[] = {"PKCS7", "CMS", "PKCS #7 SIGNED DATA"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsigned char *der = NULL;
        CMS_ContentInfo *cms = make_pkcs7(s);
        int len = i2d_CMS_ContentInfo(cms, &der);
        (void)BIO_reset(s->file);
        forge_must(PEM_write_bio(s->file, names[i], "", der, len) > 0);
        OPENSSL_free(der);
        CMS_ContentInfo_free(cms);
        expect(s, 3);
    }
}

/* The text of a certificate is never taken for a file of its own. */
static void does_not_look_for_pem_inside_der(void **state)
{
    struct state *s = *state;
    BIO *pem = BIO_new(BIO_s_mem());
    put_pem(pem, &s->made[1], "CERTIFICATE");
    BIO_write(pem, "", 1);
    const struct forge_order order = {
        .key = "P-256", .subject = "-----BEGIN RSA PRIVATE KEY-----", .extensions = {FORGE_SAN_ALICE}};
    struct forged outer = forge(&order, NULL);
    ASN1_OCTET_STRING *text = ASN1_OCTET_STRING_new();
    ASN1_STRING_set(text, content(pem).p, (int)content(pem).len);
    X509_add1_ext_i2d(outer.cert, NID_netscape_comment, text, 0, X509V3_ADD_DEFAULT);
    forge_must(X509_sign(outer.cert, outer.key, EVP_sha256()) > 0);
    i2d_X509_bio(s->file, outer.cert);
    struct smime_certificates list;
    assert_int_equal(smime_certificates_split(content(s->file), N, &list, NULL), STATUS_OK);
    assert_int_equal(list.n, 1);
    assert_true(span_eq(buf_span(&list.items[0]), content(s->file)));
    smime_certificates_free(&list);
    ASN1_OCTET_STRING_free(text);
    forged_free(&outer);
    BIO_free(pem);
}

static void refuses_private_keys(void **state)
{
    struct state *s = *state;
    put_pem(s->file, &s->made[0], "CERTIFICATE");
    PEM_write_bio_PKCS8PrivateKey(s->file, s->made[0].key, NULL, NULL, 0, NULL, NULL);
    refuse(content(s->file), STATUS_INVALID, "private key");

    static const char *const others[] = {"-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
                                         "-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY----",
                                         "x\n-----BEGIN OPENSSH PRIVATE KEY-----\r\n",
                                         "-----BEGIN PGP PRIVATE KEY BLOCK-----\n"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        refuse(span_str(others[i]), STATUS_INVALID, "private key");
    }
}

static void refuses_binary_private_keys(void **state)
{
    struct state *s = *state;
    i2d_PrivateKey_bio(s->file, s->made[0].key);
    refuse(content(s->file), STATUS_INVALID, "certificates");
    (void)BIO_reset(s->file);

    PKCS12 *p12 = PKCS12_create("secret", "x", s->made[0].key, s->made[0].cert, NULL, 0, 0, 0, 0, 0);
    assert_non_null(p12);
    i2d_PKCS12_bio(s->file, p12);
    PKCS12_free(p12);
    refuse(content(s->file), STATUS_INVALID, "certificates");
}

static void refuses_junk(void **state)
{
    struct state *s = *state;
    refuse(span_str(""), STATUS_INVALID, "empty");
    refuse(span_of(NULL, 0), STATUS_INVALID, "empty");
    refuse(span_str("0"), STATUS_INVALID, "none found");
    refuse(span_str("hello\n"), STATUS_INVALID, "none found");
    refuse(span_str("-----BEGIN CERTIFICATE-----\n"), STATUS_INVALID, "damaged PEM");
    refuse(span_str("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n"), STATUS_INVALID,
           "damaged PEM");
    refuse(span_str("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), STATUS_INVALID,
           "damaged");
    refuse(span_str("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"), STATUS_INVALID,
           "none found");
    refuse(span_of("\x30\x80\x00\x00", 4), STATUS_INVALID, "damaged");
    refuse(span_of("\x30\x00", 2), STATUS_INVALID, "damaged");

    BIO_write(s->file, s->made[0].der.p, (int)s->made[0].der.len);
    BIO_write(s->file, s->made[1].der.p, (int)s->made[1].der.len);
    refuse(content(s->file), STATUS_INVALID, "none found"); /* two DER behind each other are no format */
}

/* One damaged certificate among good ones is never passed over in silence. */
static void refuses_bundle_with_damaged_one(void **state)
{
    struct state *s = *state;
    put_pem(s->file, &s->made[0], "CERTIFICATE");
    BIO_puts(s->file, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    put_pem(s->file, &s->made[1], "CERTIFICATE");
    refuse(content(s->file), STATUS_INVALID, "damaged");
}

static void refuses_truncated_der(void **state)
{
    struct state *s = *state;
    put_pkcs7(s);
    struct span whole = content(s->file);
    for (size_t len = 0; len < whole.len; len++) {
        refuse(span_of(whole.p, len), STATUS_INVALID, "");
    }
    for (size_t len = 0; len < s->made[0].der.len; len++) {
        refuse(span_of(s->made[0].der.p, len), STATUS_INVALID, "");
    }
}

static void refuses_more_than_asked_for(void **state)
{
    struct state *s = *state;
    for (size_t i = 0; i < N + 1; i++) {
        put_pem(s->file, &s->made[i % N], "CERTIFICATE");
    }
    refuse(content(s->file), STATUS_LIMIT, "more than 3");
}

/* A14 */
static void refuses_100_megabytes_at_once(void **state)
{
    struct state *s = *state;
    const size_t size = 100u << 20;
    char *large = calloc(1, size);
    assert_non_null(large);
    memcpy(large, s->made[0].der.p, s->made[0].der.len);
    clock_t start = clock();
    refuse(span_of(large, size), STATUS_LIMIT, "the limit is 1048576");
    memset(large, '-', size);
    refuse(span_of(large, size), STATUS_LIMIT, "the limit is 1048576");
    memset(large, '-', SMIME_FILE_MAX);
    refuse(span_of(large, SMIME_FILE_MAX), STATUS_INVALID, "");
    memset(large, 0x30, SMIME_FILE_MAX);
    refuse(span_of(large, SMIME_FILE_MAX), STATUS_INVALID, "");
    for (size_t i = 0; i < SMIME_FILE_MAX; i += 11) {
        memcpy(large + i, "-----BEGIN ", SMIME_FILE_MAX - i < 11 ? SMIME_FILE_MAX - i : 11);
    }
    refuse(span_of(large, SMIME_FILE_MAX), STATUS_INVALID, "");
    /* Of this process, so that a busy machine does not matter. */
    assert_true(clock() - start < CLOCKS_PER_SEC);
    free(large);
}

static int make_certificates(void **state)
{
    struct state *s = calloc(1, sizeof *s);
    forge_must(s != NULL);
    for (int i = 0; i < N; i++) {
        s->made[i] = forge_alice("P-256", i + 1);
    }
    *state = s;
    return 0;
}

static int free_certificates(void **state)
{
    struct state *s = *state;
    for (size_t i = 0; i < N; i++) {
        forged_free(&s->made[i]);
    }
    free(s);
    return 0;
}

static int open_file(void **state)
{
    struct state *s = *state;
    s->file = BIO_new(BIO_s_mem());
    return s->file ? 0 : 1;
}

static int close_file(void **state)
{
    struct state *s = *state;
    BIO_free(s->file);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_file, close_file)
    const struct CMUnitTest tests[] = {
        TEST(takes_pem),
        TEST(takes_pem_bundle_with_text_between),
        TEST(takes_pem_with_crlf),
        TEST(takes_der),
        TEST(takes_pkcs7_der),
        TEST(takes_pkcs7_ber),
        TEST(takes_pkcs7_pem),
        TEST(does_not_look_for_pem_inside_der),
        TEST(refuses_private_keys),
        TEST(refuses_binary_private_keys),
        TEST(refuses_junk),
        TEST(refuses_bundle_with_damaged_one),
        TEST(refuses_truncated_der),
        TEST(refuses_more_than_asked_for),
        TEST(refuses_100_megabytes_at_once),
    };
    return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}
