#include "smime/recipient_infos.h"

#include <openssl/objects.h>
#include <openssl/x509.h>

#include "smime/cms_layout.h"

#define WRAPPED_KEY 40 /* AES key wrap of a 32-byte key (RFC 3394 §2.2.1) */
#define UNCOMPRESSED 4 /* first byte of an uncompressed point (SEC 1 §2.3.3) */

/* Functions that judge a piece of the message return NULL, or what is wrong with it. */

/* A RecipientInfo of the message. */
struct present {
    struct smime_der id; /* content of IssuerAndSerialNumber */
    enum smime_key_type type;
    size_t size; /* bytes of the encrypted key (RSA) or of the ephemeral point (EC) */
    bool oaep;
    bool kdf_sha384;
};

/* RFC 4055 §4.1: SHA-256 (without parameters, RFC 5754 §2) for hash and mask generation, and the default
 * label, which is left out. */
static bool read_oaep(struct smime_der parameters)
{
    struct smime_der hash = smime_der_take(&parameters, SMIME_DER_CONSTRUCTED_0);
    struct smime_der hash_id = smime_der_take(&hash, SMIME_DER_SEQUENCE);
    struct smime_der mask = smime_der_take(&parameters, SMIME_DER_CONSTRUCTED_1);
    struct smime_der mask_id = smime_der_take(&mask, SMIME_DER_SEQUENCE);
    smime_der_take_oid(&hash_id, NID_sha256);
    smime_der_take_oid(&mask_id, NID_mgf1);
    struct smime_der mask_hash = smime_der_take(&mask_id, SMIME_DER_SEQUENCE);
    smime_der_take_oid(&mask_hash, NID_sha256);
    return smime_der_done(&parameters) && smime_der_done(&hash) && smime_der_done(&hash_id) &&
           smime_der_done(&mask) && smime_der_done(&mask_id) && smime_der_done(&mask_hash);
}

/* RFC 3370 §4.2.1: rsaEncryption with NULL; or RSAES-OAEP. */
static bool read_transport_algorithm(struct smime_der algorithm, bool *oaep_out)
{
    struct smime_der as_oaep = algorithm;
    smime_der_take_oid(&as_oaep, NID_rsaesOaep);
    *oaep_out = !as_oaep.failed;
    if (*oaep_out) {
        struct smime_der parameters = smime_der_take(&as_oaep, SMIME_DER_SEQUENCE);
        return smime_der_done(&as_oaep) && read_oaep(parameters);
    }
    smime_der_take_oid(&algorithm, NID_rsaEncryption);
    struct smime_der null = smime_der_take(&algorithm, SMIME_DER_NULL);
    return smime_der_done(&algorithm) && smime_der_done(&null);
}

/* RFC 5652 §6.2.1 with issuerAndSerialNumber, hence version 0. */
static const char *read_key_transport(struct smime_der *infos, struct present *out)
{
    struct smime_der info = smime_der_take(infos, SMIME_DER_SEQUENCE);
    smime_der_take_small(&info, 0);
    out->id = smime_der_take(&info, SMIME_DER_SEQUENCE);
    struct smime_der algorithm = smime_der_take(&info, SMIME_DER_SEQUENCE);
    struct smime_der key = smime_der_take(&info, SMIME_DER_OCTET_STRING);
    out->type = SMIME_KEY_RSA;
    out->size = key.len;

    bool good = smime_der_done(&info) && !algorithm.failed && read_transport_algorithm(algorithm, &out->oaep);
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

/* RFC 5753 §7.1.4: ECDH with X9.63 KDF, then AES-256 key wrap without parameters. */
static bool read_agreement(struct smime_der algorithm, bool *sha384_out)
{
    struct smime_der as_sha384 = algorithm;
    smime_der_take_oid(&as_sha384, NID_dhSinglePass_stdDH_sha384kdf_scheme);
    *sha384_out = !as_sha384.failed;
    smime_der_take_oid(&algorithm, *sha384_out ? NID_dhSinglePass_stdDH_sha384kdf_scheme
                                               : NID_dhSinglePass_stdDH_sha256kdf_scheme);
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
                read_agreement(algorithm, &out->kdf_sha384);
    return good ? NULL : "a KeyAgreeRecipientInfo is not as expected";
}

static bool find(struct smime_expected *expected, size_t n, const struct present *present)
{
    for (size_t i = 0; i < n; i++) {
        struct smime_expected *e = &expected[i];
        bool sha384 = e->key.type == SMIME_KEY_EC && smime_kdf_nid(&e->key) == NID_sha384;
        if (!e->found && e->key.type == present->type && e->key.size == present->size &&
            e->oaep == present->oaep && sha384 == present->kdf_sha384 &&
            span_eq(buf_span(&e->id), span_of(present->id.p, present->id.len))) {
            e->found = true;
            return true;
        }
    }
    return false;
}

/* *version_out is what RFC 5652 §6.1 asks of an EnvelopedData with these. */
const char *smime_recipient_infos_check(struct smime_der infos, struct smime_expected *expected, size_t n,
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

enum status smime_expect(const struct smime_recipient *recipient, struct smime_expected *out,
                         struct error *err)
{
    X509 *cert = NULL;
    *out = (struct smime_expected){0};
    buf_init(&out->id, SMIME_CERTIFICATE_MAX);
    enum status status = smime_certificate_parse(recipient->certificate, &cert, err);
    if (status != STATUS_OK) {
        return status;
    }
    unsigned char *issuer = NULL;
    unsigned char *serial = NULL;
    int issuer_len = i2d_X509_NAME(X509_get_issuer_name(cert), &issuer);
    int serial_len = i2d_ASN1_INTEGER(X509_get0_serialNumber(cert), &serial);
    smime_key_read(cert, &out->key);
    out->oaep = recipient->oaep && out->key.type == SMIME_KEY_RSA;
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
