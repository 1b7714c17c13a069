/* Is a certificate revoked, as far as the CRLs given tell? */
#ifndef SEALGATE_SMIME_REVOCATION_H
#define SEALGATE_SMIME_REVOCATION_H

#include <stdint.h>

#include <openssl/x509.h>

#include "base/error.h"
#include "smime/smime.h"

#define SMIME_CRL_FILES_MAX 64

struct smime_revocation;

/* Reads all files of SETTINGS. *out is NULL when none is given and none is required. Errors: smime/crl.h. */
MUST_USE enum status smime_revocation_open(const struct smime_trust_settings *settings,
                                           struct smime_revocation **out, struct error *err);
void smime_revocation_close(struct smime_revocation *revocation);

/* See smime_trust_refresh. */
MUST_USE enum status smime_revocation_refresh(struct smime_revocation *revocation, int64_t now,
                                              int64_t *changed_out, struct error *err);

/*
 * Judges CERTS at NOW, the first of which is the recipient's and the others its issuers up to the trust
 * anchor, which is not among them. Files that changed are read again first; what cannot be read then is
 * STATUS_TEMPORARY: nothing is judged without it.
 *
 * A CRL counts for a certificate of the issuer that it names. Listed in it: SMIME_REVOKED, also when the CRL
 * is past its nextUpdate. Its signature must be made by a certificate of its issuer's name in CERTS, ISSUERS
 * or the roots; where none is there, a certificate that is listed is SMIME_UNCHECKED. Where CRLs are
 * required, so is a certificate that no fresh, verified CRL covers. Else SMIME_USABLE. REASON is "" then.
 */
MUST_USE enum status smime_revocation_check(struct smime_revocation *revocation, const STACK_OF(X509) * certs,
                                            const STACK_OF(X509) * issuers, int64_t now,
                                            enum smime_fitness *fitness_out, char *reason, size_t reason_size,
                                            struct error *err);

#endif
