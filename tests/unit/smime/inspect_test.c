#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include "smime/smime.h"
#include "tests/unit/smime/forge.h"
#include "tests/unit/smime/seal.h"

static void fills_every_field(void **state)
{
    const struct forged *ca = *state;
    const struct forge_order order = {
        .key = "P-256", .subject = "Jörg\nQ, Test", .serial = 0xAB12, .extensions = {FORGE_SAN_ALICE}};
    struct forged made = forge(&order, ca);
    struct smime_certificate_info info;
    struct error err = {0};
    unsigned char md[32];
    char hex[SMIME_FINGERPRINT_SIZE];
    assert_int_equal(smime_certificate_inspect(made.der, NULL, NULL, FORGE_NOW, &info, &err), STATUS_OK);
    assert_string_equal(info.subject, "CN=Jörg\\0AQ\\, Test");
    assert_string_equal(info.issuer, "CN=Test CA");
    assert_string_equal(info.serial, "AB12");
    assert_true(info.not_before == FORGE_NOW - 10 * FORGE_DAY);
    assert_true(info.not_after == FORGE_NOW + 365 * FORGE_DAY);
    assert_true(EVP_Q_digest(NULL, "SHA256", NULL, made.der.p, made.der.len, md, NULL));
    for (size_t i = 0; i < sizeof md; i++) {
        snprintf(hex + 2 * i, 3, "%02X", md[i]);
    }
    assert_string_equal(info.fingerprint, hex);
    smime_certificate_info_free(&info);
    smime_certificate_info_free(&info); /* harmless twice */
    forged_free(&made);
}

static void inspect_damaged(struct span der)
{
    struct smime_certificate_info info;
    struct error err = {0};
    assert_int_equal(smime_certificate_inspect(der, NULL, NULL, FORGE_NOW, &info, &err), STATUS_OK);
    assert_int_equal(info.fitness, SMIME_INVALID);
    assert_true(info.reason[0] && info.subject && info.issuer && info.serial && info.n_addresses == 0);
    smime_certificate_info_free(&info);
}

static void calls_damaged_ones_invalid(void **state)
{
    const struct forged *ca = *state;
    const struct forge_order order = {.key = "P-256", .extensions = {FORGE_SAN_ALICE}};
    struct forged made = forge(&order, ca);
    char *longer = calloc(1, SMIME_CERTIFICATE_MAX + 1);
    assert_non_null(longer);
    memcpy(longer, made.der.p, made.der.len);
    for (size_t len = 0; len < made.der.len; len++) {
        inspect_damaged(span_of(longer, len));
    }
    inspect_damaged(span_of(longer, made.der.len + 1));
    inspect_damaged(span_of(longer, SMIME_CERTIFICATE_MAX + 1));
    inspect_damaged(span_of(NULL, 0));
    inspect_damaged(span_str("-----BEGIN CERTIFICATE-----"));
    free(longer);
    forged_free(&made);
}

/* No flipped bit may crash it or leave fields half filled. */
static void survives_flipped_bits(void **state)
{
    const struct forged *ca = *state;
    const struct forge_order order = {
        .key = "P-256",
        .email = "a@example.org",
        .extensions = {FORGE_SAN_ALICE, {NID_ext_key_usage, "emailProtection"}}};
    struct forged made = forge(&order, ca);
    char *copy = malloc(made.der.len);
    assert_non_null(copy);
    for (size_t i = 0; i < made.der.len * 8; i++) {
        struct smime_certificate_info info;
        memcpy(copy, made.der.p, made.der.len);
        copy[i / 8] = (char)(copy[i / 8] ^ (1 << (i % 8)));
        assert_int_equal(
            smime_certificate_inspect(span_of(copy, made.der.len), NULL, NULL, FORGE_NOW, &info, NULL),
            STATUS_OK);
        assert_true(info.subject && info.issuer && info.serial);
        assert_true((info.fitness == SMIME_USABLE) == (info.reason[0] == 0));
        smime_certificate_info_free(&info);
    }
    free(copy);
    forged_free(&made);
}

static EVP_PKEY *rsa_with_exponent_one(void)
{
    EVP_PKEY *real = forge_key("rsa2048");
    EVP_PKEY *made = NULL;
    BIGNUM *n = NULL;
    BIGNUM *e = BN_new();
    assert_int_equal(EVP_PKEY_get_bn_param(real, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(BN_set_word(e, 1), 1);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n);
    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &made, EVP_PKEY_PUBLIC_KEY, params), 1);
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    BN_free(e);
    BN_free(n);
    EVP_PKEY_free(real);
    return made;
}

static EVP_PKEY *ec_with_explicit_parameters(void)
{
    EVP_PKEY *made = forge_key("P-256");
    assert_int_equal(
        EVP_PKEY_set_utf8_string_param(made, OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT), 1);
    return made;
}

/* Both inspection and encryption refuse a key that would give the content away. */
static void refuses_treacherous_keys(void **state)
{
    const struct forged *ca = *state;
    EVP_PKEY *const keys[] = {rsa_with_exponent_one(), ec_with_explicit_parameters()};
    const char *const reasons[] = {"RSA key is damaged", "curve is not supported"};
    for (size_t i = 0; i < 2; i++) {
        const struct forge_order order = {.given = keys[i], .extensions = {FORGE_SAN_ALICE}};
        struct forged made = forge(&order, ca);
        struct smime_certificate_info info;
        struct error err = {0};
        struct buf out;
        buf_init(&out, 1u << 20);
        assert_int_equal(smime_certificate_inspect(made.der, NULL, NULL, FORGE_NOW, &info, &err), STATUS_OK);
        assert_int_equal(info.fitness, SMIME_UNSUPPORTED);
        assert_non_null(strstr(info.reason, reasons[i]));
        assert_int_equal(seal_encrypt(&made.der, 1, span_str("secret"), &out, &err), STATUS_INVALID);
        assert_int_equal(out.len, 0);
        smime_certificate_info_free(&info);
        buf_free(&out);
        forged_free(&made);
        EVP_PKEY_free(keys[i]);
    }
}

static int make_authority(void **state)
{
    const struct forge_order order = {.key = "ED25519", .subject = "Test CA"};
    struct forged *ca = malloc(sizeof *ca);
    forge_must(ca != NULL);
    *ca = forge(&order, NULL);
    *state = ca;
    return 0;
}

static int free_authority(void **state)
{
    forged_free(*state);
    free(*state);
    return 0;
}

/* RFC 4262: the sMIMECapabilities extension. What is damaged says nothing. */
static void reads_capabilities(void **state)
{
    (void)state;
    const struct {
        const char *what;
        const char *value;
        unsigned capabilities;
    } rows[] = {
        {"none but CBC", "DER:300d300b060960864801650304012a", 0},
        {"GCM", "DER:301a300b060960864801650304012a300b060960864801650304012e", SMIME_CAPABILITY_AES256_GCM},
        {"OAEP with SHA-256",
         "DER:"
         "303e303c06092a864886f70d010107302fa00f300d06096086480165030402010500a11c301a06092a864886f70d0101083"
         "00d06096086480165030402010500",
         SMIME_CAPABILITY_RSA_OAEP},
        {"both",
         "DER:"
         "304b303c06092a864886f70d010107302fa00f300d06096086480165030402010500a11c301a06092a864886f70d0101083"
         "00d06096086480165030402010500300b060960864801650304012e",
         SMIME_CAPABILITY_RSA_OAEP | SMIME_CAPABILITY_AES256_GCM},
        {"OAEP with SHA-1", "DER:300f300d06092a864886f70d0101073000", 0},
        {"OAEP without parameters", "DER:301c300b06092a864886f70d010107300d06092a864886f70d0101070500", 0},
        {"damaged", "DER:30053009060101", 0},
        {"more behind", "DER:300d300b060960864801650304012e0500", 0},
        {"empty", "DER:3000", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct forge_order order = {
            .key = "P-256", .extensions = {FORGE_SAN_ALICE, {NID_SMIMECapabilities, rows[i].value}}};
        struct forged made = forge(&order, NULL);
        struct smime_certificate_info info;
        struct error err = {0};
        assert_int_equal(smime_certificate_inspect(made.der, NULL, NULL, FORGE_NOW, &info, &err), STATUS_OK);
        if (info.fitness != SMIME_USABLE || info.capabilities != rows[i].capabilities) {
            fail_msg("%s: got %u", rows[i].what, info.capabilities);
        }
        smime_certificate_info_free(&info);
        forged_free(&made);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

/* id-RSAES-OAEP as the key's algorithm (RFC 4055 §1.2): OpenSSL 3.0 cannot use such keys. */
static void oaep_keys_are_unsupported(void **state)
{
    (void)state;
    static const unsigned char rsa[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
    struct forged made = forge_alice("rsa2048", 1);
    struct smime_certificate_info info;
    struct error err = {0};
    char *oid = memmem(made.der.p, made.der.len, rsa, sizeof rsa);
    forge_must(oid != NULL);
    oid[sizeof rsa - 1] = 0x07;
    assert_int_equal(smime_certificate_inspect(made.der, NULL, NULL, FORGE_NOW, &info, &err), STATUS_OK);
    assert_int_equal(info.fitness, SMIME_UNSUPPORTED);
    assert_string_equal(info.algorithm, "rsaesOaep");
    assert_int_equal(info.capabilities, 0);
    smime_certificate_info_free(&info);
    forged_free(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_every_field),         cmocka_unit_test(calls_damaged_ones_invalid),
        cmocka_unit_test(survives_flipped_bits),     cmocka_unit_test(reads_capabilities),
        cmocka_unit_test(oaep_keys_are_unsupported), cmocka_unit_test(refuses_treacherous_keys),
    };
    return cmocka_run_group_tests(tests, make_authority, free_authority);
}
