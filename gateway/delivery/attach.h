/*
 * The channel to the queue: attached by QUEUE_ATTACH, attached anew with the same instance when it closes.
 * Outcomes are kept until QUEUE_OUTCOME_STORED came for them, and sent again over a new channel.
 */
#ifndef SEALGATE_DELIVERY_ATTACH_H
#define SEALGATE_DELIVERY_ATTACH_H

#include "base/log.h"
#include "gateway/jobs/queue_job.h"

struct event_base;
struct attach;

struct attach_settings {
    const struct log *log;
    int queue_service;
    unsigned window;
};

/* A lease came. The lease's content and BODY_FD (-1: none came) are the handler's. */
typedef void attach_lease_fn(void *arg, struct queue_lease *lease, int body_fd);

/* NULL: out of memory (err). Attaching itself is tried until it works. */
struct attach *attach_start(struct event_base *base, const struct attach_settings *settings,
                            attach_lease_fn *on_lease, void *arg, struct error *err);
/* Closes the channel: leases without an outcome end. Outcomes not yet stored are lost with their leases. */
void attach_stop(struct attach *attach);

/* Sends an outcome and keeps it until it is stored; DSN_FD (-1: none) is owned. Outcomes of one copy go one
 * after the other, so that "stored" is never taken for another. */
MUST_USE enum status attach_outcome(struct attach *attach, const struct queue_outcome *outcome, int dsn_fd,
                                    struct error *err);

/* Closes the channel and attaches anew: queue then repeats every lease that it has no outcome for. For a
 * lease that can be neither worked on nor answered. */
void attach_again(struct attach *attach);

/* Is an outcome of this copy not stored yet? */
bool attach_is_unstored(const struct attach *attach, int64_t copy_id);
/* Is one that tells of this recipient (its id) of the copy? */
bool attach_has_unstored(const struct attach *attach, int64_t copy_id, int64_t recipient_id);
/* Are all outcomes stored? */
bool attach_is_settled(const struct attach *attach);

#endif
