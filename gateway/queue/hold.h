/* Held copies as rows (doc/queue.md "Holds"). What changes something runs inside a transaction. */
#ifndef SEALGATE_QUEUE_HOLD_H
#define SEALGATE_QUEUE_HOLD_H

#include "base/sql.h"
#include "gateway/jobs/queue_job.h"
#include "gateway/queue/queue.h"
#include "gateway/queue/rows.h"

/* Copies that wait for a key, and notices that wait for seal's word, and are due to be offered to seal again,
 * longest due first, at most MAX. */
MUST_USE enum status hold_due(struct sql *sql, int64_t now_ms, size_t max, struct row_ids *ids_out,
                              struct error *err);

/* The next recheck or expiry after NOW_MS; 0: none. */
MUST_USE enum status hold_next_due(struct sql *sql, int64_t now_ms, int64_t *next_ms_out, struct error *err);

/* When the copy is to be offered again; 0: it does not wait for seal. */
MUST_USE enum status hold_recheck_at(struct sql *sql, int64_t copy_id, int64_t *recheck_ms_out,
                                     struct error *err);

/*
 * A held copy is offered again at AT_MS. Nothing when its time is not SEEN_MS any more: somebody asked for a
 * recheck while the answer that leads to this was on its way, and may know of a newer key.
 */
MUST_USE enum status hold_postpone(struct sql *sql, int64_t copy_id, int64_t seen_ms, int64_t at_ms,
                                   struct error *err);

/* A held copy is offered again at once. */
MUST_USE enum status hold_hasten(struct sql *sql, int64_t copy_id, int64_t now_ms, struct error *err);

/*
 * What seal is asked: the message's envelope with the held recipients, and the locked body in a new memory
 * file (the caller closes it). STATUS_NOT_FOUND: the copy does not wait for seal. STATUS_INTERNAL: its body
 * is damaged. On STATUS_OK free with queue_release_free.
 */
MUST_USE enum status hold_load(struct sql *sql, int64_t copy_id, struct queue_release *release_out,
                               int *fd_out, struct error *err);

/*
 * Puts the copies of STORE in the place of the held one. STATUS_INVALID, and nothing changes: the copy does
 * not wait for seal any more, its recipients are not exactly those of STORE, a body would go out unsealed, or
 * a notice would be held for a key or returned.
 */
MUST_USE enum status hold_replace(struct sql *sql, const struct queue_settings *settings, int64_t copy_id,
                                  const struct queue_store *store, struct span bodies, int64_t now_ms,
                                  struct error *err);

/*
 * A notice is to go as it was written, not sealed because of WHY. STATUS_INVALID, and nothing changes: the
 * copy is no notice (any more).
 */
MUST_USE enum status hold_let_go(struct sql *sql, int64_t copy_id, const char *why, int64_t now_ms,
                                 struct error *err);

/* For people: WHY a notice waits still. Nothing for other copies. */
MUST_USE enum status hold_tell_notice(struct sql *sql, int64_t copy_id, const char *why, struct error *err);

/* Quarantine: the copy's leased or held recipients are held as damaged, its lease ends. */
MUST_USE enum status hold_quarantine(struct sql *sql, const struct queue_settings *settings, int64_t copy_id,
                                     const char *why, int64_t now_ms, struct error *err);

/* Copies whose hold is over are to be returned. *N_OUT: recipients moved. */
MUST_USE enum status hold_expire(struct sql *sql, int64_t now_ms, int64_t *n_out, struct error *err);

#endif
