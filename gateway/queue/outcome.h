/* What delivery says became of a lease (doc/queue.md, table of outcomes). Inside a transaction. */
#ifndef SEALGATE_QUEUE_OUTCOME_H
#define SEALGATE_QUEUE_OUTCOME_H

#include "base/sql.h"
#include "gateway/jobs/queue_job.h"
#include "gateway/queue/queue.h"

struct outcome_counts {
    unsigned delivered;
    unsigned deferred;
    unsigned bounced; /* and returned */
    unsigned skipped; /* were final, or not this instance's to move */
    bool dsn_stored;
};

/*
 * Idempotent. DSN is the mapped DSN under the spool key; an empty one although the outcome has_dsn means that
 * it could not be read: then bounced recipients are deferred.
 */
MUST_USE enum status outcome_apply(struct sql *sql, const struct queue_settings *settings,
                                   const char *instance, const struct queue_outcome *outcome, struct span dsn,
                                   int64_t now_ms, struct outcome_counts *counts_out, struct error *err);

#endif
