/* Does a chain lead from a certificate to a root the administrator chose, and is nothing in it revoked? */
#ifndef SEALGATE_SMIME_TRUST_H
#define SEALGATE_SMIME_TRUST_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/x509.h>

#include "base/error.h"
#include "smime/smime.h"

/*
 * Builds and verifies the chain of CERT at NOW (RFC 5280 §6), unless there are no roots or it is PINNED, and
 * asks the CRLs. Sets the fitness to SMIME_USABLE, SMIME_UNTRUSTED, SMIME_REVOKED or SMIME_UNCHECKED, and
 * REASON ("" when usable). TRUST NULL: usable. What cannot be found out is an error, never trust.
 */
MUST_USE enum status smime_trust_check(const struct smime_trust *trust, X509 *cert,
                                       const struct smime_certificates *extra, bool pinned, int64_t now,
                                       enum smime_fitness *fitness_out, char *reason, size_t reason_size,
                                       struct error *err);

#endif
