/* Does a chain lead from a certificate to a root the administrator chose? */
#ifndef SEALGATE_SMIME_TRUST_H
#define SEALGATE_SMIME_TRUST_H

#include <stdint.h>

#include <openssl/x509.h>

#include "base/error.h"
#include "smime/smime.h"

/*
 * Builds and verifies the chain of CERT at NOW (RFC 5280 §6). *untrusted_out is NULL when it holds or none is
 * asked for (TRUST NULL or without roots), else the reason, static text. What cannot be found out is an
 * error, never trust.
 */
MUST_USE enum status smime_trust_check(const struct smime_trust *trust, X509 *cert,
                                       const struct smime_certificates *extra, int64_t now,
                                       const char **untrusted_out, struct error *err);

#endif
