/*
 * Group commit: pieces of work gathered in one turn of the loop share one transaction, each under a savepoint
 * of its own (doc/queue.md "Group commit").
 */
#ifndef SEALGATE_QUEUE_GROUP_H
#define SEALGATE_QUEUE_GROUP_H

#include "base/log.h"
#include "base/sql.h"

struct event_base;
struct work;

/*
 * Does the work inside the transaction; nothing that anybody could notice may happen here. Anything but
 * STATUS_OK undoes this work alone.
 */
typedef enum status work_apply_fn(struct work *work, struct sql *sql, int64_t now_ms, struct error *err);

/*
 * Called exactly once, when the transaction is on disk (STATUS_OK) or this work did not happen (ERR says
 * why). Frees WORK, or adds it again.
 */
typedef void work_done_fn(struct work *work, enum status status, const struct error *err);

/* First member of the struct that carries what the work needs. */
struct work {
    work_apply_fn *apply;
    work_done_fn *done;
    size_t bytes; /* of bodies to be written */
    /* private */
    struct work *next;
    enum status status;
    struct error err;
};

struct group;

/* NULL: out of memory (err). */
struct group *group_new(struct event_base *base, struct sql *sql, const struct log *log, struct error *err);
void group_free(struct group *group); /* after group_run: nothing may be waiting */

/* A piece that is part of every transaction, behind all others; its done is called each time. Not owned. */
void group_set_last(struct group *group, struct work *last);

/* The work is done soon, but not before this returns. */
void group_add(struct group *group, struct work *work);

/* Runs a transaction soon even without work, for the sake of the last piece. From a work's done: sockets are
 * polled before it. */
void group_kick(struct group *group);

/* Runs what waits now. */
void group_run(struct group *group);

/* Transactions committed so far. */
uint64_t group_commits(const struct group *group);

/* Pieces of work done so far, those of the transaction under way too; the last piece does not count. */
uint64_t group_works(const struct group *group);

#endif
