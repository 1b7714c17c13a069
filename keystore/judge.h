/* Judging stored certificates anew: algorithms lose trust, roots change, user IDs expire. */
#ifndef SEALGATE_KEYSTORE_JUDGE_H
#define SEALGATE_KEYSTORE_JUDGE_H

#include "keystore/record.h"

/*
 * Judges row ID at NOW (seconds since 1970) and stores that. Wants a transaction. Stored bytes of another
 * certificate are STATUS_INTERNAL.
 */
MUST_USE enum status keystore_judge(struct keystore *ks, int64_t id, int64_t now, struct error *err);

/* The same if the last judgement is too old; *CHANGED_OUT: it was. */
MUST_USE enum status keystore_judge_if_stale(struct keystore *ks, int64_t id, int64_t now, bool *changed_out,
                                             struct error *err);

#endif
