#include <limits.h>

#include <openssl/cms.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "smime/certificate.h"
#include "smime/smime.h"

#define WRITE_MAX (1u << 20)                /* bytes given to OpenSSL at once */
#define PLAINTEXT_MAX (INT_MAX - (1 << 24)) /* an ASN.1 string of OpenSSL counts in int */

/* RFC 5753 §7.1.4, RFC 8551 §2.3: OpenSSL's own default would still be SHA-1. */
static int choose_agreement(CMS_RecipientInfo *ri)
{
    EVP_PKEY_CTX *agreement = CMS_RecipientInfo_get0_pkey_ctx(ri);
    EVP_CIPHER_CTX *wrap = CMS_RecipientInfo_kari_get0_ctx(ri);
    return agreement && wrap && EVP_PKEY_CTX_set_ecdh_kdf_md(agreement, EVP_sha256()) == 1 &&
           EVP_EncryptInit_ex(wrap, EVP_aes_256_wrap(), NULL, NULL, NULL) == 1;
}

static enum status add_recipient(CMS_ContentInfo *cms, struct span der, struct error *err)
{
    X509 *cert = NULL;
    struct smime_key key;
    enum status status = smime_certificate_parse(der, &cert, err);
    if (status != STATUS_OK) {
        return status;
    }
    smime_key_read(cert, &key);
    if (key.problem) {
        status = error_set(err, STATUS_INVALID, "cannot encrypt to the certificate: %s (%s)", key.problem,
                           key.name);
    } else {
        CMS_RecipientInfo *ri = CMS_add1_recipient_cert(cms, cert, 0);
        if (!ri || (key.type == SMIME_KEY_EC && !choose_agreement(ri))) {
            status = smime_failure(err, STATUS_INTERNAL, "cannot encrypt to the certificate");
        }
    }
    X509_free(cert);
    return status;
}

static enum status add_recipients(CMS_ContentInfo *cms, const struct span *certificates, size_t n,
                                  struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        enum status status = smime_certificate_is_repeated(certificates, i)
                                 ? STATUS_OK
                                 : add_recipient(cms, certificates[i], err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static bool write_all(BIO *to, struct span bytes)
{
    while (bytes.len > 0) {
        size_t part = bytes.len < WRITE_MAX ? bytes.len : WRITE_MAX;
        size_t written = 0;
        if (BIO_write_ex(to, bytes.p, part, &written) != 1 || written == 0) {
            return false;
        }
        bytes = span_of(bytes.p + written, bytes.len - written);
    }
    return BIO_flush(to) == 1;
}

static enum status encrypt_content(CMS_ContentInfo *cms, struct span plaintext, struct error *err)
{
    BIO *chain = CMS_dataInit(cms, NULL);
    enum status status = STATUS_OK;
    if (!chain || !write_all(chain, plaintext) || CMS_dataFinal(cms, chain) != 1) {
        status = smime_failure(err, STATUS_INTERNAL, "S/MIME encryption failed");
    }
    BIO_free_all(chain);
    return status;
}

static enum status write_der(const CMS_ContentInfo *cms, struct buf *der_out, struct error *err)
{
    int len = i2d_CMS_ContentInfo(cms, NULL);
    if (len <= 0) {
        return smime_failure(err, STATUS_INTERNAL, "S/MIME message cannot be written");
    }
    unsigned char *to = buf_reserve(der_out, (size_t)len);
    if (to) {
        if (i2d_CMS_ContentInfo(cms, &to) != len) {
            return smime_failure(err, STATUS_INTERNAL, "S/MIME message cannot be written");
        }
        buf_commit(der_out, (size_t)len);
    }
    return buf_check(der_out, "S/MIME message", err);
}

enum status smime_encrypt(const struct span *certificates, size_t n_certificates, struct span plaintext,
                          struct buf *der_out, struct error *err)
{
    enum status status = STATUS_OK;
    if (n_certificates == 0) {
        status = error_set(err, STATUS_INVALID, "S/MIME encryption: no certificate given");
    } else if (plaintext.len > PLAINTEXT_MAX) {
        status = error_set(err, STATUS_LIMIT, "S/MIME encryption: message of %zu bytes is too large",
                           plaintext.len);
    }
    if (status != STATUS_OK) {
        buf_reset(der_out);
        return status;
    }

    ERR_clear_error();
    CMS_ContentInfo *cms = CMS_EnvelopedData_create(EVP_aes_256_cbc());
    /* without set_detached the ciphertext would go nowhere */
    if (!cms || CMS_set_detached(cms, 0) != 1) {
        status = smime_failure(err, STATUS_INTERNAL, "S/MIME encryption cannot start");
    }
    if (status == STATUS_OK) {
        status = add_recipients(cms, certificates, n_certificates, err);
    }
    if (status == STATUS_OK) {
        status = encrypt_content(cms, plaintext, err);
    }
    if (status == STATUS_OK) {
        status = write_der(cms, der_out, err);
    }
    CMS_ContentInfo_free(cms);
    ERR_clear_error();
    if (status != STATUS_OK) {
        buf_reset(der_out);
    }
    return status;
}
