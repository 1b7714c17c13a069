#include "smime/recipients.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "smime/certificate.h"
#include "smime/parsed.h"

#define POINT_SIZE_256 65 /* bytes of an uncompressed point of a curve of 256 bits */

bool smime_recipient_is_repeated(const struct smime_order *order, size_t i)
{
    for (size_t earlier = 0; earlier < i; earlier++) {
        if (span_eq(order->recipients[earlier].certificate, order->recipients[i].certificate)) {
            return true;
        }
    }
    return false;
}

/* RFC 5753 §7.1.4, RFC 8551 §2.3: OpenSSL's own default would still be SHA-1. */
static bool choose_agreement(CMS_RecipientInfo *ri, const struct smime_key *key)
{
    const EVP_MD *kdf = key->size > POINT_SIZE_256 ? EVP_sha384() : EVP_sha256();
    EVP_PKEY_CTX *agreement = CMS_RecipientInfo_get0_pkey_ctx(ri);
    EVP_CIPHER_CTX *wrap = CMS_RecipientInfo_kari_get0_ctx(ri);
    return agreement && wrap && EVP_PKEY_CTX_set_ecdh_kdf_md(agreement, kdf) == 1 &&
           EVP_EncryptInit_ex(wrap, EVP_aes_256_wrap(), NULL, NULL, NULL) == 1;
}

static bool choose_oaep(CMS_RecipientInfo *ri)
{
    EVP_PKEY_CTX *transport = CMS_RecipientInfo_get0_pkey_ctx(ri);
    return transport && EVP_PKEY_CTX_set_rsa_padding(transport, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(transport, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(transport, EVP_sha256()) == 1;
}

static bool add(CMS_ContentInfo *cms, X509 *cert, const struct smime_key *key, bool oaep)
{
    bool with_oaep = key->type == SMIME_KEY_RSA && oaep;
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
                                 struct smime_parsed *parsed, struct error *err)
{
    X509 *cert = NULL;
    struct smime_key key;
    enum status status = smime_parsed_get(parsed, recipient->certificate, &cert, err);
    if (status != STATUS_OK) {
        return status;
    }
    smime_key_read(cert, &key);
    if (key.problem) {
        status = error_set(err, STATUS_INVALID, "cannot encrypt to the certificate: %s (%s)", key.problem,
                           key.name);
    } else if (!add(cms, cert, &key, recipient->oaep)) {
        status = smime_failure(err, STATUS_INTERNAL, "cannot encrypt to the certificate");
    }
    X509_free(cert);
    return status;
}

enum status smime_recipients_add(CMS_ContentInfo *cms, const struct smime_order *order, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < order->n && status == STATUS_OK; i++) {
        if (!smime_recipient_is_repeated(order, i)) {
            status = add_recipient(cms, &order->recipients[i], order->parsed, err);
        }
    }
    return status;
}
