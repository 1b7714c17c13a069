#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "smime/address.h"
#include "smime/capabilities.h"
#include "smime/certificate.h"
#include "smime/fitness.h"
#include "smime/smime.h"

static enum status fingerprint(struct span der, char out[SMIME_FINGERPRINT_SIZE], struct error *err)
{
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    if (EVP_Digest(der.p, der.len, md, &len, EVP_sha256(), NULL) != 1) {
        return smime_failure(err, STATUS_TEMPORARY, "certificate: no fingerprint");
    }
    for (unsigned int i = 0; i < len; i++) {
        snprintf(out + 2 * i, 3, "%02X", md[i]);
    }
    return STATUS_OK;
}

/* RFC 2253 in UTF-8, control characters escaped; what cannot be printed is left out. NULL: no memory. */
static char *name_text(const X509_NAME *name)
{
    BIO *out = BIO_new(BIO_s_mem());
    if (!out) {
        return NULL;
    }
    (void)X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
    char *data = NULL;
    long len = BIO_get_mem_data(out, &data);
    char *text = len > 0 ? strndup(data, (size_t)len) : strdup("");
    BIO_free(out);
    return text;
}

static char *serial_text(const X509 *cert)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = number ? BN_bn2hex(number) : NULL;
    char *text = hex ? strdup(hex) : NULL;
    OPENSSL_free(hex);
    BN_free(number);
    return text;
}

static bool seconds(const ASN1_TIME *time, int64_t *out)
{
    struct tm tm = {0};
    if (!time || ASN1_TIME_to_tm(time, &tm) != 1) {
        return false;
    }
    *out = (int64_t)timegm(&tm);
    return true;
}

static void set_invalid(struct smime_certificate_info *info, const char *reason)
{
    info->fitness = SMIME_INVALID;
    snprintf(info->reason, sizeof info->reason, "%.*s", (int)sizeof info->reason - 1, reason);
}

static enum status set_names(const X509 *cert, struct smime_certificate_info *info, struct error *err)
{
    info->subject = cert ? name_text(X509_get_subject_name(cert)) : strdup("");
    info->issuer = cert ? name_text(X509_get_issuer_name(cert)) : strdup("");
    info->serial = cert ? serial_text(cert) : strdup("");
    if (!info->subject || !info->issuer || !info->serial) {
        return smime_failure(err, STATUS_TEMPORARY, "certificate: no memory for its names");
    }
    return STATUS_OK;
}

static enum status describe(const struct smime_judged *judged, struct error *err)
{
    struct smime_certificate_info *info = judged->info;
    snprintf(info->algorithm, sizeof info->algorithm, "%.*s", (int)sizeof info->algorithm - 1,
             judged->key->name);
    info->capabilities = smime_capabilities_of_certificate(judged->cert);
    enum status status = set_names(judged->cert, info, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (!seconds(X509_get0_notBefore(judged->cert), &info->not_before) ||
        !seconds(X509_get0_notAfter(judged->cert), &info->not_after)) {
        set_invalid(info, "its dates are damaged");
        return STATUS_OK;
    }
    struct error damaged;
    status = smime_addresses_read(judged->cert, &info->addresses, &info->n_addresses, &damaged);
    if (status == STATUS_INVALID) {
        set_invalid(info, damaged.text);
        return STATUS_OK;
    }
    if (status != STATUS_OK) {
        return error_set(err, status, "%s", damaged.text);
    }
    return smime_fitness_judge(judged, err);
}

/* ASKED: whom and what to judge by; its certificate and key are filled in here. */
static enum status inspect(struct span der, struct smime_judged *asked, struct error *err)
{
    struct smime_certificate_info *info_out = asked->info;
    *info_out = (struct smime_certificate_info){.fitness = SMIME_INVALID};
    X509 *cert = NULL;
    struct error damaged;
    enum status status = STATUS_OK;
    if (der.len <= SMIME_CERTIFICATE_MAX) {
        status = fingerprint(der, info_out->fingerprint, err);
        if (status != STATUS_OK) {
            return status;
        }
    }
    status = smime_certificate_parse(der, &cert, &damaged);
    if (status == STATUS_INVALID) {
        set_invalid(info_out, damaged.text);
        status = set_names(NULL, info_out, err);
    } else if (status == STATUS_OK) {
        struct smime_key key;
        smime_key_read(cert, &key);
        asked->cert = cert;
        asked->key = &key;
        status = describe(asked, err);
    } else {
        error_set(err, status, "%s", damaged.text);
    }
    X509_free(cert);
    ERR_clear_error();
    if (status != STATUS_OK) {
        smime_certificate_info_free(info_out);
    }
    return status;
}

enum status smime_certificate_inspect(struct span der, const struct smime_trust *trust,
                                      const struct smime_certificates *extra, int64_t now,
                                      struct smime_certificate_info *info_out, struct error *err)
{
    struct smime_judged asked = {.trust = trust, .extra = extra, .now = now, .info = info_out};
    return inspect(der, &asked, err);
}

enum status smime_certificate_inspect_pinned(struct span der, const struct smime_trust *trust,
                                             const struct smime_certificates *extra, int64_t now,
                                             struct smime_certificate_info *info_out, struct error *err)
{
    struct smime_judged asked = {
        .trust = trust, .extra = extra, .pinned = true, .now = now, .info = info_out};
    return inspect(der, &asked, err);
}

void smime_certificate_info_free(struct smime_certificate_info *info)
{
    free(info->subject);
    free(info->issuer);
    free(info->serial);
    smime_addresses_free(info->addresses, info->n_addresses);
    *info = (struct smime_certificate_info){.fitness = SMIME_INVALID};
}
