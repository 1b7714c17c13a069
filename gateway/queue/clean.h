/* Deleting what is over. Inside the transaction that made the last recipient final. */
#ifndef SEALGATE_QUEUE_CLEAN_H
#define SEALGATE_QUEUE_CLEAN_H

#include "base/sql.h"

/*
 * When all recipients of the copy are final: deletes its body; when those of the whole message are, deletes
 * the message with everything but its audit lines.
 */
MUST_USE enum status clean_copy(struct sql *sql, int64_t copy_id, struct error *err);

/* Deletes one copy with body and recipients, whatever their state: others have taken its place. */
MUST_USE enum status clean_replaced(struct sql *sql, int64_t copy_id, struct error *err);

#endif
