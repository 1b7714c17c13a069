/* Keys and certificates for signing, from PKCS#12 and PEM files. */
#ifndef SEALGATE_SMIME_KEY_FILE_H
#define SEALGATE_SMIME_KEY_FILE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/error.h"
#include "base/span.h"

/* What a file holds, before it is known what belongs together. */
struct smime_key_file {
    EVP_PKEY *key;          /* NULL: none */
    STACK_OF(X509) * certs; /* in the file's order */
};

/*
 * Reads FILE: PKCS#12 or PEM (certificates in any order, and a key that may be encrypted). PASSPHRASE NULL:
 * none; nobody is ever asked for one. WANT_KEY: without a key it is STATUS_INVALID; else keys are not looked
 * at. Free with smime_key_file_free, also after an error.
 */
MUST_USE enum status smime_key_file_read(struct span file, const char *passphrase, bool want_key,
                                         struct smime_key_file *file_out, struct error *err);
void smime_key_file_free(struct smime_key_file *file);

#endif
