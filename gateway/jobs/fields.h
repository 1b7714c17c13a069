/* What several packed bodies have in common: booleans, enums, strings that must be there, arrays. */
#ifndef SEALGATE_JOBS_FIELDS_H
#define SEALGATE_JOBS_FIELDS_H

#include "base/pack.h"
#include "gateway/jobs/queue_job.h"

void pack_bool(struct buf *b, bool v);
bool unpack_bool(struct unpack *u); /* failed for anything but 0 and 1 */

/* A value between FIRST and LAST, else failed and FIRST. */
uint32_t unpack_between(struct unpack *u, uint32_t first, uint32_t last);

/* As unpack_str, but failed for NULL. Owned by the caller; NULL only when failed. */
char *unpack_str_needed(struct unpack *u);

/*
 * The count of an array and zeroed room for it, owned by the caller; NULL and 0 when it is empty, over MAX,
 * or when so many items of at least one byte each cannot follow. So no count makes us allocate without bound.
 */
void *unpack_array(struct unpack *u, size_t max, size_t item_size, size_t *n_out);

/* Pieces that stand inside other bodies. On failure what was read is safe to free. */
void unpack_submit_reply(struct unpack *u, struct submit_reply *reply);
void unpack_queue_store(struct unpack *u, struct queue_store *store);

#endif
