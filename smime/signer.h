/* A signing key with its certificate, as smime_sign sees it. */
#ifndef SEALGATE_SMIME_SIGNER_H
#define SEALGATE_SMIME_SIGNER_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "smime/sign.h"

struct smime_token;

struct smime_signer {
    char *name;
    X509 *cert;
    STACK_OF(X509) * chain;       /* of CERT upwards, without CERT and without a root */
    EVP_PKEY *key;                /* NULL: the token was lost */
    struct smime_token *token;    /* NULL: the key came from a file, or the token was lost */
    char *module, *key_uri, *pin; /* to open the token again; NULL: the key came from a file */
    const EVP_MD *digest;
    const char *micalg;
    unsigned capabilities;
    char fingerprint[SMIME_FINGERPRINT_SIZE];
};

/*
 * Opens the token of SIGNER and finds its key again: it was pulled and put back, or somebody in this process
 * closed the module, which ends all sessions with it. STATUS_TEMPORARY, or STATUS_DENIED where the PIN is
 * refused, and SIGNER is without a key, when that fails.
 */
MUST_USE enum status smime_signer_reopen(struct smime_signer *signer, struct error *err);

#endif
