/* smime_check on messages that OpenSSL makes otherwise than smime_encrypt does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/cms.h>
#include <openssl/ec.h>

#include "tests/unit/smime/people.h"

typedef void change_fn(CMS_ContentInfo *cms);

struct other {
    const char *what;
    const EVP_CIPHER *(*cipher)(void);
    unsigned flags; /* of CMS_add1_recipient_cert, CMS_final */
    enum who who;
    bool default_kdf;  /* SHA-1, as OpenSSL has it */
    change_fn *change; /* NULL: none */
    const char *problem;
};

static void add_password(CMS_ContentInfo *cms)
{
    unsigned char *password = (unsigned char *)OPENSSL_strdup("secret");
    forge_must(CMS_add0_recipient_password(cms, -1, NID_undef, NID_undef, password, 6, NULL) != NULL);
}

static void add_kek(CMS_ContentInfo *cms)
{
    unsigned char *key = OPENSSL_zalloc(32);
    unsigned char *id = OPENSSL_zalloc(4);
    forge_must(CMS_add0_recipient_key(cms, NID_undef, key, 32, id, 4, NULL, NULL, NULL) != NULL);
}

static void use_oaep(CMS_ContentInfo *cms)
{
    CMS_RecipientInfo *ri = sk_CMS_RecipientInfo_value(CMS_get0_RecipientInfos(cms), 0);
    forge_must(EVP_PKEY_CTX_set_rsa_padding(CMS_RecipientInfo_get0_pkey_ctx(ri), RSA_PKCS1_OAEP_PADDING) ==
               1);
}

static void use_small_wrap(CMS_ContentInfo *cms)
{
    CMS_RecipientInfo *ri = sk_CMS_RecipientInfo_value(CMS_get0_RecipientInfos(cms), 0);
    forge_must(EVP_EncryptInit_ex(CMS_RecipientInfo_kari_get0_ctx(ri), EVP_aes_128_wrap(), NULL, NULL, NULL));
}

static void add_again(CMS_ContentInfo *cms)
{
    CMS_RecipientInfo *ri = sk_CMS_RecipientInfo_value(CMS_get0_RecipientInfos(cms), 0);
    X509 *cert = NULL;
    forge_must(CMS_RecipientInfo_ktri_get0_algs(ri, NULL, &cert, NULL) == 1);
    forge_must(CMS_add1_recipient_cert(cms, cert, 0) != NULL);
}

static void detach(CMS_ContentInfo *cms)
{
    forge_must(CMS_set_detached(cms, 1) == 1);
}

static const struct other others[] = {
    {"AES-128", EVP_aes_128_cbc, 0, BOB, false, NULL, "not AES-256-CBC"},
    {"3DES", EVP_des_ede3_cbc, 0, BOB, false, NULL, "not AES-256-CBC"},
    {"AuthEnvelopedData", EVP_aes_256_gcm, 0, BOB, false, NULL, "whole ContentInfo"},
    {"subjectKeyIdentifier", EVP_aes_256_cbc, CMS_USE_KEYID, BOB, false, NULL, "KeyTransRecipientInfo"},
    {"rKeyId", EVP_aes_256_cbc, CMS_USE_KEYID, ALICE, false, NULL, "KeyAgreeRecipientInfo"},
    {"OAEP", EVP_aes_256_cbc, CMS_KEY_PARAM, BOB, false, use_oaep, "KeyTransRecipientInfo"},
    {"SHA-1 KDF", EVP_aes_256_cbc, 0, ALICE, true, NULL, "KeyAgreeRecipientInfo"},
    {"AES-128 wrap", EVP_aes_256_cbc, 0, ALICE, false, use_small_wrap, "KeyAgreeRecipientInfo"},
    {"password recipient too", EVP_aes_256_cbc, 0, BOB, false, add_password, "kind that was not asked for"},
    {"KEK recipient too", EVP_aes_256_cbc, 0, BOB, false, add_kek, "kind that was not asked for"},
    {"the same recipient twice", EVP_aes_256_cbc, 0, BOB, false, add_again, "none of the certificates"},
    {"no content", EVP_aes_256_cbc, 0, BOB, false, detach, "ends early"},
    {"indefinite lengths", EVP_aes_256_cbc, CMS_STREAM, BOB, false, NULL, "whole ContentInfo"},
};

static void finish(CMS_ContentInfo *cms, unsigned flags, struct buf *out)
{
    BIO *text = BIO_new_mem_buf(TEXT, -1);
    BIO *der = BIO_new(BIO_s_mem());
    char *p = NULL;
    if (flags & CMS_STREAM) {
        forge_must(i2d_CMS_bio_stream(der, cms, text, CMS_BINARY | CMS_STREAM) == 1);
    } else {
        forge_must(CMS_final(cms, text, NULL, CMS_BINARY) == 1 && i2d_CMS_bio(der, cms) == 1);
    }
    long len = BIO_get_mem_data(der, &p);
    buf_reset(out);
    buf_append(out, p, (size_t)len);
    BIO_free(text);
    BIO_free(der);
}

static void make_other(struct state *s, const struct other *other)
{
    const EVP_CIPHER *cipher = other->cipher();
    bool gcm = EVP_CIPHER_get_mode(cipher) == EVP_CIPH_GCM_MODE;
    CMS_ContentInfo *cms = gcm ? CMS_AuthEnvelopedData_create(cipher) : CMS_EnvelopedData_create(cipher);
    unsigned flags = other->flags & (unsigned)~CMS_STREAM;
    CMS_RecipientInfo *ri = CMS_add1_recipient_cert(cms, s->people[other->who].cert, flags);
    forge_must(ri != NULL);
    if (CMS_RecipientInfo_type(ri) == CMS_RECIPINFO_AGREE && !other->default_kdf) {
        forge_must(EVP_PKEY_CTX_set_ecdh_kdf_md(CMS_RecipientInfo_get0_pkey_ctx(ri), EVP_sha256()) == 1);
    }
    forge_must(CMS_set_detached(cms, 0) == 1);
    if (other->change) {
        other->change(cms);
    }
    finish(cms, other->flags, &s->out);
    CMS_ContentInfo_free(cms);
}

static void other_forms_are_refused(void **state)
{
    struct state *s = *state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        print_message("%s\n", others[i].what);
        make_other(s, &others[i]);
        refuse(s, &others[i].who, 1, others[i].problem);
    }
}

/* The rows above differ from what is accepted in one thing alone. */
static void plain_form_of_openssl_is_accepted(void **state)
{
    struct state *s = *state;
    static const enum who people[] = {BOB, ALICE};
    for (size_t i = 0; i < 2; i++) {
        const struct other plain = {"plain", EVP_aes_256_cbc, 0, people[i], false, NULL, NULL};
        make_other(s, &plain);
        assert_int_equal(check_for(s, &people[i], 1, buf_span(&s->out), strlen(TEXT), NULL), STATUS_OK);
    }
}

/* A12: signed only, and data only, in the place of encrypted. */
static void unencrypted_cms_is_refused(void **state)
{
    struct state *s = *state;
    static const enum who one[] = {BOB};
    BIO *text = BIO_new_mem_buf(TEXT, -1);
    CMS_ContentInfo *cms =
        CMS_sign(s->people[BOB].cert, s->people[BOB].key, NULL, text, CMS_BINARY | CMS_PARTIAL);
    forge_must(cms != NULL);
    finish(cms, 0, &s->out);
    refuse(s, one, 1, "whole ContentInfo");
    CMS_ContentInfo_free(cms);

    cms = CMS_data_create(text, CMS_BINARY);
    unsigned char *der = NULL;
    int len = i2d_CMS_ContentInfo(cms, &der);
    forge_must(len > 0);
    buf_reset(&s->out);
    buf_append(&s->out, der, (size_t)len);
    refuse(s, one, 1, "whole ContentInfo");
    OPENSSL_free(der);
    CMS_ContentInfo_free(cms);
    BIO_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(plain_form_of_openssl_is_accepted),
        cmocka_unit_test(unencrypted_cms_is_refused),
    };
    return cmocka_run_group_tests(tests, make_people, free_people);
}
