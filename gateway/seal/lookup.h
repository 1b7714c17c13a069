/* Asks the keys role for the certificates of all recipients, and of those whom the rules add. */
#ifndef SEALGATE_SEAL_LOOKUP_H
#define SEALGATE_SEAL_LOOKUP_H

#include "gateway/seal/job.h"

/*
 * Fills job->addresses and job->found: one answer per address, in that order, with the certificates' bytes.
 * JOB's recipients have their rules (seal_match). When keys cannot be asked, is late or answers nonsense,
 * that is logged, and each answer is LOOKUP_FAILED with the reason: never an empty list (A33).
 * STATUS_TEMPORARY: out of memory. STATUS_LIMIT: the rules add too many addresses.
 */
MUST_USE enum status seal_lookup(const struct seal_settings *settings, struct seal_job *job,
                                 struct error *err);

#endif
