#include "smime/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "base/buf.h"
#include "smime/certificate.h"
#include "smime/fitness.h"

#define ROOTS_MAX 1024   /* certificates in the file of roots */
#define DEPTH_MAX 8      /* intermediates in a chain */
#define EXTRA_MAX 64     /* intermediates looked at for one certificate */
#define SECURITY_LEVEL 2 /* 112 bits: no SHA-1, no RSA under 2048 bits in the chain */

struct smime_trust {
    X509_STORE *store; /* NULL: no roots, no chain is asked for */
};

static enum status read_roots(const char *path, struct buf *file, struct error *err)
{
    FILE *in = fopen(path, "re");
    if (!in) {
        enum status status = errno == EACCES || errno == EPERM ? STATUS_DENIED : STATUS_INVALID;
        return error_errno(err, status, errno, "S/MIME roots: cannot open %s", path);
    }
    uint8_t *to = NULL;
    size_t got = 0;
    do {
        to = buf_reserve(file, BUFSIZ);
        got = to ? fread(to, 1, BUFSIZ, in) : 0;
        buf_commit(file, got);
    } while (got > 0);
    enum status status = STATUS_OK;
    if (ferror(in)) {
        status = error_errno(err, STATUS_INVALID, errno, "S/MIME roots: cannot read %s", path);
    }
    fclose(in);
    return status == STATUS_OK ? buf_check(file, path, err) : status;
}

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
    buf_init(&file, SMIME_FILE_MAX + BUFSIZ);
    enum status status = read_roots(path, &file, err);
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
        free(trust);
    }
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

static enum status verify(X509_STORE_CTX *ctx, const char **untrusted_out, struct error *err)
{
    int verified = X509_verify_cert(ctx);
    int code = X509_STORE_CTX_get_error(ctx);
    if (verified == 1) {
        *untrusted_out = chain_problem(ctx);
        return STATUS_OK;
    }
    if (verified < 0 || code == X509_V_ERR_OUT_OF_MEM || code == X509_V_ERR_UNSPECIFIED) {
        return smime_failure(err, STATUS_TEMPORARY, "certificate: its chain could not be checked");
    }
    *untrusted_out = X509_verify_cert_error_string(code);
    return STATUS_OK;
}

enum status smime_trust_check(const struct smime_trust *trust, X509 *cert,
                              const struct smime_certificates *extra, int64_t now, const char **untrusted_out,
                              struct error *err)
{
    *untrusted_out = NULL;
    if (!trust || !trust->store) {
        return STATUS_OK;
    }
    ERR_clear_error();
    STACK_OF(X509) *untrusted = parse_extra(extra);
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    enum status status = STATUS_OK;
    if (!untrusted || !ctx || X509_STORE_CTX_init(ctx, trust->store, cert, untrusted) != 1) {
        status = smime_failure(err, STATUS_TEMPORARY, "certificate: its chain could not be checked");
    } else {
        X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(param, (time_t)now);
        X509_VERIFY_PARAM_set_depth(param, DEPTH_MAX);
        X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
        /* what the administrator lists is an anchor, self-signed or not */
        X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
        status = verify(ctx, untrusted_out, err);
    }
    X509_STORE_CTX_free(ctx);
    sk_X509_pop_free(untrusted, X509_free);
    ERR_clear_error();
    return status;
}
