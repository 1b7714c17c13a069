/*
 * Destinations that could not be reached (doc/queue.md "Destinations"): remembered in the database, and
 * probed by one copy at a time. A DOMAIN is named as in a recipient's row (TLS_OPTIONAL_PREFIX). All inside a
 * transaction.
 */
#ifndef SEALGATE_QUEUE_REACH_H
#define SEALGATE_QUEUE_REACH_H

#include "base/sql.h"
#include "gateway/jobs/queue_job.h"
#include "gateway/queue/queue.h"

struct reach_wait {
    int64_t until_ms; /* NOW_MS: it may be tried at once */
    bool route;       /* for the one next hop of all mail, reports too */
};

/* When mail for DOMAIN may be tried. "" can always be reached. */
MUST_USE enum status reach_wait(struct sql *sql, const struct queue_settings *settings, const char *domain,
                                int64_t now_ms, struct reach_wait *wait_out, struct error *err);

/* The leased copy is the probe of those of its destinations that could not be reached. */
MUST_USE enum status reach_probe(struct sql *sql, const struct queue_settings *settings, int64_t copy_id,
                                 int64_t now_ms, struct error *err);

/* The lease of the copy ends without an outcome: of what it was the probe, the next one may go at RETRY_MS.
 */
MUST_USE enum status reach_probe_ended(struct sql *sql, int64_t copy_id, int64_t retry_ms, struct error *err);

/* What an attempt with COPY_ID for DOMAIN showed; REPLY says why. */
MUST_USE enum status reach_learn(struct sql *sql, const struct queue_settings *settings, const char *domain,
                                 enum delivery_reach reach, int64_t copy_id, const char *reply,
                                 int64_t now_ms, struct error *err);

/* The administrator wants the destinations of a message probed now, by that message, whose recipients are due
 * at 0 (lease_claim); NULL: all of them, by whatever waits. */
MUST_USE enum status reach_hasten(struct sql *sql, const struct queue_settings *settings,
                                  const char *message_id, int64_t now_ms, struct error *err);

/* Forgets destinations that nobody has wanted to reach for long. */
MUST_USE enum status reach_forget(struct sql *sql, int64_t now_ms, struct error *err);

#endif
