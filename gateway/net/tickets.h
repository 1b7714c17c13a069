/*
 * Session tickets (RFC 5077, RFC 8446 §2.2) that every submission process understands. Their key changes with
 * each rotation; that of the rotation before is still accepted, what is older is wiped and gone.
 *
 * The supervisor keeps one of these and hands its state to each process that it starts; from then on each
 * goes on by itself: all have the same clock (CLOCK_MONOTONIC), so that nobody need talk about it.
 */
#ifndef SEALGATE_NET_TICKETS_H
#define SEALGATE_NET_TICKETS_H

#include <openssl/types.h>
#include <stdint.h>

#include "base/error.h"

struct event_base;
struct tickets;

/* A fresh random secret. */
MUST_USE enum status tickets_open(int64_t rotation_ms, struct tickets **tickets_out, struct error *err);
void tickets_close(struct tickets *tickets);

/* With another ROTATION_MS than before all begins anew, with a fresh secret. */
MUST_USE enum status tickets_set_rotation(struct tickets *tickets, int64_t rotation_ms, struct error *err);

/* A memory file with the state, for tickets_take in another process; the caller closes it soon. */
MUST_USE enum status tickets_hand_over(struct tickets *tickets, int *fd_out, struct error *err);
/* FD stays the caller's. */
MUST_USE enum status tickets_take(int fd, struct tickets **tickets_out, struct error *err);

/* From now on old secrets are wiped when their time is over, also while nobody asks for a ticket; until
 * tickets_stop or tickets_close, for which BASE must still live. */
MUST_USE enum status tickets_run(struct tickets *tickets, struct event_base *base, struct error *err);
void tickets_stop(struct tickets *tickets);

/* CTX gives out and takes such tickets from now on; TICKETS must live as long. Uses the application data of
 * CTX. */
MUST_USE enum status tickets_attach(struct tickets *tickets, SSL_CTX *ctx, struct error *err);

#endif
