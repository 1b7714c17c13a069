/* Leases as rows (doc/queue.md "Leases"). All but lease_load inside a transaction. */
#ifndef SEALGATE_QUEUE_LEASE_H
#define SEALGATE_QUEUE_LEASE_H

#include "base/sql.h"
#include "gateway/jobs/queue_job.h"
#include "gateway/queue/queue.h"
#include "gateway/queue/rows.h"

/* Bodies out on lease at a time; a larger one goes alone. */
#define LEASE_BYTES_MAX ((int64_t)256 << 20)

/*
 * How far a round of the senders has come; one goes over as many lease_claims as it needs. Zeros at first.
 * Set MORE to false when something may have become due, or room for it, behind the round's back: then
 * another one begins, with the next sender.
 */
struct lease_cursor {
    char *sender;     /* looked at last, or served last when the window was full; NULL: none. Owned */
    char *end;        /* the round ends with this sender; NULL: with the last of all. Owned */
    bool wrapped;     /* it went on with the first sender */
    bool again;       /* not all lanes of a sender were looked at: there must be another */
    bool more;        /* it is not over: call lease_claim again soon */
    int64_t since_ms; /* when it began: what became due later may have been missed */
};
void lease_cursor_free(struct lease_cursor *cursor);

/*
 * Leases due copies to INSTANCE until WINDOW copies or LEASE_BYTES_MAX are out, fairly between destinations
 * and senders, of each the longest due first; of a destination that could not be reached one, as a probe,
 * when its time has come (doc/queue.md "Fairness", "Destinations"). What is due at 0 goes before all else.
 * Appends their ids to IDS.
 */
MUST_USE enum status lease_claim(struct sql *sql, const struct queue_settings *settings, const char *instance,
                                 int64_t window, int64_t now_ms, struct lease_cursor *cursor,
                                 struct row_ids *ids, struct error *err);

/* When something may become due, after NOW_MS; 0: nothing waits. */
MUST_USE enum status lease_next_due(struct sql *sql, int64_t now_ms, int64_t *next_ms_out, struct error *err);

/* The copies that INSTANCE holds on lease. */
MUST_USE enum status lease_kept(struct sql *sql, const char *instance, struct row_ids *ids_out,
                                struct error *err);

/*
 * Reads what a leased copy's lease says, and its body into a new memory file (the caller closes it); an empty
 * one for a copy that is to be returned and whose header is stored apart or whose body is damaged.
 * STATUS_NOT_FOUND: it is not on lease any more. STATUS_INTERNAL: its body is damaged. On STATUS_OK free with
 * queue_lease_free.
 */
MUST_USE enum status lease_load(struct sql *sql, int64_t copy_id, struct queue_lease *lease_out, int *fd_out,
                                struct error *err);

/* The queue id of a copy's message, for logs; "" when it is gone or cannot be read. */
void lease_message_id(struct sql *sql, int64_t copy_id, char id_out[ID_SIZE]);

/* The copy is on lease no more: what else of it has become due by NOW_MS can go. */
MUST_USE enum status lease_over(struct sql *sql, int64_t copy_id, int64_t now_ms, struct error *err);

/* Ends the lease of a copy: its leased recipients are due at AT_MS. No attempt is counted. */
MUST_USE enum status lease_end(struct sql *sql, int64_t copy_id, int64_t at_ms, struct error *err);

/* Ends all leases of INSTANCE, or with EXCEPT those of all others. */
MUST_USE enum status lease_end_of(struct sql *sql, const char *instance, bool except, int64_t at_ms,
                                  struct error *err);

/* When none of the copy's recipients is leased any more, the copy is not either; then cleans. */
MUST_USE enum status lease_settle(struct sql *sql, int64_t copy_id, int64_t now_ms, struct error *err);

#endif
