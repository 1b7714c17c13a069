/* PEM text (RFC 7468), block by block. */
#ifndef SEALGATE_SMIME_PEM_H
#define SEALGATE_SMIME_PEM_H

#include "base/error.h"
#include "base/span.h"

/* Takes one block: its label ("CERTIFICATE") and the bytes in it, both good during the call. */
typedef enum status smime_pem_take(void *arg, const char *label, struct span der, struct error *err);

/*
 * Calls TAKE with ARG for each block of TEXT (at most INT_MAX bytes) in order; what stands between blocks is
 * passed over, and no block at all is STATUS_OK. Ends at the first failure of TAKE, which is returned.
 * STATUS_INVALID: a damaged block; STATUS_TEMPORARY: no memory. May leave OpenSSL's error queue filled.
 */
MUST_USE enum status smime_pem_each(struct span text, smime_pem_take *take, void *arg, struct error *err);

#endif
