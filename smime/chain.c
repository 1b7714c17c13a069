#include "smime/chain.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "smime/certificate.h"

#define CHAIN_MAX 8

enum status smime_chain_find_own(struct smime_signer *signer, const STACK_OF(X509) * certs, struct error *err)
{
    if (sk_X509_num(certs) <= 0) {
        return error_set(err, STATUS_INVALID, "no certificate in it");
    }
    for (int i = 0; !signer->cert && i < sk_X509_num(certs); i++) {
        X509 *cert = sk_X509_value(certs, i);
        if (X509_check_private_key(cert, signer->key) == 1 && X509_up_ref(cert) == 1) {
            signer->cert = cert;
        }
    }
    ERR_clear_error();
    return signer->cert ? STATUS_OK
                        : error_set(err, STATUS_INVALID, "the certificate is not that of the key");
}

static X509 *issuer_of(X509 *cert, const STACK_OF(X509) * certs)
{
    for (int i = 0; i < sk_X509_num(certs); i++) {
        X509 *candidate = sk_X509_value(certs, i);
        if (X509_check_issued(candidate, cert) == X509_V_OK && X509_cmp(candidate, cert) != 0) {
            return candidate;
        }
    }
    return NULL;
}

enum status smime_chain_find_issuers(struct smime_signer *signer, const STACK_OF(X509) * certs,
                                     struct error *err)
{
    X509 *at = signer->cert;
    signer->chain = sk_X509_new_null();
    if (!signer->chain) {
        return error_set(err, STATUS_TEMPORARY, "no memory");
    }
    for (int i = 0; i < CHAIN_MAX; i++) {
        at = issuer_of(at, certs);
        if (!at || X509_get_extension_flags(at) & EXFLAG_SS) {
            break;
        }
        if (X509_add_cert(signer->chain, at, X509_ADD_FLAG_UP_REF) != 1) {
            return smime_failure(err, STATUS_TEMPORARY, "chain");
        }
    }
    ERR_clear_error();
    return STATUS_OK;
}
