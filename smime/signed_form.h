/*
 * Is it a CMS signature? Reads what others made (A12), BER or DER, as far as it goes without judging who
 * signed: that it holds is for the reader to see.
 */
#ifndef SEALGATE_SMIME_SIGNED_FORM_H
#define SEALGATE_SMIME_SIGNED_FORM_H

#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"

/*
 * BYTES is one ContentInfo with SignedData (RFC 5652 §5.1) and nothing behind it, and at least one SignerInfo
 * with a signature. DETACHED (RFC 8551 §3.5.3): without content, and the digest of a signer is one of MICALG,
 * names or OIDs with commas between them; else with content inside (§3.5.2), and MICALG is not looked at.
 * Nothing of it is copied. STATUS_INVALID with the reason: anything else.
 */
MUST_USE enum status smime_signed_form_check(struct span bytes, bool detached, struct span micalg,
                                             struct error *err);

#endif
