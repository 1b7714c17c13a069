/* Verbs of sealctl, one table in control.c, their doing in control_*.c. Nothing outside this folder uses it.
 */
#ifndef SEALGATE_QUEUE_VERBS_H
#define SEALGATE_QUEUE_VERBS_H

#include <jansson.h>

#include "gateway/queue/role.h"

/* Looks something up. *REPLY_OUT: a new object. */
typedef enum status verb_read_fn(struct queue *queue, const json_t *args, json_t **reply_out,
                                 struct error *err);

/* Changes something, inside a transaction; the reply goes out when it is on disk. */
typedef enum status verb_change_fn(struct queue *queue, const json_t *args, int64_t now_ms,
                                   json_t **reply_out, struct error *err);

/* Answers and frees REQUEST, now or later. */
typedef void verb_async_fn(struct queue *queue, const json_t *args, struct request *request);

/* ---- verb_args.c ---- */

/* The "id": STATUS_INVALID when it is missing or no queue id (A24). */
MUST_USE enum status args_id(const json_t *args, const char **id_out, struct error *err);

/* An integer between 0 and MAX, FALLBACK when missing. */
MUST_USE enum status args_int(const json_t *args, const char *name, int64_t fallback, int64_t max,
                              int64_t *value_out, struct error *err);

/* TEXT as a JSON string; bytes that are no UTF-8 as \xNN; JSON null for NULL. */
json_t *reply_text(const char *text);
/* ISO 8601 in UTC; JSON null for 0. */
json_t *reply_time(int64_t wall_ms);

/* ---- control_list.c, control_show.c ---- */

verb_read_fn verb_queue_list;
verb_read_fn verb_queue_show;
verb_read_fn verb_held_list;
verb_read_fn verb_queue_status;

/* ---- control_change.c ---- */

verb_change_fn verb_queue_retry;
verb_change_fn verb_queue_hold;
verb_change_fn verb_queue_release;
verb_change_fn verb_queue_remove;
verb_change_fn verb_held_return;
verb_change_fn verb_held_recheck;

/* ---- control_held.c ---- */

verb_async_fn verb_held_release;

/* ---- control_backup.c ---- */

verb_async_fn verb_queue_backup;

/* ---- control_audit.c ---- */

verb_read_fn verb_audit_list;
verb_read_fn verb_audit_export;
verb_async_fn verb_audit_verify;

#endif
