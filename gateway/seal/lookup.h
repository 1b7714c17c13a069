/* Asks the keys role for the certificates of all recipients. */
#ifndef SEALGATE_SEAL_LOOKUP_H
#define SEALGATE_SEAL_LOOKUP_H

#include "gateway/jobs/keys_job.h"
#include "gateway/message/envelope.h"
#include "gateway/seal/seal.h"

/*
 * One answer per recipient of ENVELOPE, in its order, with the certificates' bytes. When keys cannot be
 * asked, is late or answers nonsense, that is logged, and each answer is LOOKUP_FAILED with the reason: never
 * an empty list (A33). STATUS_TEMPORARY: out of memory. Free with keys_found_free.
 */
MUST_USE enum status seal_lookup(const struct seal_settings *settings, const struct envelope *envelope,
                                 struct keys_found *found_out, struct error *err);

#endif
