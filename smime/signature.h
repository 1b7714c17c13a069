/* Does a CMS signature hold? Judged for one SignerInfo, by its own digest alone. */
#ifndef SEALGATE_SMIME_SIGNATURE_H
#define SEALGATE_SMIME_SIGNATURE_H

#include <stdbool.h>

#include <openssl/cms.h>

#include "base/error.h"
#include "base/span.h"

/* Writes all of PIECES to TO. */
bool smime_write_pieces(BIO *to, struct spans pieces);

/*
 * SIGNER, whose certificate is set (CMS_set1_signers_certs), must have signed its attributes and by them
 * CONTENT, with a digest of SHA-256 or better. STATUS_INVALID with the reason: it does not hold. Only the
 * signer's own digest is computed: CMS_verify would compute each that the message lists, and a list of
 * thousands costs its writer nothing.
 */
MUST_USE enum status smime_signature_verify(CMS_SignerInfo *signer, struct spans content, struct error *err);

#endif
