/* Files with certificate revocation lists (RFC 5280 §5). */
#ifndef SEALGATE_SMIME_CRL_H
#define SEALGATE_SMIME_CRL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/error.h"

#define SMIME_CRL_FILE_MAX (16u << 20) /* bytes of one file */
#define SMIME_CRLS_PER_FILE_MAX 256

struct smime_crl {
    X509_CRL *crl;
    ISSUING_DIST_POINT *scope; /* NULL: all certificates of the issuer, all reasons */
    bool verified;             /* an issuer's key was found that made its signature */
};

struct smime_crl_file {
    char *path;        /* owned */
    struct stat which; /* the file that was read */
    int64_t read_at;   /* seconds since 1970 */
    struct smime_crl *items;
    size_t n;
};

/*
 * Reads FILE->path, PEM with one or more CRLs or one CRL in DER; on success what was there before is
 * replaced. STATUS_INVALID: it cannot be opened, is damaged, has no CRL, or one that is not understood (delta
 * and indirect CRLs, unknown critical extensions); STATUS_DENIED, STATUS_LIMIT. A CRL is never left out
 * silently.
 */
MUST_USE enum status smime_crl_file_read(struct smime_crl_file *file, struct error *err);
void smime_crl_file_free(struct smime_crl_file *file); /* and its path */

/* Is another file at its path now, or none? */
bool smime_crl_file_changed(const struct smime_crl_file *file);

#endif
