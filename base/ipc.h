/*
 * Messages between roles: one SOCK_SEQPACKET packet each, a type, a body and up to IPC_FDS_MAX
 * descriptors. A body over IPC_INLINE_MAX bytes travels as a sealed memory file; neither side sees
 * the difference.
 */
#ifndef SEALGATE_BASE_IPC_H
#define SEALGATE_BASE_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

#define IPC_FDS_MAX 4
#define IPC_INLINE_MAX 16384
#define IPC_BODY_MAX (256u << 20)

struct ipc_msg {
    uint32_t type;
    struct buf body;      /* owned */
    int fds[IPC_FDS_MAX]; /* owned, close-on-exec; ipc_take_fd() moves one out */
    size_t nfds;
};

/* A connected pair of SOCK_SEQPACKET sockets, close-on-exec, blocking. */
MUST_USE enum status ipc_pair(int fds_out[2], struct error *err);

/* FD is a socket. */
MUST_USE enum status ipc_nonblocking(int fd, struct error *err);

/*
 * Sends one message; never raises SIGPIPE; the descriptors in FDS stay the caller's.
 * STATUS_BUSY: the socket is full (non-blocking fd only); STATUS_CLOSED: nobody reads any more.
 */
MUST_USE enum status ipc_send(int fd, uint32_t type, struct span body, const int *fds, size_t nfds,
                              struct error *err);

/*
 * Receives one message. STATUS_BUSY: none there (non-blocking fd only); STATUS_CLOSED: the other side
 * is gone; STATUS_INVALID: damaged, the socket must be closed. On STATUS_OK free with ipc_msg_free.
 */
MUST_USE enum status ipc_recv(int fd, struct ipc_msg *msg_out, struct error *err);

/* Moves descriptor number I out of MSG (the caller closes it); -1 when there is none. */
int ipc_take_fd(struct ipc_msg *msg, size_t i);

/* Frees the body and closes what descriptors are left. */
void ipc_msg_free(struct ipc_msg *msg);

#endif
