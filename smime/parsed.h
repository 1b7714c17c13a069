/* Certificates that were parsed before: OpenSSL takes longer to read a certificate than to encrypt to it. */
#ifndef SEALGATE_SMIME_PARSED_H
#define SEALGATE_SMIME_PARSED_H

#include <openssl/x509.h>

#include "smime/smime.h"

#define SMIME_PARSED_MAX 64 /* certificates; about 10 KB each */

/*
 * The certificate of exactly these bytes, parsed now or before. PARSED NULL: now. The caller frees *cert_out
 * with X509_free, and changes nothing in it. Errors: smime_certificate_parse.
 */
MUST_USE enum status smime_parsed_get(struct smime_parsed *parsed, struct span der, X509 **cert_out,
                                      struct error *err);

#endif
