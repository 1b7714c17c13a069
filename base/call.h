/*
 * Calls between roles. A *service* is a SOCK_SEQPACKET pair whose both ends the supervisor keeps, so
 * that it outlives every role. A caller sends a request and, with it, one end of a fresh reply pair.
 * Whoever takes the request answers CALL_TAKEN at once and its reply later; a service that replies as soon as
 * it takes may leave CALL_TAKEN out, and its callers have one limit for both. The caller learns all
 * that can happen from the reply pair alone:
 *
 *     nobody takes it in time        STATUS_BUSY     451 4.3.2
 *     taken, then the pair closes    STATUS_CLOSED   the role died or dropped it: 451 4.3.0
 *     taken, but no reply in time    STATUS_TEMPORARY
 *
 * A caller that gives up closes its end; a request that is taken after that is dropped by the taker.
 * The taker may pass the reply descriptor on with a request of its own (seal → queue): then the last
 * holder answers.
 */
#ifndef SEALGATE_BASE_CALL_H
#define SEALGATE_BASE_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ipc.h"

#define CALL_TAKEN 1u /* reply type sent by the library itself; own types start at 16 */

struct event_base;

struct call_limits {
    int64_t taken_ms; /* longest wait until somebody takes the request */
    int64_t total_ms; /* longest wait for the reply, from the start */
};

/* ---- caller in an event loop ---- */

struct call;

/*
 * Called exactly once, never from inside call_start. REPLY is set only with STATUS_OK and belongs to
 * the library (take descriptors out with ipc_take_fd). The call is over and freed when this returns.
 */
typedef void call_done_fn(void *arg, enum status status, struct ipc_msg *reply, const struct error *err);

/*
 * Starts a call; a full socket is waited for within LIMITS.taken_ms. FDS are duplicated: the caller
 * keeps its own and may close them as soon as this returns. NULL: out of memory or descriptors (err).
 */
struct call *call_start(struct event_base *base, int service_fd, uint32_t type, struct span body,
                        const int *fds, size_t nfds, struct call_limits limits, call_done_fn *done, void *arg,
                        struct error *err);

/* Forgets the call: DONE is not called any more; the taker finds the reply pair closed. */
void call_cancel(struct call *call);

/* ---- caller in a worker (blocking) ---- */

/* As call_start, but waits. On STATUS_OK the caller frees *reply_out with ipc_msg_free. */
MUST_USE enum status call_wait(int service_fd, uint32_t type, struct span body, const int *fds, size_t nfds,
                               struct call_limits limits, struct ipc_msg *reply_out, struct error *err);

/* ---- taker ---- */

struct request {
    struct ipc_msg msg; /* descriptors of the caller, without the reply descriptor */
    int reply_fd;       /* -1 after request_release */
};

/* Splits a received message into a request and announces CALL_TAKEN. STATUS_CLOSED: the caller gave up. */
MUST_USE enum status request_take(struct ipc_msg *msg, struct request *request_out, struct error *err);

/* As request_take, but says nothing: CALL_TAKEN was sent already by the role that passed it on, or is left
 * out. */
MUST_USE enum status request_take_silently(struct ipc_msg *msg, struct request *request_out,
                                           struct error *err);

/* Is the caller still waiting? False once its end is closed. */
bool request_is_wanted(const struct request *request);

/* Sends the reply. A caller that gave up is no error (STATUS_OK). */
MUST_USE enum status request_reply(struct request *request, uint32_t type, struct span body, const int *fds,
                                   size_t nfds, struct error *err);

/* Passes the request's reply descriptor on: a one-way message of TYPE to SERVICE_FD (blocking). */
MUST_USE enum status request_pass_on(struct request *request, int service_fd, uint32_t type, struct span body,
                                     const int *fds, size_t nfds, struct error *err);

/* Frees everything and closes the reply descriptor. */
void request_free(struct request *request);

/* ---- taker in an event loop ---- */

struct server;

/* REQUEST (heap) belongs to the handler, which ends it with request_free and free(). */
typedef void server_request_fn(void *arg, struct request *request);

/*
 * Takes requests from SERVICE_FD, non-blocking, a bounded number per turn of the loop. ANNOUNCES: says
 * CALL_TAKEN; false for requests that come through request_pass_on and for handlers that reply before they
 * return. NULL: out of memory (err).
 */
struct server *server_start(struct event_base *base, int service_fd, bool announces,
                            server_request_fn *handler, void *arg, struct error *err);

/* Takes no more; requests wait in the socket for the next holder of the service. */
void server_stop(struct server *server);

/* ---- taker as a worker (blocking) ---- */

struct worker_settings {
    int service_fd;      /* where jobs come from */
    int64_t deadline_ms; /* wall time for one job; then SIGALRM ends the process */
    int64_t cpu_ms;      /* CPU time for one job (this process); then SIGXCPU ends it */
    unsigned jobs_max;   /* ends with 0 after so many jobs, to be started anew */
};

/* One job; the request is freed by the loop afterwards. */
typedef void worker_job_fn(void *arg, struct request *request);

/*
 * Takes one job at a time until SIGTERM (which waits for the job in hand) or jobs_max.
 * Returns the exit code of the process: 0, or 1 when the service is gone.
 */
int worker_run(const struct worker_settings *settings, worker_job_fn *job, void *arg);

#endif
