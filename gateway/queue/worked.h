/*
 * What was seen to work: certificates to which copies were sealed that reached their next hop. Gathered and
 * told to keys now and then (KEYS_WORKED). A hint: whatever goes wrong, it is lost, and nothing else.
 */
#ifndef SEALGATE_QUEUE_WORKED_H
#define SEALGATE_QUEUE_WORKED_H

#include "gateway/jobs/keys_job.h"
#include "gateway/jobs/queue_job.h"
#include "gateway/queue/role.h"

struct worked;

/* NULL: out of memory (err). */
struct worked *worked_new(const struct queue *queue, struct error *err);
void worked_free(struct worked *worked);

/*
 * The certificates of the recipients that OUTCOME delivers, while their rows are there: before outcome_apply,
 * in its transaction. Free FOUND_OUT with keys_worked_free.
 */
void worked_collect(struct sql *sql, const struct queue_outcome *outcome, struct keys_worked *found_out);

/* Once the outcome is on disk. Told to keys when the interval is over, or many have gathered. */
void worked_add(struct worked *worked, const struct keys_worked *found);

/* At the end: tells what is left, and waits for keys, but three seconds at most. */
void worked_stop(struct worked *worked);

#endif
