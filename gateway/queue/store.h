/* A message as rows: what QUEUE_STORE carries, and a DSN. Inside a transaction. */
#ifndef SEALGATE_QUEUE_STORE_H
#define SEALGATE_QUEUE_STORE_H

#include "base/sql.h"
#include "gateway/jobs/queue_job.h"
#include "gateway/queue/queue.h"

/*
 * Is this safe to answer for? (doc/queue.md "What is refused at the door".) BODIES is the mapped memory file.
 * STATUS_INVALID says what is wrong.
 */
MUST_USE enum status store_check(const struct queue_store *store, struct span bodies, struct error *err);

/* Message, copies, recipients, bodies and audit lines. Checks first. */
MUST_USE enum status store_insert(struct sql *sql, const struct queue_settings *settings,
                                  const struct queue_store *store, struct span bodies, int64_t now_ms,
                                  struct error *err);

/*
 * The copies of STORE under a message that exists already (a released one). Does not check. HOLD_UNTIL_MS is
 * for copies that are held again.
 */
MUST_USE enum status store_released(struct sql *sql, const struct queue_settings *settings,
                                    const struct queue_store *store, struct span bodies, int64_t now_ms,
                                    int64_t hold_until_ms, struct error *err);

#endif
