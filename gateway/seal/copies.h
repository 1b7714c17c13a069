/* Carries out a plan: builds each copy and what queue is told of it. */
#ifndef SEALGATE_SEAL_COPIES_H
#define SEALGATE_SEAL_COPIES_H

#include "gateway/jobs/queue_job.h"
#include "gateway/seal/job.h"

/*
 * Builds all copies of PLAN for JOB: sealed ones proven, all others under the spool key, all in the sealed
 * memory file *BODIES_OUT (the caller closes it). Moves the job's envelope into STORE_OUT, whose reply is not
 * set yet; free it with queue_store_free. A failure leaves STORE_OUT empty and *BODIES_OUT -1, and says in
 * *OUTCOME_OUT how to answer the client.
 */
MUST_USE enum status copies_build(const struct seal *seal, struct seal_job *job, const struct plan *plan,
                                  struct queue_store *store_out, int *bodies_out,
                                  enum submit_outcome *outcome_out, struct error *err);

struct copies_count {
    size_t sealed, clear, held, returned; /* recipients */
};
void copies_count(const struct queue_store *store, struct copies_count *count_out);

#endif
