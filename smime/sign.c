#include "smime/sign.h"

#include <stdio.h>

#include <openssl/cms.h>
#include <openssl/err.h>

#include "smime/certificate.h"
#include "smime/signature.h"
#include "smime/signer.h"

#define NO_PARAMETER (-1)
#define PARTIAL (CMS_PARTIAL | CMS_DETACHED | CMS_BINARY)

/* A failing token is no fault of the message: it can be signed later. */
static enum status failure(const struct smime_signer *signer, const char *what, struct error *err)
{
    enum status status = smime_failure(err, signer->key_uri ? STATUS_TEMPORARY : STATUS_INTERNAL, what);
    error_prefix(err, "S/MIME signing with %s", signer->name);
    return status;
}

/* RFC 8551 §2.5.2: what the sender's programs read, best first. */
static bool add_capabilities(CMS_SignerInfo *info, unsigned capabilities)
{
    STACK_OF(X509_ALGOR) *list = NULL;
    bool good = (!(capabilities & SMIME_CAPABILITY_AES256_GCM) ||
                 CMS_add_simple_smimecap(&list, NID_aes_256_gcm, NO_PARAMETER) == 1) &&
                CMS_add_simple_smimecap(&list, NID_aes_256_cbc, NO_PARAMETER) == 1 &&
                CMS_add_simple_smimecap(&list, NID_aes_192_cbc, NO_PARAMETER) == 1 &&
                CMS_add_simple_smimecap(&list, NID_aes_128_cbc, NO_PARAMETER) == 1 &&
                CMS_add_smimecap(info, list) == 1;
    sk_X509_ALGOR_pop_free(list, X509_ALGOR_free);
    return good;
}

static bool add_chain(CMS_ContentInfo *cms, const STACK_OF(X509) * chain)
{
    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (CMS_add1_cert(cms, sk_X509_value(chain, i)) != 1) {
            return false;
        }
    }
    return true;
}

/* OpenSSL adds content type, message digest and signing time to the attributes. The pieces only pass by. */
static enum status make(const struct smime_signer *signer, struct spans entity, CMS_ContentInfo **cms_out,
                        struct error *err)
{
    CMS_ContentInfo *cms = CMS_sign(NULL, NULL, NULL, NULL, PARTIAL);
    CMS_SignerInfo *info =
        cms ? CMS_add1_signer(cms, signer->cert, signer->key, signer->digest, PARTIAL | CMS_NOSMIMECAP)
            : NULL;
    BIO *pipe = NULL;
    enum status status = STATUS_OK;
    *cms_out = cms;
    if (!info || !add_capabilities(info, signer->capabilities) || !add_chain(cms, signer->chain)) {
        return failure(signer, "cannot start", err);
    }
    pipe = CMS_dataInit(cms, NULL);
    if (!pipe || !smime_write_pieces(pipe, entity) || BIO_flush(pipe) != 1 || CMS_dataFinal(cms, pipe) != 1) {
        status = failure(signer, "no signature was made", err);
    }
    BIO_free_all(pipe);
    return status;
}

static enum status write_der(const struct smime_signer *signer, const CMS_ContentInfo *cms,
                             struct buf *der_out, struct error *err)
{
    int len = i2d_CMS_ContentInfo(cms, NULL);
    unsigned char *to = len > 0 ? buf_reserve(der_out, (size_t)len) : NULL;
    if (len <= 0 || (to && i2d_CMS_ContentInfo(cms, &to) != len)) {
        return failure(signer, "the signature cannot be written", err);
    }
    if (to) {
        buf_commit(der_out, (size_t)len);
    }
    return buf_check(der_out, "S/MIME signature", err);
}

/* One signer, who is this one, nothing inside, and the signature holds: a token that computes wrongly, or
 * another's key, is found here. */
static enum status prove(const struct smime_signer *signer, struct span der, struct spans entity,
                         struct error *err)
{
    const unsigned char *p = (const unsigned char *)der.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)der.len);
    STACK_OF(CMS_SignerInfo) *infos = cms ? CMS_get0_SignerInfos(cms) : NULL;
    STACK_OF(X509) *own = sk_X509_new_null();
    CMS_SignerInfo *info = sk_CMS_SignerInfo_num(infos) == 1 ? sk_CMS_SignerInfo_value(infos, 0) : NULL;
    enum status status = STATUS_OK;
    if (!own || !info || p != (const unsigned char *)der.p + der.len || CMS_is_detached(cms) != 1 ||
        X509_add_cert(own, signer->cert, X509_ADD_FLAG_UP_REF) != 1 ||
        CMS_set1_signers_certs(cms, own, CMS_NOINTERN) != 1) {
        status = failure(signer, "the signature is not that of the certificate", err);
    } else {
        status = smime_signature_verify(info, entity, err);
        if (status != STATUS_OK) {
            status = error_set(err, signer->key_uri ? STATUS_TEMPORARY : STATUS_INTERNAL,
                               "S/MIME signing with %s: the signature made does not verify", signer->name);
        }
    }
    sk_X509_pop_free(own, X509_free);
    CMS_ContentInfo_free(cms);
    return status;
}

static enum status sign_once(struct smime_signer *signer, struct spans entity, struct buf *der_out,
                             struct error *err)
{
    CMS_ContentInfo *cms = NULL;
    size_t before = der_out->len;
    enum status status = make(signer, entity, &cms, err);
    if (status == STATUS_OK) {
        status = write_der(signer, cms, der_out, err);
    }
    if (status == STATUS_OK) {
        struct span der = buf_span(der_out);
        status = prove(signer, span_of(der.p + before, der.len - before), entity, err);
    }
    CMS_ContentInfo_free(cms);
    return status;
}

enum status smime_sign(struct smime_signer *signer, struct spans entity, struct buf *der_out,
                       char micalg_out[SMIME_MICALG_SIZE], struct error *err)
{
    ERR_clear_error();
    size_t before = der_out->len;
    bool lost = signer->key_uri && !signer->key;
    enum status status = lost ? STATUS_TEMPORARY : sign_once(signer, entity, der_out, err);
    if (status == STATUS_TEMPORARY && signer->key_uri && der_out->len == before) {
        status = smime_signer_reopen(signer, err);
        if (status == STATUS_OK) {
            status = sign_once(signer, entity, der_out, err);
        }
    }
    ERR_clear_error();
    if (status != STATUS_OK) {
        buf_reset(der_out);
    }
    snprintf(micalg_out, SMIME_MICALG_SIZE, "%s", status == STATUS_OK ? signer->micalg : "");
    return status;
}
