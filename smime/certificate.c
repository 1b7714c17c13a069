#include "smime/certificate.h"

#include <ctype.h>
#include <stdio.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "smime/smime.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384         /* OpenSSL encrypts to no larger modulus */
#define RSA_BITS_ANY_EXPONENT 3072 /* above it, OpenSSL encrypts with exponents of at most 64 bits */
#define RSA_EXPONENT_BITS_MAX 64

struct curve {
    const char *group; /* OpenSSL's name */
    const char *name;  /* ours */
};

static const struct curve curves[] = {
    {"prime256v1", "nistp256"},
    {"secp384r1", "nistp384"},
    {"secp521r1", "nistp521"},
    {"brainpoolP256r1", "brainpoolP256r1"},
    {"brainpoolP384r1", "brainpoolP384r1"},
    {"brainpoolP512r1", "brainpoolP512r1"},
};

enum status smime_failure(struct error *err, enum status status, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE) {
        status = STATUS_TEMPORARY;
    }
    error_set(err, status, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return status;
}

enum status smime_certificate_parse(struct span der, X509 **cert_out, struct error *err)
{
    *cert_out = NULL;
    if (der.len == 0) {
        return error_set(err, STATUS_INVALID, "certificate: empty");
    }
    if (der.len > SMIME_CERTIFICATE_MAX) {
        return error_set(err, STATUS_INVALID, "certificate: %zu bytes, the limit is %u", der.len,
                         SMIME_CERTIFICATE_MAX);
    }

    ERR_clear_error();
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *cert = d2i_X509(NULL, &p, (long)der.len);
    if (!cert) {
        return smime_failure(err, STATUS_INVALID, "certificate: damaged, or not X.509 in DER");
    }
    if (p != (const unsigned char *)der.p + der.len) {
        X509_free(cert);
        return error_set(err, STATUS_INVALID, "certificate: more bytes behind its end");
    }
    *cert_out = cert;
    return STATUS_OK;
}

static void name_unknown(const X509 *cert, struct smime_key *key)
{
    ASN1_OBJECT *algorithm = NULL;
    X509_PUBKEY_get0_param(&algorithm, NULL, NULL, NULL, X509_get_X509_PUBKEY(cert));
    if (!algorithm || OBJ_obj2txt(key->name, sizeof key->name, algorithm, 0) <= 0) {
        snprintf(key->name, sizeof key->name, "unknown");
    }
    key->problem = "public key algorithm or curve is unknown, or the key is damaged";
}

static void read_other(const EVP_PKEY *pkey, struct smime_key *key)
{
    const char *type = EVP_PKEY_get0_type_name(pkey);
    snprintf(key->name, sizeof key->name, "%s", type ? type : "unknown");
    for (char *c = key->name; *c; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    bool later = EVP_PKEY_is_a(pkey, "X25519") || EVP_PKEY_is_a(pkey, "X448");
    key->problem = later ? "X25519 and X448 keys are not supported (RFC 8418)"
                         : "public key algorithm cannot be used for encryption";
}

/* An exponent of 1 would leave the content-encryption key readable in the RecipientInfo. */
static const char *exponent_problem(const EVP_PKEY *pkey)
{
    BIGNUM *e = NULL;
    BIGNUM *n = NULL;
    const char *problem = "RSA key is damaged";
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1 &&
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &n) == 1 && BN_is_odd(n) && BN_is_odd(e) &&
        !BN_is_one(e)) {
        bool too_long = BN_num_bits(n) > RSA_BITS_ANY_EXPONENT && BN_num_bits(e) > RSA_EXPONENT_BITS_MAX;
        problem = too_long ? "RSA public exponent is longer than 64 bits" : NULL;
    }
    BN_free(e);
    BN_free(n);
    return problem;
}

static void read_rsa(const EVP_PKEY *pkey, struct smime_key *key)
{
    int bits = EVP_PKEY_get_bits(pkey);
    key->type = SMIME_KEY_RSA;
    key->size = (size_t)(bits + 7) / 8;
    snprintf(key->name, sizeof key->name, "rsa%d", bits);
    if (bits < RSA_BITS_MIN) {
        key->problem = "RSA key is shorter than 2048 bits";
    } else if (bits > RSA_BITS_MAX) {
        key->problem = "RSA key is longer than 16384 bits";
    } else {
        key->problem = exponent_problem(pkey);
    }
}

static void read_ec(const EVP_PKEY *pkey, struct smime_key *key)
{
    char group[32] = "";
    size_t group_len = 0;
    int explicit_parameters = 1;
    key->type = SMIME_KEY_EC;
    key->size = 1 + 2 * ((size_t)(EVP_PKEY_get_bits(pkey) + 7) / 8);
    key->problem = "elliptic curve is not supported";
    snprintf(key->name, sizeof key->name, "ec");

    if (EVP_PKEY_get_group_name(pkey, group, sizeof group, &group_len) != 1 ||
        EVP_PKEY_get_int_param(pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_parameters) !=
            1 ||
        explicit_parameters != 0) {
        return; /* RFC 5480 §2.1.1: only named curves */
    }
    snprintf(key->name, sizeof key->name, "%s", group);
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        if (strcmp(group, curves[i].group) == 0) {
            snprintf(key->name, sizeof key->name, "%s", curves[i].name);
            key->problem = NULL;
        }
    }
}

void smime_key_read(const X509 *cert, struct smime_key *key_out)
{
    *key_out = (struct smime_key){.type = SMIME_KEY_OTHER};
    const EVP_PKEY *pkey = X509_get0_pubkey(cert);
    if (!pkey) {
        name_unknown(cert, key_out);
    } else if (EVP_PKEY_is_a(pkey, "RSA")) {
        read_rsa(pkey, key_out);
    } else if (EVP_PKEY_is_a(pkey, "EC")) {
        read_ec(pkey, key_out);
    } else {
        read_other(pkey, key_out);
    }
    ERR_clear_error();
}
