/* What attach.c and report.c share. */
#ifndef SEALGATE_QUEUE_LINK_H
#define SEALGATE_QUEUE_LINK_H

#include "gateway/queue/channel.h"
#include "gateway/queue/lease.h"
#include "gateway/queue/role.h"
#include "gateway/queue/rows.h"

struct outcome_work;

struct link {
    struct work claim; /* behind all others in every transaction */
    struct queue *queue;
    struct channel *channel; /* NULL: no delivery process is attached */
    bool attaching; /* a channel that replaces it is in the transaction under way: nothing is claimed */
    struct row_ids claimed; /* by the transaction under way */
    struct lease_cursor cursor;
    uint64_t works;     /* done by the group when a claim was last tried */
    int64_t claimed_ms; /* what was due by then is leased, or must wait for the window */
    struct outcome_work *retries;
    int64_t not_stored; /* tries to store an outcome that failed, since all were stored */
    struct event *retry;
};

/*
 * Closes the channel; its leases end. Delivery attaches again, if it lives. Not from inside the channel's own
 * callbacks but its last.
 */
void link_close(struct link *link, const struct error *err);

/* A message from delivery; for struct channel_events. */
bool link_message(void *arg, struct ipc_msg *msg);

/* Timer: outcomes that could not be stored are tried again. */
void link_retry_outcomes(evutil_socket_t fd, short what, void *arg);

/* At the end: delivery will say them to the next queue process. */
void link_forget_outcomes(struct link *link);

#endif
