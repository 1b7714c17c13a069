#include "smime/trust.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "base/buf.h"
#include "smime/certificate.h"
#include "smime/file.h"
#include "smime/fitness.h"
#include "smime/revocation.h"

#define ROOTS_MAX 1024   /* certificates in the file of roots */
#define DEPTH_MAX 8      /* intermediates in a chain */
#define EXTRA_MAX 64     /* intermediates looked at for one certificate */
#define SECURITY_LEVEL 2 /* 112 bits: no SHA-1, no RSA under 2048 bits in the chain */

struct smime_trust {
    X509_STORE *store;                   /* NULL: no roots, no chain is asked for */
    struct smime_revocation *revocation; /* NULL: no CRLs */
};

static enum status add_roots(X509_STORE *store, const struct smime_certificates *roots, struct error *err)
{
    for (size_t i = 0; i < roots->n; i++) {
        X509 *root = NULL;
        enum status status = smime_certificate_parse(buf_span(&roots->items[i]), &root, err);
        if (status == STATUS_OK && X509_STORE_add_cert(store, root) != 1) {
            status = smime_failure(err, STATUS_INTERNAL, "cannot add a root certificate");
        }
        X509_free(root);
        if (status != STATUS_OK) {
            return status;
        }
    }
    return STATUS_OK;
}

static enum status load_roots(X509_STORE *store, const char *path, struct error *err)
{
    struct buf file;
    struct smime_certificates roots = {0};
    struct stat which;
    buf_init(&file, SMIME_FILE_MAX + BUFSIZ);
    enum status status = smime_file_read(path, "S/MIME roots", &file, &which, err);
    if (status == STATUS_OK) {
        status = smime_certificates_split(buf_span(&file), ROOTS_MAX, &roots, err);
        if (status == STATUS_OK) {
            status = add_roots(store, &roots, err);
        }
        if (status != STATUS_OK) {
            error_prefix(err, "S/MIME roots: %s", path);
        }
    }
    smime_certificates_free(&roots);
    buf_free(&file);
    return status;
}

enum status smime_trust_open(const struct smime_trust_settings *settings, struct smime_trust **trust_out,
                             struct error *err)
{
    *trust_out = NULL;
    struct smime_trust *trust = calloc(1, sizeof *trust);
    if (!trust) {
        return error_set(err, STATUS_TEMPORARY, "S/MIME roots: no memory");
    }
    enum status status = STATUS_OK;
    if (settings->roots_path) {
        trust->store = X509_STORE_new();
        status = trust->store ? load_roots(trust->store, settings->roots_path, err)
                              : smime_failure(err, STATUS_TEMPORARY, "S/MIME roots");
    }
    if (status == STATUS_OK) {
        status = smime_revocation_open(settings, &trust->revocation, err);
    }
    if (status != STATUS_OK) {
        smime_trust_close(trust);
        return status;
    }
    *trust_out = trust;
    return STATUS_OK;
}

void smime_trust_close(struct smime_trust *trust)
{
    if (trust) {
        X509_STORE_free(trust->store);
        smime_revocation_close(trust->revocation);
        free(trust);
    }
}

enum status smime_trust_refresh(const struct smime_trust *trust, int64_t now, int64_t *changed_out,
                                struct error *err)
{
    *changed_out = INT64_MIN;
    return trust && trust->revocation ? smime_revocation_refresh(trust->revocation, now, changed_out, err)
                                      : STATUS_OK;
}

/* Extra certificates only help: one that is damaged leaves the chain open, it never closes it. */
static STACK_OF(X509) * parse_extra(const struct smime_certificates *extra)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    for (size_t i = 0; stack && extra && i < extra->n && i < EXTRA_MAX; i++) {
        X509 *cert = NULL;
        if (smime_certificate_parse(buf_span(&extra->items[i]), &cert, NULL) == STATUS_OK &&
            sk_X509_push(stack, cert) <= 0) {
            X509_free(cert);
        }
    }
    return stack;
}

/* A CA limited to other usages (a web server CA) vouches for no mail address. */
static const char *chain_problem(X509_STORE_CTX *ctx)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(ctx);
    for (int i = 1; i < sk_X509_num(chain) - 1; i++) {
        if (!smime_fitness_eku_allows_mail(sk_X509_value(chain, i))) {
            return "an intermediate is not for mail";
        }
    }
    return NULL;
}

/* CHAIN_OUT, from the certificate to the anchor, when it holds. */
static enum status verify(X509_STORE_CTX *ctx, const char **untrusted_out, STACK_OF(X509) * *chain_out,
                          struct error *err)
{
    int verified = X509_verify_cert(ctx);
    int code = X509_STORE_CTX_get_error(ctx);
    if (verified == 1) {
        *untrusted_out = chain_problem(ctx);
        *chain_out = X509_STORE_CTX_get1_chain(ctx);
        return *chain_out ? STATUS_OK : smime_failure(err, STATUS_TEMPORARY, "certificate: its chain");
    }
    if (verified < 0 || code == X509_V_ERR_OUT_OF_MEM || code == X509_V_ERR_UNSPECIFIED) {
        return smime_failure(err, STATUS_TEMPORARY, "certificate: its chain could not be checked");
    }
    *untrusted_out = X509_verify_cert_error_string(code);
    return STATUS_OK;
}

static enum status check_chain(X509_STORE *store, X509 *cert, STACK_OF(X509) * untrusted, int64_t now,
                               const char **untrusted_out, STACK_OF(X509) * *chain_out, struct error *err)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    enum status status = STATUS_OK;
    if (!ctx || X509_STORE_CTX_init(ctx, store, cert, untrusted) != 1) {
        status = smime_failure(err, STATUS_TEMPORARY, "certificate: its chain could not be checked");
    } else {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, (time_t)now);
        X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
        X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
        /* what the administrator lists is an anchor, self-signed or not */
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
        status = verify(ctx, untrusted_out, chain_out, err);
    }
    X509_STORE_CTX_free(ctx);
    return status;
}

/* ---- revocation ---- */

/* All that may have signed a CRL: the chain, the roots, and what lay beside the certificate. A CRL comes from
 * the administrator, so whose key fits cannot be chosen by others. */
static bool collect_issuers(const struct smime_trust *trust, const STACK_OF(X509) * chain,
                            const STACK_OF(X509) * untrusted, STACK_OF(X509) * issuers)
{
    const int flags = X509_ADD_FLAG_UP_REF;
    STACK_OF(X509) *roots = trust->store ? X509_STORE_get1_all_certs(trust->store) : NULL;
    bool good = (!chain || X509_add_certs(issuers, (STACK_OF(X509) *)chain, flags) == 1) &&
                X509_add_certs(issuers, (STACK_OF(X509) *)untrusted, flags) == 1 &&
                (!trust->store || (roots && X509_add_certs(issuers, roots, flags) == 1));
    sk_X509_pop_free(roots, X509_free);
    return good;
}

/* The certificate, and with a chain all above it but the anchor: that one nobody can revoke but the
 * administrator. */
static bool collect_judged(X509 *cert, const STACK_OF(X509) * chain, STACK_OF(X509) * judged)
{
    bool good = X509_add_cert(judged, cert, X509_ADD_FLAG_UP_REF) == 1;
    for (int i = 1; good && i < sk_X509_num(chain) - 1; i++) {
        good = X509_add_cert(judged, sk_X509_value(chain, i), X509_ADD_FLAG_UP_REF) == 1;
    }
    return good;
}

static enum status check_revocation(const struct smime_trust *trust, X509 *cert, const STACK_OF(X509) * chain,
                                    const STACK_OF(X509) * untrusted, int64_t now,
                                    enum smime_fitness *fitness_out, char *reason, size_t reason_size,
                                    struct error *err)
{
    STACK_OF(X509) *judged = sk_X509_new_null();
    STACK_OF(X509) *issuers = sk_X509_new_null();
    enum status status = STATUS_OK;
    if (!judged || !issuers || !collect_judged(cert, chain, judged) ||
        !collect_issuers(trust, chain, untrusted, issuers)) {
        status = smime_failure(err, STATUS_TEMPORARY, "certificate: its revocation could not be checked");
    } else {
        status = smime_revocation_check(trust->revocation, judged, issuers, now, fitness_out, reason,
                                        reason_size, err);
    }
    sk_X509_pop_free(judged, X509_free);
    sk_X509_pop_free(issuers, X509_free);
    return status;
}

enum status smime_trust_check(const struct smime_trust *trust, X509 *cert,
                              const struct smime_certificates *extra, bool pinned, int64_t now,
                              enum smime_fitness *fitness_out, char *reason, size_t reason_size,
                              struct error *err)
{
    const char *untrusted_because = NULL;
    STACK_OF(X509) *chain = NULL;
    *fitness_out = SMIME_USABLE;
    if (!trust) {
        return STATUS_OK;
    }
    ERR_clear_error();
    STACK_OF(X509) *untrusted = parse_extra(extra);
    enum status status = STATUS_OK;
    if (!untrusted) {
        status = smime_failure(err, STATUS_TEMPORARY, "certificate: its chain could not be checked");
    } else if (trust->store && !pinned) {
        status = check_chain(trust->store, cert, untrusted, now, &untrusted_because, &chain, err);
    }
    if (status != STATUS_OK) {
        *fitness_out = SMIME_UNTRUSTED;
    } else if (untrusted_because) {
        *fitness_out = SMIME_UNTRUSTED;
        snprintf(reason, reason_size, "no chain to a trusted root: %s", untrusted_because);
    } else if (trust->revocation) {
        status = check_revocation(trust, cert, chain, untrusted, now, fitness_out, reason, reason_size, err);
    }
    sk_X509_pop_free(chain, X509_free);
    sk_X509_pop_free(untrusted, X509_free);
    ERR_clear_error();
    return status;
}
