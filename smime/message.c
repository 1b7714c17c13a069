#include "smime/message.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "smime/ber.h"
#include "smime/certificate.h"
#include "smime/check_recipients.h"

#define CONSTRUCTED_2 0xA2 /* [2] */

/* Whom a RecipientInfo names. */
struct named {
    bool by_key; /* ID is a subject key identifier, else the content of IssuerAndSerialNumber */
    struct buf id;
};

struct smime_message {
    struct named *recipients; /* owned */
    size_t n, size;
};

/* Functions that read a piece of the message return NULL, or what is wrong with it. */

static const char *const no_memory = "out of memory";

static const char *add(struct smime_message *message, bool by_key, struct smime_der id)
{
    if (id.failed || id.len == 0) {
        return "a RecipientInfo names nobody";
    }
    if (message->n == message->size) {
        size_t size = message->size ? 2 * message->size : 4;
        struct named *larger = realloc(message->recipients, size * sizeof *larger);
        if (!larger) {
            return no_memory;
        }
        message->recipients = larger;
        message->size = size;
    }
    struct named *named = &message->recipients[message->n++];
    named->by_key = by_key;
    buf_init(&named->id, id.len);
    buf_append(&named->id, id.p, id.len);
    return named->id.failed ? no_memory : NULL;
}

/* RFC 5652 §6.2.1. */
static const char *read_key_transport(struct smime_message *message, struct smime_der info)
{
    smime_ber_take(&info, SMIME_DER_INTEGER);
    bool by_key = smime_der_is(&info, SMIME_DER_IMPLICIT_0);
    struct smime_der id = smime_ber_take(&info, by_key ? SMIME_DER_IMPLICIT_0 : SMIME_DER_SEQUENCE);
    smime_ber_take(&info, SMIME_DER_SEQUENCE);
    smime_ber_take(&info, SMIME_DER_OCTET_STRING);
    return smime_der_done(&info) ? add(message, by_key, id) : "a KeyTransRecipientInfo is damaged";
}

/* RFC 5652 §6.2.2: issuerAndSerialNumber, or [0] RecipientKeyIdentifier, whose rest does not matter here. */
static const char *read_encrypted_key(struct smime_message *message, struct smime_der key)
{
    bool by_key = smime_der_is(&key, SMIME_DER_CONSTRUCTED_0);
    struct smime_der id = smime_ber_take(&key, by_key ? SMIME_DER_CONSTRUCTED_0 : SMIME_DER_SEQUENCE);
    smime_ber_take(&key, SMIME_DER_OCTET_STRING);
    if (!smime_der_done(&key)) {
        return "a RecipientEncryptedKey is damaged";
    }
    return add(message, by_key, by_key ? smime_ber_take(&id, SMIME_DER_OCTET_STRING) : id);
}

static const char *read_key_agreement(struct smime_message *message, struct smime_der info)
{
    smime_ber_take(&info, SMIME_DER_INTEGER);
    smime_ber_take(&info, SMIME_DER_CONSTRUCTED_0);
    smime_ber_skip_optional(&info, SMIME_DER_CONSTRUCTED_1);
    smime_ber_take(&info, SMIME_DER_SEQUENCE);
    struct smime_der keys = smime_ber_take(&info, SMIME_DER_SEQUENCE);
    if (!smime_der_done(&info) || keys.len == 0) {
        return "a KeyAgreeRecipientInfo is damaged";
    }
    const char *problem = NULL;
    while (keys.len > 0 && !problem) {
        struct smime_der key = smime_ber_take(&keys, SMIME_DER_SEQUENCE);
        problem = keys.failed ? "a KeyAgreeRecipientInfo is damaged" : read_encrypted_key(message, key);
    }
    return problem;
}

static const char *read_recipients(struct smime_message *message, struct smime_der infos)
{
    const char *problem = infos.len == 0 ? "it has no recipients" : NULL;
    while (infos.len > 0 && !problem) {
        struct smime_ber info;
        if (!smime_ber_next(&infos, &info)) {
            return "its RecipientInfos are damaged";
        }
        if (info.identifier == SMIME_DER_SEQUENCE) {
            problem = read_key_transport(message, info.content);
        } else if (info.identifier == SMIME_DER_CONSTRUCTED_1) {
            problem = read_key_agreement(message, info.content);
        } else {
            problem = "a recipient opens it with a password or a shared key, not with a certificate";
        }
    }
    return problem;
}

/* Is D an AlgorithmIdentifier or ContentInfo type NID? */
static bool is_oid(struct smime_der d, int nid)
{
    smime_der_take_oid(&d, nid);
    return !d.failed;
}

/* The block that the ciphertext is a multiple of; 0: not a cipher of S/MIME in this type. */
static size_t block_of(struct smime_der algorithm, bool authenticated)
{
    static const struct {
        int nid;
        bool authenticated;
        size_t block;
    } ciphers[] = {
        {NID_aes_128_cbc, false, 16}, {NID_aes_192_cbc, false, 16}, {NID_aes_256_cbc, false, 16},
        {NID_des_ede3_cbc, false, 8}, {NID_aes_128_gcm, true, 1},   {NID_aes_192_gcm, true, 1},
        {NID_aes_256_gcm, true, 1},
    };
    for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++) {
        if (ciphers[i].authenticated == authenticated && is_oid(algorithm, ciphers[i].nid)) {
            return ciphers[i].block;
        }
    }
    return 0;
}

static const char *read_content(struct smime_der content, bool authenticated)
{
    smime_ber_take(&content, SMIME_DER_OID);
    size_t block = block_of(smime_ber_take(&content, SMIME_DER_SEQUENCE), authenticated);
    if (content.failed) {
        return "its EncryptedContentInfo is damaged";
    }
    if (block == 0) {
        return "its cipher is not AES or 3DES";
    }
    struct smime_ber encrypted;
    if (!smime_ber_next(&content, &encrypted)) {
        return "its encrypted content is absent or damaged";
    }
    size_t len = encrypted.content.len;
    bool pieces = encrypted.identifier == SMIME_DER_CONSTRUCTED_0;
    if (!smime_der_done(&content) || (!pieces && encrypted.identifier != SMIME_DER_IMPLICIT_0) ||
        (pieces && !smime_ber_pieces(encrypted.content, &len))) {
        return "its encrypted content is damaged";
    }
    if (len == 0) {
        return "its encrypted content is empty";
    }
    return len % block == 0 ? NULL : "its encrypted content ends within a block";
}

/* RFC 5652 §6.1; RFC 5083 §2.1. */
static const char *read_enveloped(struct smime_message *message, struct smime_der enveloped,
                                  bool authenticated)
{
    smime_ber_take(&enveloped, SMIME_DER_INTEGER);
    smime_ber_skip_optional(&enveloped, SMIME_DER_CONSTRUCTED_0);
    struct smime_der infos = smime_ber_take(&enveloped, SMIME_DER_SET);
    struct smime_der content = smime_ber_take(&enveloped, SMIME_DER_SEQUENCE);
    smime_ber_skip_optional(&enveloped, SMIME_DER_CONSTRUCTED_1);
    if (authenticated) {
        smime_ber_take(&enveloped, SMIME_DER_OCTET_STRING);
        smime_ber_skip_optional(&enveloped, CONSTRUCTED_2);
    }
    if (!smime_der_done(&enveloped)) {
        return "it is damaged or cut off";
    }
    const char *problem = read_recipients(message, infos);
    return problem ? problem : read_content(content, authenticated);
}

static const char *read_message(struct smime_message *message, struct span bytes)
{
    struct smime_der all = smime_der_of(bytes);
    struct smime_der info = smime_ber_take(&all, SMIME_DER_SEQUENCE);
    if (!smime_der_done(&all)) {
        return all.failed ? "it is damaged or cut off" : "bytes stand behind it";
    }
    bool enveloped = is_oid(info, NID_pkcs7_enveloped);
    bool authenticated = is_oid(info, NID_id_smime_ct_authEnvelopedData);
    smime_ber_take(&info, SMIME_DER_OID);
    struct smime_der explicit = smime_ber_take(&info, SMIME_DER_CONSTRUCTED_0);
    struct smime_der content = smime_ber_take(&explicit, SMIME_DER_SEQUENCE);
    if (!smime_der_done(&info) || !smime_der_done(&explicit)) {
        return "it is damaged or cut off";
    }
    if (!enveloped && !authenticated) {
        return "it is not encrypted";
    }
    return read_enveloped(message, content, authenticated);
}

enum status smime_message_read(struct span bytes, struct smime_message **message_out, struct error *err)
{
    *message_out = NULL;
    struct smime_message *message = calloc(1, sizeof *message);
    const char *problem = message ? read_message(message, bytes) : no_memory;
    if (problem) {
        smime_message_free(message);
        return error_set(err, problem == no_memory ? STATUS_TEMPORARY : STATUS_INVALID,
                         "no encrypted S/MIME message: %s", problem);
    }
    *message_out = message;
    return STATUS_OK;
}

void smime_message_free(struct smime_message *message)
{
    if (message) {
        for (size_t i = 0; i < message->n; i++) {
            buf_free(&message->recipients[i].id);
        }
        free(message->recipients);
        free(message);
    }
}

size_t smime_message_recipients(const struct smime_message *message)
{
    return message->n;
}

static bool names(const struct smime_message *message, bool by_key, struct span id)
{
    for (size_t i = 0; i < message->n; i++) {
        const struct named *named = &message->recipients[i];
        if (named->by_key == by_key && span_eq(buf_span(&named->id), id)) {
            return true;
        }
    }
    return false;
}

bool smime_message_is_for(const struct smime_message *message, struct span certificate)
{
    const struct smime_recipient recipient = {.certificate = certificate};
    const struct smime_order order = {.recipients = &recipient, .n = 1};
    struct smime_expected_list list;
    X509 *cert = NULL;
    bool is_for = smime_expected_read(&order, &list, NULL) == STATUS_OK &&
                  names(message, false, buf_span(&list.items[0].id));
    smime_expected_free(&list);
    if (!is_for && smime_certificate_parse(certificate, &cert, NULL) == STATUS_OK) {
        const ASN1_OCTET_STRING *id = X509_get0_subject_key_id(cert);
        is_for =
            id && names(message, true, span_of(ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id)));
    }
    X509_free(cert);
    ERR_clear_error();
    return is_for;
}
