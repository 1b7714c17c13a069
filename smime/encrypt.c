#include <limits.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "smime/certificate.h"
#include "smime/der.h"
#include "smime/recipients.h"
#include "smime/smime.h"

#define PIECE_SIZE 65536                    /* bytes encrypted at once: what is held of the message */
#define PLAINTEXT_MAX (INT_MAX - (1 << 24)) /* an ASN.1 string of OpenSSL counts in int */
#define BLOCK 16                            /* of AES */
#define MAC_SIZE 16                         /* of GCM, as OpenSSL makes it (RFC 5084 §3.2 allows it) */

/* OpenSSL makes the RecipientInfos and the ciphertext; the frame around them is written here, because OpenSSL
 * writes DER only of a message that it holds whole. */
struct encryption {
    CMS_ContentInfo *cms;
    BIO *chain; /* what is written to it is encrypted into HELD */
    BIO *held;  /* its last element; emptied after each piece */
    const struct sink *der;
    bool gcm;
    size_t content_len; /* bytes of ciphertext announced */
    size_t written;     /* of these */
};

static enum status start(struct encryption *e, const struct smime_order *order, struct error *err)
{
    e->cms = e->gcm ? CMS_AuthEnvelopedData_create(EVP_aes_256_gcm())
                    : CMS_EnvelopedData_create(EVP_aes_256_cbc());
    if (!e->cms) {
        return smime_failure(err, STATUS_INTERNAL, "S/MIME encryption cannot start");
    }
    enum status status = smime_recipients_add(e->cms, order, err);
    if (status != STATUS_OK) {
        return status;
    }
    BIO *held = BIO_new(BIO_s_mem());
    e->chain = held ? CMS_dataInit(e->cms, held) : NULL; /* makes the encrypted keys */
    if (!e->chain) {
        BIO_free(held);
        return smime_failure(err, STATUS_INTERNAL, "S/MIME encryption cannot start");
    }
    e->held = held;
    return STATUS_OK;
}

/* The elements that OpenSSL made, out of a message without content. */
struct made {
    struct span type;          /* OBJECT IDENTIFIER of the ContentInfo */
    struct span version_infos; /* version and RecipientInfos */
    struct span algorithms;    /* content type and cipher of EncryptedContentInfo */
};

static bool cut(struct span message, bool gcm, struct made *out)
{
    struct smime_der all = smime_der_of(message);
    struct smime_der info = smime_der_take(&all, SMIME_DER_SEQUENCE);
    const uint8_t *type = info.p;
    smime_der_take(&info, SMIME_DER_OID);
    out->type = span_of(type, (size_t)(info.p - type));
    struct smime_der explicit = smime_der_take(&info, SMIME_DER_CONSTRUCTED_0);
    struct smime_der enveloped = smime_der_take(&explicit, SMIME_DER_SEQUENCE);
    const uint8_t *version = enveloped.p;
    smime_der_take(&enveloped, SMIME_DER_INTEGER);
    smime_der_take(&enveloped, SMIME_DER_SET);
    out->version_infos = span_of(version, (size_t)(enveloped.p - version));
    struct smime_der content = smime_der_take(&enveloped, SMIME_DER_SEQUENCE);
    out->algorithms = span_of(content.p, content.len);
    if (gcm) {
        smime_der_take(&enveloped, SMIME_DER_OCTET_STRING); /* the MAC: not known yet */
    }
    return smime_der_done(&all) && smime_der_done(&info) && smime_der_done(&explicit) &&
           smime_der_done(&enveloped) && !content.failed;
}

static size_t element_size(size_t len)
{
    return smime_der_header_size(len) + len;
}

/* Everything before the first byte of ciphertext (RFC 5652 §6.1, RFC 5083 §2.1). */
static void frame(const struct encryption *e, const struct made *made, struct buf *head)
{
    size_t content = made->algorithms.len + element_size(e->content_len);
    size_t enveloped =
        made->version_infos.len + element_size(content) + (e->gcm ? element_size(MAC_SIZE) : 0);
    size_t explicit = element_size(enveloped);
    size_t info = made->type.len + element_size(explicit);
    smime_der_put_header(head, SMIME_DER_SEQUENCE, info);
    buf_append_span(head, made->type);
    smime_der_put_header(head, SMIME_DER_CONSTRUCTED_0, explicit);
    smime_der_put_header(head, SMIME_DER_SEQUENCE, enveloped);
    buf_append_span(head, made->version_infos);
    smime_der_put_header(head, SMIME_DER_SEQUENCE, content);
    buf_append_span(head, made->algorithms);
    smime_der_put_header(head, SMIME_DER_IMPLICIT_0, e->content_len);
}

static enum status write_head(const struct encryption *e, struct error *err)
{
    unsigned char *message = NULL;
    struct made made;
    struct buf head;
    int len = i2d_CMS_ContentInfo(e->cms, &message);
    if (len <= 0) {
        return smime_failure(err, STATUS_INTERNAL, "S/MIME message cannot be written");
    }
    buf_init(&head, (size_t)len + 128);
    enum status status = STATUS_OK;
    if (!cut(span_of(message, (size_t)len), e->gcm, &made)) {
        status = error_set(err, STATUS_INTERNAL, "S/MIME encryption: OpenSSL made a form that is not known");
    } else {
        frame(e, &made, &head);
        status = buf_check(&head, "S/MIME message", err);
    }
    if (status == STATUS_OK) {
        status = sink_write(e->der, buf_span(&head), err);
    }
    buf_free(&head);
    OPENSSL_free(message);
    return status;
}

static enum status drain(struct encryption *e, struct error *err)
{
    char *ciphertext = NULL;
    long len = BIO_get_mem_data(e->held, &ciphertext);
    e->written += (size_t)len;
    enum status status = sink_write(e->der, span_of(ciphertext, (size_t)len), err);
    if (status == STATUS_OK && BIO_reset(e->held) != 1) {
        status = smime_failure(err, STATUS_INTERNAL, "S/MIME encryption failed");
    }
    return status;
}

static enum status encrypt_span(struct encryption *e, struct span bytes, struct error *err)
{
    enum status status = STATUS_OK;
    while (bytes.len > 0 && status == STATUS_OK) {
        size_t part = bytes.len < PIECE_SIZE ? bytes.len : PIECE_SIZE;
        size_t taken = 0;
        if (BIO_write_ex(e->chain, bytes.p, part, &taken) != 1 || taken == 0) {
            return smime_failure(err, STATUS_INTERNAL, "S/MIME encryption failed");
        }
        bytes = span_of(bytes.p + taken, bytes.len - taken);
        status = drain(e, err);
    }
    return status;
}

static enum status encrypt_content(struct encryption *e, struct spans plaintext, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < plaintext.n && status == STATUS_OK; i++) {
        status = encrypt_span(e, plaintext.items[i], err);
    }
    if (status != STATUS_OK) {
        return status;
    }
    if (BIO_flush(e->chain) != 1) {
        return smime_failure(err, STATUS_INTERNAL, "S/MIME encryption failed");
    }
    status = drain(e, err);
    if (status == STATUS_OK && e->written != e->content_len) {
        status = error_set(err, STATUS_INTERNAL, "S/MIME encryption: %zu bytes of ciphertext instead of %zu",
                           e->written, e->content_len);
    }
    return status;
}

static enum status write_mac(const struct encryption *e, struct error *err)
{
    EVP_CIPHER_CTX *cipher = NULL;
    uint8_t mac[2 + MAC_SIZE] = {SMIME_DER_OCTET_STRING, MAC_SIZE};
    if (BIO_get_cipher_ctx(e->chain, &cipher) != 1 ||
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, MAC_SIZE, mac + 2) != 1) {
        return smime_failure(err, STATUS_INTERNAL, "S/MIME encryption made no MAC");
    }
    return sink_write(e->der, span_of(mac, sizeof mac), err);
}

enum status smime_encrypt(const struct smime_order *order, struct spans plaintext, const struct sink *der,
                          struct error *err)
{
    size_t len = spans_len(plaintext);
    struct encryption e = {.der = der, .gcm = order->cipher == SMIME_AES256_GCM};
    e.content_len = e.gcm ? len : (len / BLOCK + 1) * BLOCK; /* RFC 5652 §6.3 */
    if (order->n == 0) {
        return error_set(err, STATUS_INVALID, "S/MIME encryption: no certificate given");
    }
    if (len > PLAINTEXT_MAX) {
        return error_set(err, STATUS_LIMIT, "S/MIME encryption: message of %zu bytes is too large", len);
    }

    ERR_clear_error();
    enum status status = start(&e, order, err);
    if (status == STATUS_OK) {
        status = write_head(&e, err);
    }
    if (status == STATUS_OK) {
        status = encrypt_content(&e, plaintext, err);
    }
    if (status == STATUS_OK && e.gcm) {
        status = write_mac(&e, err);
    }
    BIO_free_all(e.chain);
    CMS_ContentInfo_free(e.cms);
    ERR_clear_error();
    return status;
}
