#include <limits.h>

#include <openssl/asn1.h>
#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "smime/certificate.h"
#include "smime/cms_layout.h"
#include "smime/der.h"
#include "smime/smime.h"

#define CHUNK (1u << 16)                    /* bytes given to OpenSSL at once */
#define PLAINTEXT_MAX (INT_MAX - (1 << 24)) /* an ASN.1 string of OpenSSL counts in int */

/* ---- recipients ---- */

/* RFC 5753 §7.1.4, RFC 8551 §2.3: OpenSSL's own default would still be SHA-1. */
static int choose_agreement(CMS_RecipientInfo *ri, const struct smime_key *key)
{
    EVP_PKEY_CTX *agreement = CMS_RecipientInfo_get0_pkey_ctx(ri);
    EVP_CIPHER_CTX *wrap = CMS_RecipientInfo_kari_get0_ctx(ri);
    const EVP_MD *kdf = smime_kdf_nid(key) == NID_sha256 ? EVP_sha256() : EVP_sha384();
    return agreement && wrap && EVP_PKEY_CTX_set_ecdh_kdf_md(agreement, kdf) == 1 &&
           EVP_EncryptInit_ex(wrap, EVP_aes_256_wrap(), NULL, NULL, NULL) == 1;
}

/* RFC 4055 §4.1: OpenSSL's own default would be SHA-1; the mask generation function follows the hash. */
static int choose_oaep(CMS_RecipientInfo *ri)
{
    EVP_PKEY_CTX *transport = CMS_RecipientInfo_get0_pkey_ctx(ri);
    return transport && EVP_PKEY_CTX_set_rsa_padding(transport, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(transport, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(transport, EVP_sha256()) == 1;
}

static bool add_info(CMS_ContentInfo *cms, X509 *cert, const struct smime_key *key, bool oaep)
{
    bool with_oaep = oaep && key->type == SMIME_KEY_RSA;
    CMS_RecipientInfo *ri = CMS_add1_recipient_cert(cms, cert, with_oaep ? CMS_KEY_PARAM : 0);
    if (!ri) {
        return false;
    }
    if (key->type == SMIME_KEY_EC) {
        return choose_agreement(ri, key);
    }
    return !with_oaep || choose_oaep(ri);
}

static enum status add_recipient(CMS_ContentInfo *cms, const struct smime_recipient *recipient,
                                 struct error *err)
{
    X509 *cert = NULL;
    struct smime_key key;
    enum status status = smime_certificate_parse(recipient->certificate, &cert, err);
    if (status != STATUS_OK) {
        return status;
    }
    smime_key_read(cert, &key);
    if (key.problem) {
        status = error_set(err, STATUS_INVALID, "cannot encrypt to the certificate: %s (%s)", key.problem,
                           key.name);
    } else if (!add_info(cms, cert, &key, recipient->oaep)) {
        status = smime_failure(err, STATUS_INTERNAL, "cannot encrypt to the certificate");
    }
    X509_free(cert);
    return status;
}

static enum status add_recipients(CMS_ContentInfo *cms, const struct smime_order *order, struct error *err)
{
    for (size_t i = 0; i < order->n; i++) {
        enum status status = smime_recipient_is_repeated(order, i)
                                 ? STATUS_OK
                                 : add_recipient(cms, &order->recipients[i], err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

/* ---- the content, which passes through ---- */

struct writing {
    CMS_ContentInfo *cms;
    enum smime_cipher cipher;
    BIO *chain; /* the cipher, in front of ... */
    BIO *out;   /* ... what it made and the sink has not taken yet */
    const struct sink *sink;
    size_t expected, written; /* bytes of encrypted content */
};

static enum status failed(struct error *err)
{
    return smime_failure(err, STATUS_INTERNAL, "S/MIME encryption failed");
}

static enum status pass_on(struct writing *w, struct error *err)
{
    char *data = NULL;
    long len = BIO_get_mem_data(w->out, &data);
    if (len <= 0) {
        return STATUS_OK;
    }
    enum status status = sink_write(w->sink, span_of(data, (size_t)len), err);
    w->written += (size_t)len;
    return status == STATUS_OK && BIO_reset(w->out) != 1 ? failed(err) : status;
}

static enum status encrypt_piece(struct writing *w, struct span piece, struct error *err)
{
    enum status status = STATUS_OK;
    while (piece.len > 0 && status == STATUS_OK) {
        size_t part = piece.len < CHUNK ? piece.len : CHUNK;
        size_t taken = 0;
        if (BIO_write_ex(w->chain, piece.p, part, &taken) != 1 || taken == 0) {
            return failed(err);
        }
        piece = span_of(piece.p + taken, piece.len - taken);
        status = pass_on(w, err);
    }
    return status;
}

static enum status encrypt_content(struct writing *w, struct spans plaintext, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < plaintext.n && status == STATUS_OK; i++) {
        status = encrypt_piece(w, plaintext.items[i], err);
    }
    if (status == STATUS_OK && (BIO_flush(w->chain) != 1 || CMS_dataFinal(w->cms, w->chain) != 1)) {
        status = failed(err);
    }
    if (status == STATUS_OK) {
        status = pass_on(w, err);
    }
    if (status == STATUS_OK && w->written != w->expected) {
        status = error_set(err, STATUS_INTERNAL, "S/MIME encryption made %zu bytes of content, not %zu",
                           w->written, w->expected);
    }
    return status;
}

/* ---- what stands around it ---- */

/* The message as OpenSSL writes it, without its content. */
static enum status write_without_content(const CMS_ContentInfo *cms, struct buf *out, struct error *err)
{
    int len = i2d_CMS_ContentInfo(cms, NULL);
    unsigned char *to = len > 0 ? buf_reserve(out, (size_t)len) : NULL;
    if (!to || i2d_CMS_ContentInfo(cms, &to) != len) {
        return smime_failure(err, STATUS_INTERNAL, "S/MIME message cannot be written");
    }
    buf_commit(out, (size_t)len);
    return STATUS_OK;
}

/* The pieces of a message without content: version and RecipientInfos, and EncryptedContentInfo's members. */
static bool take_apart(struct span der, struct span *recipients_out, struct span *content_out)
{
    struct smime_der all = smime_der_of(der);
    struct smime_der info = smime_der_take(&all, SMIME_DER_SEQUENCE);
    smime_der_take(&info, SMIME_DER_OID);
    struct smime_der explicit = smime_der_take(&info, SMIME_DER_CONSTRUCTED_0);
    struct smime_der enveloped = smime_der_take(&explicit, SMIME_DER_SEQUENCE);
    const uint8_t *start = enveloped.p;
    smime_der_take(&enveloped, SMIME_DER_INTEGER);
    smime_der_take(&enveloped, SMIME_DER_SET);
    *recipients_out = span_of(start, enveloped.failed ? 0 : (size_t)(enveloped.p - start));
    struct smime_der content = smime_der_take(&enveloped, SMIME_DER_SEQUENCE);
    *content_out = span_of(content.p, content.len);
    return !enveloped.failed && !explicit.failed && !info.failed && !content.failed;
}

static void append_header(struct buf *out, int constructed, size_t len, int tag, int class)
{
    unsigned char header[16];
    unsigned char *p = header;
    ASN1_put_object(&p, constructed, (int)len, tag, class);
    buf_append(out, header, (size_t)(p - header));
}

static size_t with_header(int constructed, size_t len, int tag)
{
    return (size_t)ASN1_object_size(constructed, (int)len, tag);
}

/* Everything up to the first byte of the content, with lengths that count the content and what follows it. */
static enum status write_head(struct writing *w, struct error *err)
{
    struct span recipients, content;
    struct buf whole, head;
    const ASN1_OBJECT *type = CMS_get0_type(w->cms);
    size_t tail = w->cipher == SMIME_AES256_GCM ? SMIME_MAC_TLV : 0;
    buf_init(&whole, INT_MAX);
    buf_init(&head, INT_MAX);
    enum status status = write_without_content(w->cms, &whole, err);
    if (status == STATUS_OK && !take_apart(buf_span(&whole), &recipients, &content)) {
        status = error_set(err, STATUS_INTERNAL, "S/MIME message: OpenSSL wrote it in another form");
    }
    if (status == STATUS_OK) {
        size_t inner = content.len + with_header(0, w->expected, 0);
        size_t enveloped = recipients.len + with_header(1, inner, V_ASN1_SEQUENCE) + tail;
        size_t explicit = with_header(1, enveloped, V_ASN1_SEQUENCE);
        size_t oid = (size_t)i2d_ASN1_OBJECT(type, NULL);
        append_header(&head, 1, oid + with_header(1, explicit, 0), V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
        unsigned char *to = buf_reserve(&head, oid);
        if (to) {
            i2d_ASN1_OBJECT(type, &to);
            buf_commit(&head, oid);
        }
        append_header(&head, 1, explicit, 0, V_ASN1_CONTEXT_SPECIFIC);
        append_header(&head, 1, enveloped, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
        buf_append_span(&head, recipients);
        append_header(&head, 1, inner, V_ASN1_SEQUENCE, V_ASN1_UNIVERSAL);
        buf_append_span(&head, content);
        append_header(&head, 0, w->expected, 0, V_ASN1_CONTEXT_SPECIFIC);
        status = buf_check(&head, "S/MIME message", err);
    }
    if (status == STATUS_OK) {
        status = sink_write(w->sink, buf_span(&head), err);
    }
    buf_free(&whole);
    buf_free(&head);
    return status;
}

/* The MAC of AuthEnvelopedData, its last member, which is known only now. OpenSSL does not put it into a
 * structure without content. */
static enum status write_tail(struct writing *w, struct error *err)
{
    unsigned char tail[SMIME_MAC_TLV] = {SMIME_DER_OCTET_STRING, SMIME_MAC};
    EVP_CIPHER_CTX *ctx = NULL;
    if (w->cipher != SMIME_AES256_GCM) {
        return STATUS_OK;
    }
    if (BIO_get_cipher_ctx(w->chain, &ctx) != 1 || !ctx ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, SMIME_MAC, tail + 2) != 1) {
        return failed(err);
    }
    return sink_write(w->sink, span_of(tail, sizeof tail), err);
}

static enum status write_message(struct writing *w, struct spans plaintext, struct error *err)
{
    w->out = BIO_new(BIO_s_mem());
    /* The keys are made, and encrypted for the recipients, as soon as the chain is. */
    w->chain = w->out ? CMS_dataInit(w->cms, w->out) : NULL;
    if (!w->chain) {
        BIO_free(w->out);
        return failed(err);
    }
    enum status status = write_head(w, err);
    if (status == STATUS_OK) {
        status = encrypt_content(w, plaintext, err);
    }
    if (status == STATUS_OK) {
        status = write_tail(w, err);
    }
    BIO_free_all(w->chain);
    return status;
}

enum status smime_encrypt(const struct smime_order *order, struct spans plaintext, const struct sink *der,
                          struct error *err)
{
    size_t len = spans_len(plaintext);
    if (order->n == 0) {
        return error_set(err, STATUS_INVALID, "S/MIME encryption: no certificate given");
    }
    if (len > PLAINTEXT_MAX) {
        return error_set(err, STATUS_LIMIT, "S/MIME encryption: message of %zu bytes is too large", len);
    }

    ERR_clear_error();
    const EVP_CIPHER *cipher = order->cipher == SMIME_AES256_GCM ? EVP_aes_256_gcm() : EVP_aes_256_cbc();
    struct writing w = {.cms = CMS_EnvelopedData_create(cipher),
                        .cipher = order->cipher,
                        .sink = der,
                        .expected = smime_content_len(order->cipher, len)};
    enum status status = STATUS_OK;
    /* The ciphertext goes to our own end of the chain, not into the structure. */
    if (!w.cms || CMS_set_detached(w.cms, 1) != 1) {
        status = smime_failure(err, STATUS_INTERNAL, "S/MIME encryption cannot start");
    }
    if (status == STATUS_OK) {
        status = add_recipients(w.cms, order, err);
    }
    if (status == STATUS_OK) {
        status = write_message(&w, plaintext, err);
    }
    CMS_ContentInfo_free(w.cms);
    ERR_clear_error();
    return status;
}
