#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "smime/certificate.h"
#include "smime/der.h"
#include "smime/smime.h"

#define BLOCK 16       /* AES block, and the IV of CBC (RFC 3565 §2.1) */
#define WRAPPED_KEY 40 /* AES key wrap of a 32-byte key (RFC 3394 §2.2.1) */
#define UNCOMPRESSED 4 /* first byte of an uncompressed point (SEC 1 §2.3.3) */

/* Functions that judge a piece of the message return NULL, or what is wrong with it. */

/* A certificate, and so one RecipientInfo that must be there. */
struct expected {
    struct buf id; /* content of its IssuerAndSerialNumber in DER */
    struct smime_key key;
    bool found;
};

/* A RecipientInfo of the message. */
struct present {
    struct smime_der id; /* content of IssuerAndSerialNumber */
    enum smime_key_type type;
    size_t size; /* bytes of the encrypted key (RSA) or of the ephemeral point (EC) */
};

/* RFC 5652 §6.2.1 with issuerAndSerialNumber, hence version 0; RFC 3370 §4.2.1: rsaEncryption with NULL. */
static const char *read_key_transport(struct smime_der *infos, struct present *out)
{
    struct smime_der info = smime_der_take(infos, SMIME_DER_SEQUENCE);
    smime_der_take_small(&info, 0);
    out->id = smime_der_take(&info, SMIME_DER_SEQUENCE);
    struct smime_der algorithm = smime_der_take(&info, SMIME_DER_SEQUENCE);
    struct smime_der key = smime_der_take(&info, SMIME_DER_OCTET_STRING);
    out->type = SMIME_KEY_RSA;
    out->size = key.len;

    smime_der_take_oid(&algorithm, NID_rsaEncryption);
    struct smime_der null = smime_der_take(&algorithm, SMIME_DER_NULL);
    bool good = smime_der_done(&info) && smime_der_done(&algorithm) && smime_der_done(&null);
    return good ? NULL : "a KeyTransRecipientInfo is not as expected";
}

/* The ephemeral key of RFC 5753 §3.1.1: originatorKey, id-ecPublicKey without parameters. */
static bool read_originator(struct smime_der originator, size_t *point_out)
{
    struct smime_der public_key = smime_der_take(&originator, SMIME_DER_CONSTRUCTED_1);
    struct smime_der algorithm = smime_der_take(&public_key, SMIME_DER_SEQUENCE);
    struct smime_der bits = smime_der_take(&public_key, SMIME_DER_BIT_STRING);
    smime_der_take_oid(&algorithm, NID_X9_62_id_ecPublicKey);
    if (!smime_der_done(&originator) || !smime_der_done(&public_key) || !smime_der_done(&algorithm) ||
        bits.len < 2 || bits.p[0] != 0 || bits.p[1] != UNCOMPRESSED) {
        return false;
    }
    *point_out = bits.len - 1;
    return true;
}

/* RFC 5753 §7.1.4: ECDH with SHA-256 X9.63 KDF, then AES-256 key wrap without parameters. */
static bool read_agreement(struct smime_der algorithm)
{
    smime_der_take_oid(&algorithm, NID_dhSinglePass_stdDH_sha256kdf_scheme);
    struct smime_der wrap = smime_der_take(&algorithm, SMIME_DER_SEQUENCE);
    smime_der_take_oid(&wrap, NID_id_aes256_wrap);
    return smime_der_done(&algorithm) && smime_der_done(&wrap);
}

/* RFC 5652 §6.2.2, version 3, no user keying material, one recipient. */
static const char *read_key_agreement(struct smime_der *infos, struct present *out)
{
    struct smime_der info = smime_der_take(infos, SMIME_DER_CONSTRUCTED_1);
    smime_der_take_small(&info, 3);
    struct smime_der originator = smime_der_take(&info, SMIME_DER_CONSTRUCTED_0);
    struct smime_der algorithm = smime_der_take(&info, SMIME_DER_SEQUENCE);
    struct smime_der keys = smime_der_take(&info, SMIME_DER_SEQUENCE);
    struct smime_der one = smime_der_take(&keys, SMIME_DER_SEQUENCE);
    out->id = smime_der_take(&one, SMIME_DER_SEQUENCE);
    struct smime_der wrapped = smime_der_take(&one, SMIME_DER_OCTET_STRING);
    out->type = SMIME_KEY_EC;

    bool good = smime_der_done(&info) && smime_der_done(&keys) && smime_der_done(&one) &&
                wrapped.len == WRAPPED_KEY && read_originator(originator, &out->size) &&
                read_agreement(algorithm);
    return good ? NULL : "a KeyAgreeRecipientInfo is not as expected";
}

static bool find(struct expected *expected, size_t n, const struct present *present)
{
    for (size_t i = 0; i < n; i++) {
        struct expected *e = &expected[i];
        if (!e->found && e->key.type == present->type && e->key.size == present->size &&
            span_eq(buf_span(&e->id), span_of(present->id.p, present->id.len))) {
            e->found = true;
            return true;
        }
    }
    return false;
}

/* *version_out is what RFC 5652 §6.1 asks of an EnvelopedData with these. */
static const char *check_recipients(struct smime_der infos, struct expected *expected, size_t n,
                                    uint8_t *version_out)
{
    *version_out = 0;
    if (infos.failed) {
        return "no RecipientInfos";
    }
    while (infos.len > 0) {
        struct present present = {0};
        const char *problem = "a RecipientInfo is of a kind that was not asked for";
        if (smime_der_is(&infos, SMIME_DER_SEQUENCE)) {
            problem = read_key_transport(&infos, &present);
        } else if (smime_der_is(&infos, SMIME_DER_CONSTRUCTED_1)) {
            problem = read_key_agreement(&infos, &present);
            *version_out = 2;
        }
        if (problem) {
            return problem;
        }
        if (!find(expected, n, &present)) {
            return "a RecipientInfo belongs to none of the certificates";
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (!expected[i].found) {
            return "a certificate has no RecipientInfo";
        }
    }
    return NULL;
}

/* RFC 5652 §6.3: padding fills up the last block and is never empty. */
static const char *check_content(struct smime_der content, size_t plaintext_len)
{
    smime_der_take_oid(&content, NID_pkcs7_data);
    struct smime_der algorithm = smime_der_take(&content, SMIME_DER_SEQUENCE);
    struct smime_der encrypted = smime_der_take(&content, SMIME_DER_IMPLICIT_0);
    smime_der_take_oid(&algorithm, NID_aes_256_cbc);
    struct smime_der iv = smime_der_take(&algorithm, SMIME_DER_OCTET_STRING);
    if (!smime_der_done(&content)) {
        return "EncryptedContentInfo is not as expected";
    }
    if (!smime_der_done(&algorithm) || iv.len != BLOCK) {
        return "the cipher is not AES-256-CBC";
    }
    if (encrypted.len != (plaintext_len / BLOCK + 1) * BLOCK) {
        return "the encrypted content has not the length of the message";
    }
    return NULL;
}

static const char *check_message(struct span der, struct expected *expected, size_t n, size_t plaintext_len)
{
    struct smime_der all = smime_der_of(der);
    struct smime_der info = smime_der_take(&all, SMIME_DER_SEQUENCE);
    smime_der_take_oid(&info, NID_pkcs7_enveloped);
    struct smime_der explicit = smime_der_take(&info, SMIME_DER_CONSTRUCTED_0);
    struct smime_der enveloped = smime_der_take(&explicit, SMIME_DER_SEQUENCE);
    if (!smime_der_done(&all) || !smime_der_done(&info) || !smime_der_done(&explicit)) {
        return "not one whole ContentInfo with EnvelopedData";
    }

    struct smime_der as_version = enveloped;
    smime_der_take(&enveloped, SMIME_DER_INTEGER);
    struct smime_der infos = smime_der_take(&enveloped, SMIME_DER_SET);
    struct smime_der content = smime_der_take(&enveloped, SMIME_DER_SEQUENCE);
    if (!smime_der_done(&enveloped)) {
        return "EnvelopedData has parts that were not asked for, or lacks some";
    }
    uint8_t version = 0;
    const char *problem = check_recipients(infos, expected, n, &version);
    if (problem) {
        return problem;
    }
    smime_der_take_small(&as_version, version);
    return as_version.failed ? "the version of EnvelopedData does not fit its recipients"
                             : check_content(content, plaintext_len);
}

static enum status expect(struct span der, struct expected *out, struct error *err)
{
    X509 *cert = NULL;
    enum status status = smime_certificate_parse(der, &cert, err);
    if (status != STATUS_OK) {
        return status;
    }
    unsigned char *issuer = NULL;
    unsigned char *serial = NULL;
    int issuer_len = i2d_X509_NAME(X509_get_issuer_name(cert), &issuer);
    int serial_len = i2d_ASN1_INTEGER(X509_get0_serialNumber(cert), &serial);
    smime_key_read(cert, &out->key);
    if (issuer_len <= 0 || serial_len <= 0) {
        status =
            smime_failure(err, STATUS_TEMPORARY, "certificate: issuer and serial number cannot be written");
    } else {
        buf_append(&out->id, issuer, (size_t)issuer_len);
        buf_append(&out->id, serial, (size_t)serial_len);
        status = buf_check(&out->id, "certificate: issuer and serial number", err);
    }
    OPENSSL_free(issuer);
    OPENSSL_free(serial);
    X509_free(cert);
    return status;
}

static enum status expect_all(const struct span *certificates, size_t n, struct expected *expected,
                              size_t *n_expected_out, struct error *err)
{
    enum status status = STATUS_OK;
    size_t count = 0;
    for (size_t i = 0; i < n && status == STATUS_OK; i++) {
        if (!smime_certificate_is_repeated(certificates, i)) {
            buf_init(&expected[count].id, SMIME_CERTIFICATE_MAX);
            status = expect(certificates[i], &expected[count++], err);
        }
    }
    *n_expected_out = count;
    return status;
}

enum status smime_check(struct span der, const struct span *certificates, size_t n_certificates,
                        size_t plaintext_len, struct error *err)
{
    size_t n = 0;
    struct expected *expected = calloc(n_certificates + 1, sizeof *expected);
    if (!expected) {
        return error_set(err, STATUS_TEMPORARY, "S/MIME output: no memory to check it");
    }
    ERR_clear_error();
    enum status status = expect_all(certificates, n_certificates, expected, &n, err);
    if (status == STATUS_OK) {
        const char *problem = n == 0 ? "no certificates were given to check it against"
                                     : check_message(der, expected, n, plaintext_len);
        if (problem) {
            status = error_set(err, STATUS_INTERNAL, "S/MIME output: %s", problem);
        }
    }
    for (size_t i = 0; i < n; i++) {
        buf_free(&expected[i].id);
    }
    free(expected);
    ERR_clear_error();
    return status;
}
