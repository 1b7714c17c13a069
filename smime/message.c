#include "smime/message.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "smime/ber.h"
#include "smime/check_recipients.h"

#define RECIPIENTS_MAX 1024
#define CONSTRUCTED_2 0xA2 /* [2] */

/* How one RecipientInfo names its certificate. */
struct rid {
    bool by_key;     /* NAME is a subject key identifier; else the content of IssuerAndSerialNumber */
    struct buf name; /* owned */
};

struct smime_message {
    struct rid *rids; /* owned */
    size_t n;
};

static enum status not_sealed(struct error *err, const char *what)
{
    return error_set(err, STATUS_INVALID, "no encrypted S/MIME message: %s", what);
}

static enum status add_rid(struct smime_message *message, bool by_key, struct smime_ber name,
                           struct error *err)
{
    if (name.failed || name.len == 0) {
        return not_sealed(err, "a RecipientInfo is damaged");
    }
    if (message->n == RECIPIENTS_MAX) {
        return error_set(err, STATUS_LIMIT, "an S/MIME message for more than %d recipients", RECIPIENTS_MAX);
    }
    struct rid *rids = realloc(message->rids, (message->n + 1) * sizeof *rids);
    if (!rids) {
        return error_set(err, STATUS_TEMPORARY, "out of memory for the recipients of a message");
    }
    message->rids = rids;
    struct rid *rid = &rids[message->n++];
    *rid = (struct rid){.by_key = by_key};
    buf_init(&rid->name, name.len);
    buf_append(&rid->name, name.p, name.len);
    return buf_check(&rid->name, "recipients of a message", err);
}

/* ---- RecipientInfos ---- */

/* RFC 5652 §6.2.1: version, rid, algorithm, encrypted key. */
static enum status read_transport(struct smime_ber info, struct smime_message *message, struct error *err)
{
    smime_ber_take(&info, SMIME_DER_INTEGER);
    bool by_key = smime_ber_peek(&info) == SMIME_DER_IMPLICIT_0;
    struct smime_ber name = smime_ber_take(&info, by_key ? SMIME_DER_IMPLICIT_0 : SMIME_DER_SEQUENCE);
    smime_ber_take(&info, SMIME_DER_SEQUENCE);
    struct smime_ber key = smime_ber_take(&info, SMIME_DER_OCTET_STRING);
    if (info.failed || info.len > 0 || key.len == 0) {
        return not_sealed(err, "a KeyTransRecipientInfo is damaged");
    }
    return add_rid(message, by_key, name, err);
}

/* RFC 5652 §6.2.2: KeyAgreeRecipientIdentifier and encrypted key. */
static enum status read_agreed_key(struct smime_ber *keys, struct smime_message *message, struct error *err)
{
    struct smime_ber one = smime_ber_take(keys, SMIME_DER_SEQUENCE);
    bool by_key = smime_ber_peek(&one) == SMIME_DER_CONSTRUCTED_0;
    struct smime_ber name = smime_ber_take(&one, by_key ? SMIME_DER_CONSTRUCTED_0 : SMIME_DER_SEQUENCE);
    if (by_key) {
        name = smime_ber_take(&name, SMIME_DER_OCTET_STRING);
    }
    struct smime_ber key = smime_ber_take(&one, SMIME_DER_OCTET_STRING);
    if (one.failed || one.len > 0 || key.len == 0) {
        return not_sealed(err, "a KeyAgreeRecipientInfo is damaged");
    }
    return add_rid(message, by_key, name, err);
}

static enum status read_agreement(struct smime_ber info, struct smime_message *message, struct error *err)
{
    smime_ber_take(&info, SMIME_DER_INTEGER);
    smime_ber_take(&info, SMIME_DER_CONSTRUCTED_0);
    smime_ber_skip(&info, SMIME_DER_CONSTRUCTED_1);
    smime_ber_take(&info, SMIME_DER_SEQUENCE);
    struct smime_ber keys = smime_ber_take(&info, SMIME_DER_SEQUENCE);
    if (info.failed || info.len > 0 || keys.len == 0) {
        return not_sealed(err, "a KeyAgreeRecipientInfo is damaged");
    }
    enum status status = STATUS_OK;
    while (keys.len > 0 && status == STATUS_OK) {
        status = read_agreed_key(&keys, message, err);
    }
    return status;
}

static enum status read_recipients(struct smime_ber infos, struct smime_message *message, struct error *err)
{
    enum status status = infos.len > 0 ? STATUS_OK : not_sealed(err, "it has no recipients");
    while (infos.len > 0 && status == STATUS_OK) {
        uint8_t kind = smime_ber_peek(&infos);
        if (kind == SMIME_DER_SEQUENCE) {
            status = read_transport(smime_ber_take(&infos, kind), message, err);
        } else if (kind == SMIME_DER_CONSTRUCTED_1) {
            status = read_agreement(smime_ber_take(&infos, kind), message, err);
        } else {
            status = not_sealed(err, "a password, or a key that no certificate has, opens it");
        }
        if (status == STATUS_OK && infos.failed) {
            status = not_sealed(err, "its RecipientInfos are damaged");
        }
    }
    return status;
}

/* ---- the content ---- */

static bool is_oid(struct smime_ber oid, int nid)
{
    const ASN1_OBJECT *object = OBJ_nid2obj(nid);
    return !oid.failed && oid.len == OBJ_length(object) && memcmp(oid.p, OBJ_get0_data(object), oid.len) == 0;
}

static bool is_strong(struct smime_ber cipher, bool authenticated)
{
    static const int cbc[] = {NID_aes_128_cbc, NID_aes_192_cbc, NID_aes_256_cbc, NID_des_ede3_cbc};
    static const int aead[] = {NID_aes_128_gcm, NID_aes_192_gcm, NID_aes_256_gcm};
    const int *nids = authenticated ? aead : cbc;
    size_t n = authenticated ? sizeof aead / sizeof *aead : sizeof cbc / sizeof *cbc;
    for (size_t i = 0; i < n; i++) {
        if (is_oid(cipher, nids[i])) {
            return true;
        }
    }
    return false;
}

/* Primitive, or OCTET STRINGs in a constructed one (X.690 §8.7). */
static bool has_content(struct smime_ber content)
{
    if (smime_ber_peek(&content) == SMIME_DER_IMPLICIT_0) {
        return smime_ber_take(&content, SMIME_DER_IMPLICIT_0).len > 0 && content.len == 0;
    }
    struct smime_ber parts = smime_ber_take(&content, SMIME_DER_CONSTRUCTED_0);
    size_t len = 0;
    while (!parts.failed && parts.len > 0) {
        len += smime_ber_take(&parts, SMIME_DER_OCTET_STRING).len;
    }
    return !content.failed && content.len == 0 && !parts.failed && len > 0;
}

static enum status read_content(struct smime_ber content, bool authenticated, struct error *err)
{
    struct smime_ber type = smime_ber_take(&content, SMIME_DER_OID);
    struct smime_ber algorithm = smime_ber_take(&content, SMIME_DER_SEQUENCE);
    struct smime_ber cipher = smime_ber_take(&algorithm, SMIME_DER_OID);
    if (content.failed || type.len == 0 || algorithm.failed) {
        return not_sealed(err, "its EncryptedContentInfo is damaged");
    }
    if (!is_strong(cipher, authenticated)) {
        return not_sealed(err, "its cipher is neither AES nor 3DES");
    }
    return has_content(content) ? STATUS_OK : not_sealed(err, "it has no content");
}

/* What may follow: attributes, and the MAC of AuthEnvelopedData (RFC 5083 §2.1). */
static bool read_rest(struct smime_ber rest, bool authenticated)
{
    smime_ber_skip(&rest, SMIME_DER_CONSTRUCTED_1);
    if (authenticated && smime_ber_take(&rest, SMIME_DER_OCTET_STRING).len == 0) {
        return false;
    }
    if (authenticated) {
        smime_ber_skip(&rest, CONSTRUCTED_2);
    }
    return !rest.failed && rest.len == 0;
}

static enum status read_enveloped(struct smime_ber enveloped, bool authenticated,
                                  struct smime_message *message, struct error *err)
{
    smime_ber_take(&enveloped, SMIME_DER_INTEGER);
    smime_ber_skip(&enveloped, SMIME_DER_CONSTRUCTED_0);
    struct smime_ber infos = smime_ber_take(&enveloped, SMIME_DER_SET);
    struct smime_ber content = smime_ber_take(&enveloped, SMIME_DER_SEQUENCE);
    if (enveloped.failed || !read_rest(enveloped, authenticated)) {
        return not_sealed(err, "its EnvelopedData is damaged");
    }
    enum status status = read_recipients(infos, message, err);
    return status == STATUS_OK ? read_content(content, authenticated, err) : status;
}

static enum status read_message(struct span bytes, struct smime_message *message, struct error *err)
{
    struct smime_ber all = smime_ber_of(bytes);
    struct smime_ber info = smime_ber_take(&all, SMIME_DER_SEQUENCE);
    struct smime_ber type = smime_ber_take(&info, SMIME_DER_OID);
    bool authenticated = is_oid(type, NID_id_smime_ct_authEnvelopedData);
    if (!authenticated && !is_oid(type, NID_pkcs7_enveloped)) {
        return not_sealed(err, "it is no EnvelopedData");
    }
    struct smime_ber explicit = smime_ber_take(&info, SMIME_DER_CONSTRUCTED_0);
    struct smime_ber enveloped = smime_ber_take(&explicit, SMIME_DER_SEQUENCE);
    if (all.failed || all.len > 0 || info.failed || info.len > 0 || explicit.failed || explicit.len > 0) {
        return not_sealed(err, "it is damaged, or bytes follow it");
    }
    return read_enveloped(enveloped, authenticated, message, err);
}

enum status smime_message_read(struct span bytes, struct smime_message **message_out, struct error *err)
{
    *message_out = NULL;
    struct smime_message *message = calloc(1, sizeof *message);
    if (!message) {
        return error_set(err, STATUS_TEMPORARY, "out of memory for the recipients of a message");
    }
    enum status status = read_message(bytes, message, err);
    if (status != STATUS_OK) {
        smime_message_free(message);
        return status;
    }
    *message_out = message;
    return STATUS_OK;
}

void smime_message_free(struct smime_message *message)
{
    for (size_t i = 0; i < message->n; i++) {
        buf_free(&message->rids[i].name);
    }
    free(message->rids);
    free(message);
}

size_t smime_message_recipients(const struct smime_message *message)
{
    return message->n;
}

static bool has_key_id(struct span certificate, struct span key_id)
{
    X509 *cert = NULL;
    if (smime_certificate_parse(certificate, &cert, NULL) != STATUS_OK) {
        return false;
    }
    const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(cert);
    bool same = own && span_eq(span_of(ASN1_STRING_get0_data(own), (size_t)ASN1_STRING_length(own)), key_id);
    X509_free(cert);
    return same;
}

static bool names(const struct rid *rid, struct span certificate, struct span id)
{
    return rid->by_key ? has_key_id(certificate, buf_span(&rid->name)) : span_eq(buf_span(&rid->name), id);
}

bool smime_message_is_for(const struct smime_message *message, struct span certificate)
{
    const struct smime_recipient recipient = {.certificate = certificate};
    const struct smime_order order = {.recipients = &recipient, .n = 1};
    struct smime_expected_list expected;
    struct error unused;
    bool found = false;
    if (smime_expected_read(&order, &expected, &unused) == STATUS_OK) {
        for (size_t i = 0; i < message->n && !found; i++) {
            found = names(&message->rids[i], certificate, buf_span(&expected.items[0].id));
        }
    }
    smime_expected_free(&expected);
    ERR_clear_error();
    return found;
}
