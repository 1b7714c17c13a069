/* Signed mails from the past: what proves something about its signer's programs, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "smime/signed.h"
#include "tests/unit/smime/forge.h"

#define MAIL_SIZE (1u << 20)
#define ENTITY "Content-Type: text/plain\r\n\r\nHello\r\n"
#define HEADER "From: alice@example.org\r\nMIME-Version: 1.0\r\n"
#define GCM SMIME_CAPABILITY_AES256_GCM

struct state {
    struct forged ca;
    struct forged alice; /* by ca, signs */
    struct forged bob;   /* by ca, signs too */
};

/* ---- forging ---- */

struct order {
    const char *digest; /* NULL: SHA-256 */
    int flags;          /* CMS_… beside CMS_PARTIAL and CMS_BINARY */
    bool two_signers;
    bool not_data; /* the content is no mail */
    int extra;     /* the CA's certificate, so many times */
};

static void announce(CMS_SignerInfo *info)
{
    STACK_OF(X509_ALGOR) *list = NULL;
    forge_must(CMS_add_simple_smimecap(&list, NID_aes_256_gcm, -1) == 1 &&
               CMS_add_simple_smimecap(&list, NID_aes_256_cbc, -1) == 1 && CMS_add_smimecap(info, list) == 1);
    sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
}

static CMS_ContentInfo *make_cms(const struct state *s, const struct order *order)
{
    const int flags = CMS_PARTIAL | CMS_BINARY | order->flags;
    const EVP_MD *digest = EVP_get_digestbyname(order->digest ? order->digest : "SHA256");
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, flags);
    BIO *in = BIO_new_mem_buf(ENTITY, -1);
    CMS_SignerInfo *info = CMS_add1_signer(cms, s->alice.cert, s->alice.key, digest, flags | CMS_NOSMIMECAP);
    forge_must(info != NULL);
    if (!(flags & CMS_NOATTR)) {
        announce(info);
    }
    if (order->two_signers) {
        forge_must(CMS_add1_signer(cms, s->bob.cert, s->bob.key, digest, flags) != NULL);
    }
    if (order->not_data) {
        forge_must(CMS_set1_eContentType(cms, OBJ_nid2obj(NID_id_smime_ct_TSTInfo)) == 1);
    }
    for (int i = 0; i < order->extra; i++) {
        const struct forge_order other = {.given = s->ca.key, .serial = 1000 + i};
        struct forged made = forge(&other, NULL);
        forge_must(CMS_add1_cert(cms, made.cert) == 1);
        forged_free(&made);
    }
    forge_must(CMS_final(cms, in, NULL, flags) == 1);
    BIO_free(in);
    return cms;
}

static struct span cms_der(const struct state *s, const struct order *order)
{
    CMS_ContentInfo *cms = make_cms(s, order);
    unsigned char *der = NULL;
    int len = i2d_CMS_ContentInfo(cms, &der);
    forge_must(len > 0);
    CMS_ContentInfo_free(cms);
    return span_of(der, (size_t)len);
}

static void append_base64(struct buf *to, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i += 48) {
        unsigned char line[66];
        size_t part = bytes.len - i < 48 ? bytes.len - i : 48;
        int len = EVP_EncodeBlock(line, (const unsigned char *)bytes.p + i, (int)part);
        buf_append(to, line, (size_t)len);
        buf_append_str(to, "\r\n");
    }
}

/* A multipart/signed whose content type has PARAMETERS. */
static void make_signed(struct buf *to, const char *parameters, const char *entity, struct span p7s)
{
    buf_reset(to);
    buf_printf(to, HEADER "Content-Type: multipart/signed;%s\r\n\r\npreamble\r\n--b\r\n%s\r\n--b\r\n",
               parameters, entity);
    buf_append_str(to, "Content-Type: application/pkcs7-signature\r\n"
                       "Content-Transfer-Encoding: base64\r\n\r\n");
    append_base64(to, p7s);
    buf_append_str(to, "--b--\r\nepilogue\r\n");
}

#define PARAMETERS " protocol=\"application/pkcs7-signature\"; micalg=sha-256;\r\n boundary=b"

/* ---- checks ---- */

static void expect(const struct state *s, const char *what, struct span bytes, enum status status,
                   const char *text, unsigned capabilities)
{
    struct smime_signed mail;
    struct error err = {0};
    enum status got = smime_signed_read(bytes, &mail, &err);
    if (got != status || (got == STATUS_OK ? mail.capabilities != capabilities : !strstr(err.text, text))) {
        fail_msg("%s: %s %s, capabilities %u", what, status_word(got), err.text, mail.capabilities);
    }
    if (got == STATUS_OK) {
        assert_true(span_eq(buf_span(&mail.certificate), s->alice.der));
        assert_true(mail.signed_at > 0);
    } else {
        assert_int_equal(mail.certificate.len, 0);
        assert_int_equal(mail.others.n, 0);
    }
    assert_int_equal(ERR_peek_error(), 0);
    smime_signed_free(&mail);
}

static void expect_mail(const struct state *s, const char *what, const struct order *order,
                        const char *parameters, const char *entity, enum status status, const char *text)
{
    struct buf mail;
    struct order detached = *order;
    detached.flags |= CMS_DETACHED;
    struct span p7s = cms_der(s, &detached);
    buf_init(&mail, MAIL_SIZE);
    make_signed(&mail, parameters, entity, p7s);
    expect(s, what, buf_span(&mail), status, text, order->flags & CMS_NOATTR ? 0 : GCM);
    buf_free(&mail);
    OPENSSL_free((void *)p7s.p);
}

static void reads_multipart_signed(void **state)
{
    const struct state *s = *state;
    const struct order usual = {0};
    const struct order sha512 = {.digest = "SHA512"};
    const struct order sha1 = {.digest = "SHA1"};
    const struct order bare = {.flags = CMS_NOATTR};
    const struct order nobody = {.flags = CMS_NOCERTS};
    const struct order two = {.two_signers = true};
    const struct order stamp = {.not_data = true};
    const struct order crowd = {.extra = SMIME_SIGNED_OTHERS_MAX + 1};
    expect_mail(s, "usual", &usual, PARAMETERS, ENTITY, STATUS_OK, "");
    expect_mail(s, "SHA-512", &sha512, PARAMETERS, ENTITY, STATUS_OK, "");
    expect_mail(s, "x-", &usual, " boundary=\"b\"; protocol=application/x-pkcs7-signature;", ENTITY,
                STATUS_OK, "");
    expect_mail(s, "changed", &usual, PARAMETERS, "Content-Type: text/plain\r\n\r\nHallo\r\n", STATUS_INVALID,
                "changed");
    expect_mail(s, "shorter", &usual, PARAMETERS, "Content-Type: text/plain\r\n\r\nHello", STATUS_INVALID,
                "changed");
    expect_mail(s, "SHA-1", &sha1, PARAMETERS, ENTITY, STATUS_INVALID, "too weak");
    expect_mail(s, "no attributes", &bare, PARAMETERS, ENTITY, STATUS_INVALID, "no attributes");
    expect_mail(s, "no certificate", &nobody, PARAMETERS, ENTITY, STATUS_INVALID, "certificate is not in it");
    expect_mail(s, "two signers", &two, PARAMETERS, ENTITY, STATUS_INVALID, "several signers");
    expect_mail(s, "a time stamp", &stamp, PARAMETERS, ENTITY, STATUS_INVALID, "no mail");
    expect_mail(s, "many certificates", &crowd, PARAMETERS, ENTITY, STATUS_LIMIT, "certificates");
    expect_mail(s, "OpenPGP", &usual, " protocol=\"application/pgp-signature\"; boundary=b", ENTITY,
                STATUS_NOT_FOUND, "not signed with S/MIME");
    expect_mail(s, "no protocol", &usual, " boundary=b", ENTITY, STATUS_NOT_FOUND, "not signed");
    expect_mail(s, "no boundary", &usual, " protocol=\"application/pkcs7-signature\"", ENTITY, STATUS_INVALID,
                "Content-Type is damaged");
    expect_mail(s, "two boundaries", &usual, PARAMETERS "; boundary=c", ENTITY, STATUS_INVALID,
                "Content-Type is damaged");
    expect_mail(s, "open quote", &usual, PARAMETERS "; x=\"b", ENTITY, STATUS_INVALID,
                "Content-Type is damaged");
    expect_mail(s, "another boundary", &usual, " protocol=\"application/pkcs7-signature\"; boundary=c",
                ENTITY, STATUS_INVALID, "two parts");
    expect_mail(s, "three parts", &usual, PARAMETERS, ENTITY "\r\n--b\r\n" ENTITY, STATUS_INVALID,
                "two parts");
}

/* Each flipped byte of content or signature is refused; in the certificates a bit may lie unused. */
static void a11_every_flipped_byte_counts(void **state)
{
    const struct state *s = *state;
    const struct order order = {.flags = CMS_DETACHED};
    struct span p7s = cms_der(s, &order);
    struct buf mail;
    size_t accepted = 0;
    buf_init(&mail, MAIL_SIZE);
    for (size_t i = 0; i < p7s.len; i++) {
        struct smime_signed got;
        struct error err = {0};
        char *byte = (char *)p7s.p + i;
        *byte ^= 1;
        make_signed(&mail, PARAMETERS, ENTITY, p7s);
        if (smime_signed_read(buf_span(&mail), &got, &err) == STATUS_OK) {
            accepted++;
            assert_int_equal(got.capabilities & ~(unsigned)GCM, 0);
        }
        smime_signed_free(&got);
        *byte ^= 1;
    }
    /* the key of the certificate made the signature; its other fields are judged by whoever uses it */
    assert_true(accepted < s->alice.der.len + 20);
    buf_free(&mail);
    OPENSSL_free((void *)p7s.p);
}

/* A mail saved with LF lines was signed with CRLF. */
static void reads_lf_lines(void **state)
{
    const struct state *s = *state;
    const struct order order = {.flags = CMS_DETACHED};
    struct span p7s = cms_der(s, &order);
    struct buf mail;
    buf_init(&mail, MAIL_SIZE);
    make_signed(&mail, PARAMETERS, ENTITY, p7s);
    size_t len = 0;
    for (size_t i = 0; i < mail.len; i++) {
        if (mail.data[i] != '\r') {
            mail.data[len++] = mail.data[i];
        }
    }
    expect(s, "LF", span_of(mail.data, len), STATUS_OK, "", GCM);
    buf_free(&mail);
    OPENSSL_free((void *)p7s.p);
}

static void reads_opaque_and_bare(void **state)
{
    const struct state *s = *state;
    const struct order opaque = {0};
    const struct order detached = {.flags = CMS_DETACHED};
    struct span p7m = cms_der(s, &opaque);
    struct span p7s = cms_der(s, &detached);
    struct buf mail;
    buf_init(&mail, MAIL_SIZE);
    expect(s, "p7m", p7m, STATUS_OK, "", GCM);
    expect(s, "cut p7m", span_of(p7m.p, p7m.len - 1), STATUS_NOT_FOUND, "", 0);
    expect(s, "p7s alone", p7s, STATUS_INVALID, "give the whole mail", 0);

    buf_append_str(&mail, HEADER "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n"
                                 "Content-Transfer-Encoding: base64\r\n\r\n");
    append_base64(&mail, p7m);
    expect(s, "opaque", buf_span(&mail), STATUS_OK, "", GCM);
    buf_append_str(&mail, "!!!!\r\n");
    expect(s, "bad base64", buf_span(&mail), STATUS_INVALID, "base64", 0);

    buf_reset(&mail);
    buf_append_str(&mail, HEADER "Content-Type: application/x-pkcs7-mime\r\n"
                                 "Content-Transfer-Encoding: binary\r\n\r\n");
    buf_append_span(&mail, p7m);
    expect(s, "binary", buf_span(&mail), STATUS_OK, "", GCM);
    make_signed(&mail, PARAMETERS, ENTITY, p7m);
    expect(s, "content inside and beside", buf_span(&mail), STATUS_INVALID, "twice", 0);

    buf_reset(&mail);
    buf_append_str(&mail, "-----BEGIN PKCS7-----\n");
    append_base64(&mail, p7m);
    buf_append_str(&mail, "-----END PKCS7-----\n");
    expect(s, "PEM", buf_span(&mail), STATUS_OK, "", GCM);
    buf_free(&mail);
    OPENSSL_free((void *)p7m.p);
    OPENSSL_free((void *)p7s.p);
}

/* What another reader is for. */
static void other_files_are_not_found(void **state)
{
    const struct state *s = *state;
    const char *const texts[] = {
        "",
        "hello",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
        HEADER "\r\nHello\r\n",
        HEADER "Content-Type: text/plain\r\n\r\nHello\r\n",
        "no header\r\n\r\nContent-Type: multipart/signed\r\n",
        " : folded first\r\nContent-Type: multipart/signed\r\n\r\n",
        "Content-Type: multipart/signed",
        "\x99\x01\x0d\x04",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        expect(s, texts[i], span_str(texts[i]), STATUS_NOT_FOUND, "", 0);
    }
    expect(s, "certificate", s->alice.der, STATUS_NOT_FOUND, "", 0);
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, CMS_PARTIAL | CMS_DETACHED);
    unsigned char *der = NULL;
    forge_must(CMS_add1_cert(cms, s->alice.cert) == 1);
    int len = i2d_CMS_ContentInfo(cms, &der);
    expect(s, "certificates only", span_of(der, (size_t)len), STATUS_NOT_FOUND, "not signed", 0);
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);

    char *large = calloc(1, SMIME_SIGNED_MAX + 1);
    forge_must(large != NULL);
    expect(s, "too large", span_of(large, SMIME_SIGNED_MAX + 1), STATUS_LIMIT, "limit", 0);
    free(large);
}

static void hands_out_other_certificates(void **state)
{
    const struct state *s = *state;
    const struct order order = {.extra = 3};
    struct span p7m = cms_der(s, &order);
    struct smime_signed mail;
    struct error err = {0};
    assert_int_equal(smime_signed_read(p7m, &mail, &err), STATUS_OK);
    assert_int_equal(mail.others.n, 3);
    smime_signed_free(&mail);
    smime_signed_free(&mail);
    OPENSSL_free((void *)p7m.p);
}

static int make_people(void **state)
{
    struct state *s = calloc(1, sizeof *s);
    const struct forge_order ca = {.key = "P-256", .subject = "Test CA"};
    const struct forge_order order = {.key = "P-256", .extensions = {FORGE_SAN_ALICE}};
    const struct forge_order other = {.key = "rsa2048", .serial = 5, .extensions = {FORGE_SAN_ALICE}};
    forge_must(s != NULL);
    s->ca = forge(&ca, NULL);
    s->alice = forge(&order, &s->ca);
    s->bob = forge(&other, &s->ca);
    *state = s;
    return 0;
}

static int free_people(void **state)
{
    struct state *s = *state;
    forged_free(&s->ca);
    forged_free(&s->alice);
    forged_free(&s->bob);
    free(s);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_multipart_signed),
        cmocka_unit_test(a11_every_flipped_byte_counts),
        cmocka_unit_test(reads_lf_lines),
        cmocka_unit_test(reads_opaque_and_bare),
        cmocka_unit_test(other_files_are_not_found),
        cmocka_unit_test(hands_out_other_certificates),
    };
    return cmocka_run_group_tests(tests, make_people, free_people);
}
