#include "smime/crl.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/span.h"
#include "smime/certificate.h"
#include "smime/file.h"
#include "smime/pem.h"

#define IDENTIFIER_SEQUENCE 0x30

/* Critical extensions that are understood (RFC 5280 §5.2). */
static const int understood[] = {NID_authority_key_identifier, NID_crl_number,
                                 NID_issuing_distribution_point};

static void free_items(struct smime_crl *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        X509_CRL_free(items[i].crl);
        ISSUING_DIST_POINT_free(items[i].scope);
    }
    free(items);
}

static bool is_understood(int nid)
{
    for (size_t i = 0; i < sizeof understood / sizeof understood[0]; i++) {
        if (understood[i] == nid) {
            return true;
        }
    }
    return false;
}

static const char *extension_problem(const X509_CRL *crl)
{
    if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0) {
        return "a delta CRL is not supported, give the full one";
    }
    for (int i = 0; i < X509_CRL_get_ext_count(crl); i++) {
        X509_EXTENSION *extension = X509_CRL_get_ext(crl, i);
        if (X509_EXTENSION_get_critical(extension) &&
            !is_understood(OBJ_obj2nid(X509_EXTENSION_get_object(extension)))) {
            return "a critical extension of a CRL is not known here";
        }
    }
    return NULL;
}

/* RFC 5280 §5.2.5 */
static const char *read_scope(struct smime_crl *item)
{
    int critical = 0;
    item->scope = X509_CRL_get_ext_d2i(item->crl, NID_issuing_distribution_point, &critical, NULL);
    if (!item->scope && critical != -1) {
        return "issuingDistributionPoint of a CRL is damaged or there twice";
    }
    if (item->scope && item->scope->indirectCRL > 0) {
        return "an indirect CRL is not supported, give that of the issuer";
    }
    return NULL;
}

static enum status add(struct smime_crl_file *to, X509_CRL *moved, struct error *err)
{
    if (to->n >= SMIME_CRLS_PER_FILE_MAX) {
        X509_CRL_free(moved);
        return error_set(err, STATUS_LIMIT, "more than %d CRLs in one file", SMIME_CRLS_PER_FILE_MAX);
    }
    struct smime_crl *items = reallocarray(to->items, to->n + 1, sizeof *items);
    if (!items) {
        X509_CRL_free(moved);
        return error_set(err, STATUS_TEMPORARY, "no memory");
    }
    to->items = items;
    struct smime_crl *item = &items[to->n++];
    *item = (struct smime_crl){.crl = moved};
    const char *problem = extension_problem(moved);
    if (!problem) {
        problem = read_scope(item);
    }
    return problem ? error_set(err, STATUS_INVALID, "%s", problem) : STATUS_OK;
}

static enum status add_der(struct smime_crl_file *to, struct span der, struct error *err)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.len);
    if (!crl) {
        return smime_failure(err, STATUS_INVALID, "damaged, or not a CRL");
    }
    if (p != (const unsigned char *)der.p + der.len) {
        X509_CRL_free(crl);
        return error_set(err, STATUS_INVALID, "more bytes behind the end of the CRL");
    }
    return add(to, crl, err);
}

/* Certificates may stand beside them. */
static enum status add_block(void *arg, const char *label, struct span der, struct error *err)
{
    return strcmp(label, PEM_STRING_X509_CRL) == 0 ? add_der(arg, der, err) : STATUS_OK;
}

enum status smime_crl_file_read(struct smime_crl_file *file, struct error *err)
{
    struct buf bytes;
    struct smime_crl_file fresh = {.path = file->path, .read_at = clock_wall_ms() / 1000};
    buf_init(&bytes, SMIME_CRL_FILE_MAX + BUFSIZ);
    ERR_clear_error();
    enum status status = smime_file_read(file->path, "CRL", &bytes, &fresh.which, err);
    if (status == STATUS_OK) {
        bool der = bytes.len > 0 && bytes.data[0] == IDENTIFIER_SEQUENCE;
        status = der ? add_der(&fresh, buf_span(&bytes), err)
                     : smime_pem_each(buf_span(&bytes), add_block, &fresh, err);
        if (status == STATUS_OK && fresh.n == 0) {
            status = error_set(err, STATUS_INVALID, "no CRL in it (PEM or DER is wanted)");
        }
        if (status != STATUS_OK) {
            error_prefix(err, "CRL: %s", file->path);
        }
    }
    buf_free(&bytes);
    ERR_clear_error();
    if (status != STATUS_OK) {
        free_items(fresh.items, fresh.n);
        return status;
    }
    free_items(file->items, file->n);
    *file = fresh;
    return STATUS_OK;
}

void smime_crl_file_free(struct smime_crl_file *file)
{
    free_items(file->items, file->n);
    free(file->path);
    *file = (struct smime_crl_file){0};
}

bool smime_crl_file_changed(const struct smime_crl_file *file)
{
    struct stat now;
    const struct stat *then = &file->which;
    return stat(file->path, &now) != 0 || now.st_dev != then->st_dev || now.st_ino != then->st_ino ||
           now.st_size != then->st_size || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != then->st_mtim.tv_nsec || now.st_ctim.tv_sec != then->st_ctim.tv_sec ||
           now.st_ctim.tv_nsec != then->st_ctim.tv_nsec;
}
