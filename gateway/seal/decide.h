/* What the rules say of each recipient, now that content and certificates are known. */
#ifndef SEALGATE_SEAL_DECIDE_H
#define SEALGATE_SEAL_DECIDE_H

#include "gateway/seal/job.h"

/*
 * Fills job->recipients with the rule that decides for each: NOTICE_RULE for a notice, else of POLICY. A
 * recipient counts as named only when To or Cc hold the address with the same local part, letter for letter:
 * in doubt it is a Bcc recipient, with a copy of its own (promise 7). STATUS_TEMPORARY: out of memory;
 * STATUS_INTERNAL: the rules decide nothing.
 */
MUST_USE enum status seal_match(const struct policy_settings *policy, const struct policy_rule *notice_rule,
                                struct seal_job *job, struct error *err);

/* Decides for each by its rule and what was looked up (seal_lookup). */
MUST_USE enum status seal_decide(struct seal_job *job, struct error *err);

#endif
