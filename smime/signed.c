#include "smime/signed.h"

#include <string.h>
#include <time.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "smime/capabilities.h"
#include "smime/certificate.h"
#include "smime/mail.h"
#include "smime/signature.h"

#define DETACHED_MAX (1u << 18) /* bytes of a signature without content */

static enum status unproven(struct error *err, const char *why)
{
    ERR_clear_error();
    return error_set(err, STATUS_INVALID, "signed mail: %s", why);
}

/* ---- the CMS ---- */

/* UNREADABLE: what it is called when it is no CMS. */
static enum status parse(struct span bytes, enum status unreadable, CMS_ContentInfo **cms_out,
                         struct error *err)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)bytes.len);
    *cms_out = NULL;
    if (!cms || p != (const unsigned char *)bytes.p + bytes.len) {
        CMS_ContentInfo_free(cms);
        return smime_failure(err, unreadable, "signed mail: its CMS is damaged");
    }
    if (OBJ_obj2nid(CMS_get0_type(cms)) != NID_pkcs7_signed ||
        sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms)) == 0) {
        CMS_ContentInfo_free(cms);
        return error_set(err, STATUS_NOT_FOUND, "not signed");
    }
    *cms_out = cms;
    return STATUS_OK;
}

/* The bytes that were signed: inside the CMS, or beside it. */
static enum status find_content(CMS_ContentInfo *cms, const struct smime_mail *mail, struct span *content_out,
                                struct error *err)
{
    ASN1_OCTET_STRING **inside = CMS_get0_content(cms);
    bool there = inside && *inside;
    if (OBJ_obj2nid(CMS_get0_eContentType(cms)) != NID_pkcs7_data) {
        return unproven(err, "what is signed in it is no mail");
    }
    if (there == mail->detached) {
        return unproven(err, there ? "it holds the signed content twice"
                                   : "a signature alone proves nothing, give the whole mail");
    }
    *content_out =
        there ? span_of(ASN1_STRING_get0_data(*inside), (size_t)ASN1_STRING_length(*inside)) : mail->content;
    return STATUS_OK;
}

/* ---- the signer ---- */

static int64_t signing_time(const CMS_SignerInfo *signer)
{
    int at = CMS_signed_get_attr_by_NID(signer, NID_pkcs9_signingTime, -1);
    X509_ATTRIBUTE *attribute = at >= 0 ? CMS_signed_get_attr(signer, at) : NULL;
    ASN1_TYPE *value = attribute ? X509_ATTRIBUTE_get0_type(attribute, 0) : NULL;
    struct tm tm = {0};
    bool good = value && (value->type == V_ASN1_UTCTIME || value->type == V_ASN1_GENERALIZEDTIME) &&
                ASN1_TIME_to_tm(value->value.asn1_string, &tm) == 1;
    ERR_clear_error();
    return good ? (int64_t)timegm(&tm) : 0;
}

/* ---- certificates ---- */

static enum status keep(const STACK_OF(X509) * certs, CMS_SignerInfo *signer, struct smime_signed *out,
                        struct error *err)
{
    X509 *own = NULL;
    CMS_SignerInfo_get0_algs(signer, NULL, &own, NULL, NULL);
    enum status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && i < sk_X509_num(certs); i++) {
        X509 *cert = sk_X509_value(certs, i);
        if (cert != own) {
            status = smime_certificates_append(&out->others, SMIME_SIGNED_OTHERS_MAX, cert, err);
        }
    }
    unsigned char *der = NULL;
    int len = status == STATUS_OK ? i2d_X509(own, &der) : 0;
    if (len > 0) {
        buf_append(&out->certificate, der, (size_t)len);
        status = buf_check(&out->certificate, "certificate", err);
    } else if (status == STATUS_OK) {
        status = smime_failure(err, STATUS_TEMPORARY, "certificate: cannot be written");
    }
    OPENSSL_free(der);
    return status;
}

static enum status read_signer(CMS_ContentInfo *cms, struct span content, struct smime_signed *out,
                               struct error *err)
{
    STACK_OF(CMS_SignerInfo) *signers = CMS_get0_SignerInfos(cms);
    if (sk_CMS_SignerInfo_num(signers) != 1) {
        return unproven(err, "it has several signers");
    }
    CMS_SignerInfo *signer = sk_CMS_SignerInfo_value(signers, 0);
    STACK_OF(X509) *certs = CMS_get1_certs(cms);
    enum status status = STATUS_OK;
    if (sk_X509_num(certs) > SMIME_SIGNED_OTHERS_MAX + 1) {
        status = error_set(err, STATUS_LIMIT, "signed mail: more than %d certificates in it",
                           SMIME_SIGNED_OTHERS_MAX);
    } else if (CMS_set1_signers_certs(cms, NULL, 0) != 1) {
        status = unproven(err, "the signer's certificate is not in it");
    }
    if (status == STATUS_OK) {
        status = smime_signature_verify(signer, (struct spans){.items = &content, .n = 1}, err);
        if (status != STATUS_OK) {
            error_prefix(err, "signed mail");
        }
    }
    if (status == STATUS_OK) {
        status = keep(certs, signer, out, err);
        out->capabilities = smime_capabilities_of_signer(signer);
        out->signed_at = signing_time(signer);
    }
    sk_X509_pop_free(certs, X509_free);
    return status;
}

static enum status read_cms(struct span bytes, const struct smime_mail *mail, enum status unreadable,
                            struct smime_signed *out, struct error *err)
{
    CMS_ContentInfo *cms = NULL;
    struct span content = mail->content;
    if (mail->detached && bytes.len > DETACHED_MAX) {
        return error_set(err, STATUS_LIMIT, "signed mail: a signature of %zu bytes", bytes.len);
    }
    enum status status = parse(bytes, unreadable, &cms, err);
    if (status == STATUS_OK) {
        status = find_content(cms, mail, &content, err);
    }
    if (status == STATUS_OK) {
        status = read_signer(cms, content, out, err);
    }
    CMS_ContentInfo_free(cms);
    return status;
}

/* ---- what kind of file ---- */

static enum status read_pem(struct span bytes, struct smime_signed *out, struct error *err)
{
    const struct smime_mail bare = {.detached = false};
    char *name = NULL;
    char *header = NULL;
    unsigned char *data = NULL;
    long len = 0;
    BIO *in = BIO_new_mem_buf(bytes.p, (int)bytes.len);
    enum status status = STATUS_OK;
    if (!in) {
        status = smime_failure(err, STATUS_TEMPORARY, "signed mail");
    } else if (PEM_read_bio_ex(in, &name, &header, &data, &len, 0) != 1) {
        status = smime_failure(err, STATUS_NOT_FOUND, "not signed, or a damaged PEM block");
    } else if (strcmp(name, PEM_STRING_PKCS7) != 0 && strcmp(name, PEM_STRING_PKCS7_SIGNED) != 0 &&
               strcmp(name, PEM_STRING_CMS) != 0) {
        status = error_set(err, STATUS_NOT_FOUND, "not signed");
    } else {
        status = read_cms(span_of(data, (size_t)len), &bare, STATUS_INVALID, out, err);
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    BIO_free(in);
    return status;
}

/* A file with several things in it is a bundle, which is read elsewhere; so what comes first decides. */
static enum status read_any(struct span bytes, struct smime_signed *out, struct error *err)
{
    const struct smime_mail bare = {.detached = false};
    if (bytes.p[0] == V_ASN1_SEQUENCE + V_ASN1_CONSTRUCTED) {
        return read_cms(bytes, &bare, STATUS_NOT_FOUND, out, err); /* a certificate begins so too */
    }
    if (span_starts(bytes, "-----BEGIN ")) {
        return read_pem(bytes, out, err);
    }
    struct smime_mail mail;
    enum status status = smime_mail_split(bytes, &mail, err);
    if (status == STATUS_OK) {
        status = read_cms(buf_span(&mail.cms), &mail, STATUS_INVALID, out, err);
    }
    smime_mail_free(&mail);
    return status;
}

enum status smime_signed_read(struct span bytes, struct smime_signed *signed_out, struct error *err)
{
    *signed_out = (struct smime_signed){.capabilities = 0};
    buf_init(&signed_out->certificate, SMIME_CERTIFICATE_MAX);
    if (bytes.len == 0) {
        return error_set(err, STATUS_NOT_FOUND, "signed mail: the file is empty");
    }
    if (bytes.len > SMIME_SIGNED_MAX) {
        return error_set(err, STATUS_LIMIT, "signed mail: %zu bytes, the limit is %u", bytes.len,
                         SMIME_SIGNED_MAX);
    }
    ERR_clear_error();
    enum status status = read_any(bytes, signed_out, err);
    ERR_clear_error();
    if (status != STATUS_OK) {
        smime_signed_free(signed_out);
    }
    return status;
}

void smime_signed_free(struct smime_signed *mail)
{
    buf_free(&mail->certificate);
    smime_certificates_free(&mail->others);
    mail->capabilities = 0;
    mail->signed_at = 0;
}
