/* The channel to a delivery process: leases and acknowledgements out in order, outcomes in. */
#ifndef SEALGATE_QUEUE_CHANNEL_H
#define SEALGATE_QUEUE_CHANNEL_H

#include "base/ipc.h"
#include "gateway/jobs/queue_job.h"

struct event_base;
struct channel;

enum channel_load {
    CHANNEL_SEND,
    CHANNEL_SKIP,  /* it is not on lease any more */
    CHANNEL_LATER, /* it cannot be read now: asked again */
};

struct channel_events {
    /* One message came; freed by the channel afterwards. False: it is nonsense, close. Must not free the
     * channel.
     */
    bool (*message)(void *arg, struct ipc_msg *msg);
    /* Fills the lease of a copy whose turn it is (as lease_load). Must not free the channel. */
    enum channel_load (*load)(void *arg, int64_t copy_id, struct queue_lease *lease_out, int *fd_out);
    /* The other side is gone or talks nonsense. Frees the channel. */
    void (*closed)(void *arg, const struct error *err);
};

/* FD is the channel's from here on, also on failure (NULL, err). Reads only after channel_open. */
struct channel *channel_new(struct event_base *base, int fd, const struct queue_attach *attach,
                            struct error *err);
/* Starts to read and send. */
void channel_open(struct channel *channel, const struct channel_events *events, void *arg);
void channel_free(struct channel *channel);

const struct queue_attach *channel_attach(const struct channel *channel);

/*
 * To be sent in their turn: the lease of a copy, whose body is read no sooner, and that the outcome of that
 * NUMBER is on disk. False: out of memory.
 */
bool channel_lease(struct channel *channel, int64_t copy_id);
bool channel_stored(struct channel *channel, int64_t number);

#endif
