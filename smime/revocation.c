#include "smime/revocation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "smime/certificate.h"
#include "smime/crl.h"

#define DAY_CHARACTERS 10 /* "2026-11-22" of an ISO time */
#define NAME_SIZE 96      /* of an issuer in a reason */

struct smime_revocation {
    struct smime_crl_file *files;
    size_t n;
    bool required;
    int64_t opened_at; /* seconds since 1970 */
};

/* What is asked about one certificate. */
struct question {
    X509 *cert;
    bool leaf;
    const STACK_OF(X509) * certs;
    const STACK_OF(X509) * issuers;
    int64_t now;
};

struct answer {
    const X509_REVOKED *listed;
    const X509_CRL *in; /* the CRL that lists it */
    bool in_verified;
    bool fresh; /* a fresh, verified CRL covers it and does not list it */
};

/* ---- open ---- */

enum status smime_revocation_open(const struct smime_trust_settings *settings, struct smime_revocation **out,
                                  struct error *err)
{
    *out = NULL;
    if (settings->n_crl_paths == 0 && !settings->crl_required) {
        return STATUS_OK;
    }
    if (settings->n_crl_paths > SMIME_CRL_FILES_MAX) {
        return error_set(err, STATUS_LIMIT, "CRL: more than %d files", SMIME_CRL_FILES_MAX);
    }
    struct smime_revocation *revocation = calloc(1, sizeof *revocation);
    struct smime_crl_file *files = calloc(settings->n_crl_paths + 1, sizeof *files);
    if (!revocation || !files) {
        free(revocation);
        free(files);
        return error_set(err, STATUS_TEMPORARY, "CRL: no memory");
    }
    *revocation = (struct smime_revocation){
        .files = files, .required = settings->crl_required, .opened_at = clock_wall_ms() / 1000};
    for (size_t i = 0; i < settings->n_crl_paths; i++) {
        files[i].path = strdup(settings->crl_paths[i]);
        revocation->n++;
        enum status status = files[i].path ? smime_crl_file_read(&files[i], err)
                                           : error_set(err, STATUS_TEMPORARY, "CRL: no memory");
        if (status != STATUS_OK) {
            smime_revocation_close(revocation);
            return status;
        }
    }
    *out = revocation;
    return STATUS_OK;
}

void smime_revocation_close(struct smime_revocation *revocation)
{
    if (!revocation) {
        return;
    }
    for (size_t i = 0; i < revocation->n; i++) {
        smime_crl_file_free(&revocation->files[i]);
    }
    free(revocation->files);
    free(revocation);
}

/* A file that is gone or half written is no reason to go on with what it said before: it may say more now. */
static enum status refresh(struct smime_revocation *revocation, struct error *err)
{
    for (size_t i = 0; i < revocation->n; i++) {
        struct error why;
        if (smime_crl_file_changed(&revocation->files[i]) &&
            smime_crl_file_read(&revocation->files[i], &why) != STATUS_OK) {
            return error_set(err, STATUS_TEMPORARY, "%s", why.text);
        }
    }
    return STATUS_OK;
}

static bool seconds(const ASN1_TIME *time, int64_t *out)
{
    struct tm tm = {0};
    bool good = time && ASN1_TIME_to_tm(time, &tm) == 1;
    *out = good ? (int64_t)timegm(&tm) : 0;
    return good;
}

/* The latest of what is not behind END. */
static void note_time(int64_t at, int64_t end, int64_t *latest)
{
    if (at <= end && at > *latest) {
        *latest = at;
    }
}

enum status smime_revocation_refresh(struct smime_revocation *revocation, int64_t now, int64_t *changed_out,
                                     struct error *err)
{
    enum status status = refresh(revocation, err);
    *changed_out = INT64_MIN;
    /* what was read just now may be later than NOW, and counts */
    note_time(revocation->opened_at, INT64_MAX, changed_out);
    for (size_t f = 0; status == STATUS_OK && f < revocation->n; f++) {
        const struct smime_crl_file *file = &revocation->files[f];
        note_time(file->read_at, INT64_MAX, changed_out);
        for (size_t c = 0; c < file->n; c++) {
            int64_t at = 0;
            if (seconds(X509_CRL_get0_lastUpdate(file->items[c].crl), &at)) {
                note_time(at, now, changed_out);
            }
            if (seconds(X509_CRL_get0_nextUpdate(file->items[c].crl), &at)) {
                note_time(at, now, changed_out);
            }
        }
    }
    return status;
}

/* ---- one CRL ---- */

static bool made_by(X509_CRL *crl, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    return key && X509_NAME_cmp(X509_get_subject_name(issuer), X509_CRL_get_issuer(crl)) == 0 &&
           (X509_get_key_usage(issuer) & KU_CRL_SIGN) && X509_CRL_verify(crl, key) == 1;
}

static bool made_by_one_of(X509_CRL *crl, const STACK_OF(X509) * issuers)
{
    for (int i = 0; i < sk_X509_num(issuers); i++) {
        if (made_by(crl, sk_X509_value(issuers, i))) {
            return true;
        }
    }
    return false;
}

/* Remembered: the key that made a signature cannot cease to have made it. */
static bool is_verified(struct smime_crl *item, const struct question *q)
{
    item->verified =
        item->verified || made_by_one_of(item->crl, q->certs) || made_by_one_of(item->crl, q->issuers);
    ERR_clear_error();
    return item->verified;
}

static bool is_fresh(const X509_CRL *crl, int64_t now)
{
    int64_t from = 0;
    int64_t to = 0;
    return seconds(X509_CRL_get0_lastUpdate(crl), &from) && seconds(X509_CRL_get0_nextUpdate(crl), &to) &&
           from <= now && now <= to;
}

static bool share_a_name(const GENERAL_NAMES *a, const GENERAL_NAMES *b)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(a); i++) {
        for (int j = 0; j < sk_GENERAL_NAME_num(b); j++) {
            if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(a, i), sk_GENERAL_NAME_value(b, j)) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* RFC 5280 §6.3.3 (b)(2)(i): a partitioned CRL covers what points to it, by full name. */
static bool points_to(X509 *cert, const DIST_POINT_NAME *scope)
{
    bool found = false;
    CRL_DIST_POINTS *points = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
    for (int i = 0; scope->type == 0 && !found && i < sk_DIST_POINT_num(points); i++) {
        const DIST_POINT_NAME *name = sk_DIST_POINT_value(points, i)->distpoint;
        found = name && name->type == 0 && share_a_name(name->name.fullname, scope->name.fullname);
    }
    CRL_DIST_POINTS_free(points);
    ERR_clear_error();
    return found;
}

/* Would CERT be listed, whatever the reason? */
static bool covers(const ISSUING_DIST_POINT *scope, X509 *cert)
{
    if (!scope) {
        return true;
    }
    bool authority = X509_get_extension_flags(cert) & EXFLAG_CA;
    return !(scope->onlyuser > 0 && authority) && !(scope->onlyCA > 0 && !authority) &&
           scope->onlyattr <= 0 && !scope->onlysomereasons &&
           (!scope->distpoint || points_to(cert, scope->distpoint));
}

static void ask_one(struct smime_crl *item, const struct question *q, struct answer *answer)
{
    X509_REVOKED *listed = NULL;
    if (X509_NAME_cmp(X509_CRL_get_issuer(item->crl), X509_get_issuer_name(q->cert)) != 0) {
        return;
    }
    bool verified = is_verified(item, q);
    if (X509_CRL_get0_by_serial(item->crl, &listed, X509_get0_serialNumber(q->cert)) == 1) {
        if (!answer->listed || (verified && !answer->in_verified)) {
            answer->listed = listed;
            answer->in = item->crl;
            answer->in_verified = verified;
        }
    } else if (verified && is_fresh(item->crl, q->now) && covers(item->scope, q->cert)) {
        answer->fresh = true;
    }
}

/* ---- the certificate ---- */

static void name_of(const X509_NAME *name, char out[NAME_SIZE])
{
    if (X509_NAME_get_text_by_NID(name, NID_commonName, out, NAME_SIZE) <= 0) {
        X509_NAME_oneline(name, out, NAME_SIZE);
    }
    for (char *c = out; *c; c++) {
        *c = *c >= ' ' && *c <= '~' ? *c : '?';
    }
}

static enum smime_fitness judge(const struct question *q, const struct answer *answer, bool required,
                                char *reason, size_t size)
{
    char issuer[NAME_SIZE] = "";
    char day[CLOCK_ISO_SIZE] = "";
    int64_t at = 0;
    name_of(X509_get_issuer_name(q->cert), issuer);
    const char *whose = q->leaf ? "" : "one of its issuers is ";
    if (answer->listed && answer->in_verified) {
        if (seconds(X509_REVOKED_get0_revocationDate(answer->listed), &at)) {
            clock_iso(at * 1000, day);
        }
        snprintf(reason, size, "%srevoked on %.*s (CRL of %s)", whose, DAY_CHARACTERS, day, issuer);
        return SMIME_REVOKED;
    }
    if (answer->listed) {
        snprintf(reason, size, "%slisted in a CRL of %s whose signature cannot be verified", whose, issuer);
        return SMIME_UNCHECKED;
    }
    if (required && !answer->fresh) {
        snprintf(reason, size, "%snot checked for revocation: no fresh CRL of %s", whose, issuer);
        return SMIME_UNCHECKED;
    }
    return SMIME_USABLE;
}

enum status smime_revocation_check(struct smime_revocation *revocation, const STACK_OF(X509) * certs,
                                   const STACK_OF(X509) * issuers, int64_t now,
                                   enum smime_fitness *fitness_out, char *reason, size_t reason_size,
                                   struct error *err)
{
    *fitness_out = SMIME_UNCHECKED;
    enum status status = refresh(revocation, err);
    if (status != STATUS_OK) {
        return status;
    }
    *fitness_out = SMIME_USABLE;
    for (int i = 0; *fitness_out == SMIME_USABLE && i < sk_X509_num(certs); i++) {
        const struct question q = {
            .cert = sk_X509_value(certs, i), .leaf = i == 0, .certs = certs, .issuers = issuers, .now = now};
        struct answer answer = {.fresh = false};
        for (size_t f = 0; f < revocation->n; f++) {
            for (size_t c = 0; c < revocation->files[f].n; c++) {
                ask_one(&revocation->files[f].items[c], &q, &answer);
            }
        }
        *fitness_out = judge(&q, &answer, revocation->required, reason, reason_size);
    }
    return STATUS_OK;
}
