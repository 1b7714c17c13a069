/* Which of many certificates are a signer's. */
#ifndef SEALGATE_SMIME_CHAIN_H
#define SEALGATE_SMIME_CHAIN_H

#include "smime/signer.h"

/* Sets SIGNER->cert to the certificate of its key among CERTS, which a file put together by hand has in any
 * order. STATUS_INVALID: it is not there. */
MUST_USE enum status smime_chain_find_own(struct smime_signer *signer, const STACK_OF(X509) * certs,
                                          struct error *err);

/* Sets SIGNER->chain to those among CERTS that lead from its certificate upwards. The root is left out: a
 * reader trusts the one it has, or none. */
MUST_USE enum status smime_chain_find_issuers(struct smime_signer *signer, const STACK_OF(X509) * certs,
                                              struct error *err);

#endif
