#include "smime/check_recipients.h"

#include <stdlib.h>

#include <openssl/objects.h>

#include "smime/recipients.h"

#define WRAPPED_KEY 40     /* AES key wrap of a 32-byte key (RFC 3394 §2.2.1) */
#define UNCOMPRESSED 4     /* first byte of an uncompressed point (SEC 1 §2.3.3); compressed ones: 2, 3 */
#define POINT_SIZE_256 65  /* bytes of an uncompressed point of a curve of 256 bits */
#define OTHER_ELEMENTS 512 /* more than a RecipientInfo holds beside key and name */

/* ---- what a certificate asks for ---- */

/* RFC 8017 §A.1.1; the modulus is positive, so it may begin with a zero. */
static void read_modulus(struct smime_der bits, struct smime_expected *out)
{
    struct smime_der key = smime_der_of(span_of(bits.p + 1, bits.len - 1));
    struct smime_der numbers = smime_der_take(&key, SMIME_DER_SEQUENCE);
    struct smime_der modulus = smime_der_take(&numbers, SMIME_DER_INTEGER);
    if (!modulus.failed && modulus.len > 0) {
        out->type = SMIME_KEY_RSA;
        out->key_size = modulus.len - (*modulus.p == 0 ? 1 : 0);
    }
}

static void read_point(struct smime_der bits, struct smime_expected *out)
{
    out->type = SMIME_KEY_EC;
    out->key_size = bits.p[1] == UNCOMPRESSED ? bits.len - 1 : 1 + 2 * (bits.len - 2);
}

/* RFC 5280 §4.1.2.7. Any other key stays SMIME_KEY_OTHER, for which no RecipientInfo is right. */
static void read_key(struct smime_der info, struct smime_expected *out)
{
    struct smime_der algorithm = smime_der_take(&info, SMIME_DER_SEQUENCE);
    struct smime_der bits = smime_der_take(&info, SMIME_DER_BIT_STRING);
    struct smime_der rsa = algorithm;
    struct smime_der ec = algorithm;
    smime_der_take_oid(&rsa, NID_rsaEncryption);
    smime_der_take_oid(&ec, NID_X9_62_id_ecPublicKey);
    if (info.failed || bits.len < 3) {
        return;
    }
    if (!rsa.failed) {
        read_modulus(bits, out);
    } else if (!ec.failed) {
        read_point(bits, out);
    }
}

static struct span since(const uint8_t *start, const struct smime_der *d)
{
    return span_of(start, (size_t)(d->p - start));
}

/* RFC 5280 §4.1. */
static enum status expect(struct span certificate, struct smime_expected *out, struct error *err)
{
    struct smime_der all = smime_der_of(certificate);
    struct smime_der signed_part = smime_der_take(&all, SMIME_DER_SEQUENCE);
    struct smime_der tbs = smime_der_take(&signed_part, SMIME_DER_SEQUENCE);
    if (smime_der_is(&tbs, SMIME_DER_CONSTRUCTED_0)) {
        smime_der_take(&tbs, SMIME_DER_CONSTRUCTED_0); /* version */
    }
    const uint8_t *start = tbs.p;
    smime_der_take(&tbs, SMIME_DER_INTEGER);
    struct span serial = since(start, &tbs);
    smime_der_take(&tbs, SMIME_DER_SEQUENCE); /* signature algorithm */
    start = tbs.p;
    smime_der_take(&tbs, SMIME_DER_SEQUENCE);
    struct span issuer = since(start, &tbs);
    smime_der_take(&tbs, SMIME_DER_SEQUENCE); /* validity */
    smime_der_take(&tbs, SMIME_DER_SEQUENCE); /* subject */
    struct smime_der key = smime_der_take(&tbs, SMIME_DER_SEQUENCE);
    if (!smime_der_done(&all) || signed_part.failed || tbs.failed) {
        return error_set(err, STATUS_INVALID, "certificate: damaged, or not X.509 in DER");
    }
    read_key(key, out);
    buf_append_span(&out->id, issuer);
    buf_append_span(&out->id, serial);
    return buf_check(&out->id, "certificate: issuer and serial number", err);
}

enum status smime_expected_read(const struct smime_order *order, struct smime_expected_list *list_out,
                                struct error *err)
{
    enum status status = STATUS_OK;
    *list_out = (struct smime_expected_list){0};
    if (order->n == 0) {
        return error_set(err, STATUS_INVALID, "no certificates were given to check S/MIME output against");
    }
    list_out->items = calloc(order->n, sizeof *list_out->items);
    if (!list_out->items) {
        return error_set(err, STATUS_TEMPORARY, "S/MIME output: no memory to check it");
    }
    for (size_t i = 0; i < order->n && status == STATUS_OK; i++) {
        if (!smime_recipient_is_repeated(order, i)) {
            struct smime_expected *e = &list_out->items[list_out->n++];
            buf_init(&e->id, SMIME_CERTIFICATE_MAX);
            e->oaep = order->recipients[i].oaep;
            status = expect(order->recipients[i].certificate, e, err);
        }
    }
    return status;
}

void smime_expected_free(struct smime_expected_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        buf_free(&list->items[i].id);
    }
    free(list->items);
    *list = (struct smime_expected_list){0};
}

size_t smime_expected_size(const struct smime_expected_list *list)
{
    size_t size = 0;
    for (size_t i = 0; i < list->n; i++) {
        size += list->items[i].id.len + list->items[i].key_size + OTHER_ELEMENTS;
    }
    return size;
}

/* ---- what the message has ---- */

/* A RecipientInfo of the message. */
struct present {
    struct smime_der id; /* content of IssuerAndSerialNumber */
    enum smime_key_type type;
    size_t size; /* bytes of the encrypted key (RSA) or of the ephemeral point (EC) */
    bool oaep;
};

/* An AlgorithmIdentifier of SHA-256: RFC 4055 §2.1 has its parameters absent or NULL, and both mean the same.
 * OpenSSL 3.0 leaves them out. */
static bool is_sha256(struct smime_der *d)
{
    struct smime_der algorithm = smime_der_take(d, SMIME_DER_SEQUENCE);
    smime_der_take_oid(&algorithm, NID_sha256);
    bool has_null = algorithm.len > 0;
    struct smime_der null = has_null ? smime_der_take(&algorithm, SMIME_DER_NULL) : (struct smime_der){0};
    return smime_der_done(d) && smime_der_done(&algorithm) && smime_der_done(&null);
}

/* RSAES-OAEP-params of RFC 4055 §4.1: SHA-256 twice, the empty label left out as the default it is. */
static bool is_oaep(struct smime_der algorithm)
{
    smime_der_take_oid(&algorithm, NID_rsaesOaep);
    struct smime_der parameters = smime_der_take(&algorithm, SMIME_DER_SEQUENCE);
    struct smime_der hash = smime_der_take(&parameters, SMIME_DER_CONSTRUCTED_0);
    struct smime_der mask = smime_der_take(&parameters, SMIME_DER_CONSTRUCTED_1);
    struct smime_der mask_algorithm = smime_der_take(&mask, SMIME_DER_SEQUENCE);
    smime_der_take_oid(&mask_algorithm, NID_mgf1);
    return smime_der_done(&algorithm) && smime_der_done(&parameters) && smime_der_done(&mask) &&
           is_sha256(&hash) && is_sha256(&mask_algorithm);
}

/* RFC 3370 §4.2.1: rsaEncryption with NULL. */
static bool is_pkcs1(struct smime_der algorithm)
{
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
    out->oaep = is_oaep(algorithm);
    bool good = smime_der_done(&info) && (out->oaep || is_pkcs1(algorithm));
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

/* RFC 5753 §7.1.4: ECDH with the X9.63 KDF of that curve, then AES-256 key wrap without parameters. */
static bool is_agreement(struct smime_der algorithm, size_t point)
{
    smime_der_take_oid(&algorithm, point > POINT_SIZE_256 ? NID_dhSinglePass_stdDH_sha384kdf_scheme
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
                is_agreement(algorithm, out->size);
    return good ? NULL : "a KeyAgreeRecipientInfo is not as expected";
}

static const char *match(struct smime_expected_list *list, const struct present *present)
{
    for (size_t i = 0; i < list->n; i++) {
        struct smime_expected *e = &list->items[i];
        if (!e->found && e->type == present->type && e->key_size == present->size &&
            span_eq(buf_span(&e->id), span_of(present->id.p, present->id.len))) {
            e->found = true;
            return e->type == SMIME_KEY_RSA && e->oaep != present->oaep
                       ? "a key is not encrypted with the padding that was asked for"
                       : NULL;
        }
    }
    return "a RecipientInfo belongs to none of the certificates";
}

const char *smime_check_recipients(struct smime_der infos, struct smime_expected_list *list,
                                   bool *has_agreement_out)
{
    *has_agreement_out = false;
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
            *has_agreement_out = true;
        }
        if (!problem) {
            problem = match(list, &present);
        }
        if (problem) {
            return problem;
        }
    }
    for (size_t i = 0; i < list->n; i++) {
        if (!list->items[i].found) {
            return "a certificate has no RecipientInfo";
        }
    }
    return NULL;
}
