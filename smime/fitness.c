#include "smime/fitness.h"

#include <stdarg.h>
#include <stdio.h>

#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "smime/trust.h"

#define SIGNATURE_BITS_MIN 112 /* SHA-1 has at most 80, MD5 at most 64 (RFC 8550 §4.3, NIST SP 800-57) */
#define DAY_CHARACTERS 10      /* "2026-11-22" of an ISO time */

static enum smime_fitness unfit(const struct smime_judged *j, enum smime_fitness fitness, const char *format,
                                ...) __attribute__((format(printf, 3, 4)));

static enum smime_fitness unfit(const struct smime_judged *j, enum smime_fitness fitness, const char *format,
                                ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(j->info->reason, sizeof j->info->reason, format, args);
    va_end(args);
    return fitness;
}

static enum smime_fitness judge_form(const struct smime_judged *j)
{
    uint32_t flags = X509_get_extension_flags(j->cert);
    if (flags & EXFLAG_INVALID) {
        return unfit(j, SMIME_INVALID, "an extension is damaged or there twice");
    }
    if (flags & EXFLAG_CRITICAL) {
        /* RFC 5280 §4.2: a critical extension that is not understood forbids all use */
        return unfit(j, SMIME_UNSUPPORTED, "a critical extension is not known here");
    }
    return SMIME_USABLE;
}

bool smime_fitness_eku_allows_mail(X509 *cert)
{
    return !(X509_get_extension_flags(cert) & EXFLAG_XKUSAGE) ||
           (X509_get_extended_key_usage(cert) & (XKU_SMIME | XKU_ANYEKU));
}

/* RFC 8550 §4.4.2: keyEncipherment for RSA, keyAgreement for EC; no keyUsage extension allows all. */
static enum smime_fitness judge_usage(const struct smime_judged *j)
{
    if (X509_get_extension_flags(j->cert) & EXFLAG_CA) {
        return unfit(j, SMIME_WRONG_USAGE, "it is a certificate authority's");
    }
    if (!smime_fitness_eku_allows_mail(j->cert)) {
        return unfit(j, SMIME_WRONG_USAGE, "extended key usage does not allow mail (emailProtection)");
    }
    uint32_t usage = X509_get_key_usage(j->cert);
    if (j->key->type == SMIME_KEY_RSA && !(usage & KU_KEY_ENCIPHERMENT)) {
        return unfit(j, SMIME_WRONG_USAGE, "key usage does not allow encryption (keyEncipherment)");
    }
    if (j->key->type == SMIME_KEY_EC && !(usage & KU_KEY_AGREEMENT)) {
        return unfit(j, SMIME_WRONG_USAGE, "key usage does not allow encryption (keyAgreement)");
    }
    return SMIME_USABLE;
}

static enum smime_fitness judge_key(const struct smime_judged *j)
{
    return j->key->problem ? unfit(j, SMIME_UNSUPPORTED, "%s (%s)", j->key->problem, j->key->name)
                           : SMIME_USABLE;
}

static enum smime_fitness judge_signature(const struct smime_judged *j)
{
    if (X509_get_extension_flags(j->cert) & EXFLAG_SS) {
        return SMIME_USABLE; /* its own signature vouches for nothing */
    }
    int bits = 0;
    if (X509_get_signature_info(j->cert, NULL, NULL, &bits, NULL) != 1) {
        return unfit(j, SMIME_UNSUPPORTED, "signature algorithm is unknown");
    }
    if (bits < SIGNATURE_BITS_MIN) {
        int nid = X509_get_signature_nid(j->cert);
        return unfit(j, SMIME_UNSUPPORTED, "signature is too weak (%s)", OBJ_nid2ln(nid));
    }
    return SMIME_USABLE;
}

static enum smime_fitness judge_addresses(const struct smime_judged *j)
{
    return j->info->n_addresses == 0 ? unfit(j, SMIME_INVALID, "it names no mail address") : SMIME_USABLE;
}

static enum smime_fitness judge_time(const struct smime_judged *j)
{
    char iso[CLOCK_ISO_SIZE];
    if (j->now < j->info->not_before) {
        clock_iso(j->info->not_before * 1000, iso);
        return unfit(j, SMIME_NOT_YET_VALID, "not valid before %.*s", DAY_CHARACTERS, iso);
    }
    if (j->now > j->info->not_after) {
        clock_iso(j->info->not_after * 1000, iso);
        return unfit(j, SMIME_EXPIRED, "expired on %.*s", DAY_CHARACTERS, iso);
    }
    return SMIME_USABLE;
}

typedef enum smime_fitness judge_fn(const struct smime_judged *j);

/* What would make a wrong hint for people comes later: an expired CA certificate is foremost a CA's. */
static judge_fn *const judges[] = {
    judge_form, judge_usage, judge_key, judge_signature, judge_addresses, judge_time,
};

enum status smime_fitness_judge(const struct smime_judged *judged, struct error *err)
{
    struct smime_certificate_info *info = judged->info;
    for (size_t i = 0; i < sizeof judges / sizeof judges[0]; i++) {
        info->fitness = judges[i](judged);
        if (info->fitness != SMIME_USABLE) {
            return STATUS_OK;
        }
    }
    return smime_trust_check(judged->trust, judged->cert, judged->extra, judged->pinned, judged->now,
                             &info->fitness, info->reason, sizeof info->reason, err);
}
