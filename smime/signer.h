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
    STACK_OF(X509) * chain; /* of CERT upwards, without CERT and without a root */
    EVP_PKEY *key;
    struct smime_token *token; /* NULL: the key came from a file */
    const EVP_MD *digest;
    const char *micalg;
    unsigned capabilities;
    char fingerprint[SMIME_FINGERPRINT_SIZE];
};

#endif
