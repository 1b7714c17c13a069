/* The parts of the queue role and what they share. Nothing outside this folder includes it. */
#ifndef SEALGATE_QUEUE_ROLE_H
#define SEALGATE_QUEUE_ROLE_H

#include <event2/event.h>

#include "base/call.h"
#include "base/sql.h"
#include "gateway/queue/group.h"
#include "gateway/queue/queue.h"

struct link;
struct backup;
struct releases;
struct tick;
struct worked;

struct queue {
    const struct queue_settings *settings;
    struct event_base *base; /* three priorities: what is read comes before what is committed */
    struct sql *sql;
    struct group *group;
    struct link *link;         /* delivery */
    struct releases *releases; /* held copies on their way through seal */
    struct tick *tick;
    struct worked *worked;
    struct backup *backup; /* under way; NULL: none */
};

/* ---- intake.c: requests from seal and submission; ARG is the queue ---- */

void intake_store(void *arg, struct request *request);
void intake_refused(void *arg, struct request *request);

/* ---- attach.c: the channel to delivery ---- */

/* NULL: out of memory (err). */
struct link *link_new(struct queue *queue, struct error *err);
void link_free(struct link *link);
/* QUEUE_ATTACH; ARG is the queue. */
void link_attach(void *arg, struct request *request);
bool link_is_attached(const struct link *link);
/* Leases nothing more and closes the channel; its leases stay in the database for who attaches next. */
void link_stop(struct link *link);

/* ---- release.c: held copies offered to seal again ---- */

struct releases *releases_new(struct queue *queue, struct error *err);
/* Forgets what is under way; nobody is told. */
void releases_free(struct releases *releases);

/* RELEASED, or still held because of WHY. */
typedef void release_done_fn(void *arg, int64_t copy_id, bool released, const char *why);

/* Asks seal about one held copy. Not STATUS_OK: it is not held, or asked about already; DONE is not called.
 */
MUST_USE enum status release_start(struct releases *releases, int64_t copy_id, release_done_fn *done,
                                   void *arg, struct error *err);

/* Would release_start take one more? */
bool releases_have_room(const struct releases *releases);

/* Takes up held copies whose recheck is due, a few at a time. */
void releases_recheck(struct releases *releases);

/* ---- tick.c: what becomes due by time ---- */

struct tick *tick_new(struct queue *queue, struct error *err);
void tick_free(struct tick *tick);
/* Sets the alarm for the next due time, at the latest in a minute. SOON: something has to be tried again. */
void tick_set(struct tick *tick, bool soon);

/* ---- control_backup.c ---- */

/* Gives up a backup that is under way. */
void backup_stop(struct queue *queue);

/* ---- control.c: verbs of sealctl; ARG is the queue ---- */

void control_request(void *arg, struct request *request);

#endif
