/* Bodies of copies, in pieces of 256 KiB, so that neither writing nor reading one holds it in memory whole.
 */
#ifndef SEALGATE_QUEUE_BODY_H
#define SEALGATE_QUEUE_BODY_H

#include <stdint.h>

#include "base/sql.h"
#include "gateway/queue/digest.h"

MUST_USE enum status body_hash(struct span bytes, char hex_out[DIGEST_HEX_SIZE], struct error *err);

MUST_USE enum status body_insert(struct sql *sql, int64_t copy_id, struct span bytes, struct error *err);

/*
 * Reads the body back into a new sealed memory file (the caller closes it). STATUS_INTERNAL: damaged, its
 * length or hash is not LEN and HASH, or the database cannot read it; STATUS_TEMPORARY: no memory for it now.
 */
MUST_USE enum status body_read(struct sql *sql, int64_t copy_id, uint64_t len, const char *hash, int *fd_out,
                               struct error *err);

MUST_USE enum status body_delete(struct sql *sql, int64_t copy_id, struct error *err);

#endif
