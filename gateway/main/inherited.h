/*
 * Listening sockets that systemd, or whoever starts the gateway, has bound already (sd_listen_fds(3)). They
 * stay open as long as the supervisor lives, so that a reload may drop one and take it again.
 */
#ifndef SEALGATE_MAIN_INHERITED_H
#define SEALGATE_MAIN_INHERITED_H

#include <stddef.h>
#include <sys/socket.h>

#include "conf/conf.h"

struct inherited_socket {
    int fd;
    struct sockaddr_storage address;
    char *name; /* as the unit calls it, for messages; owned */
};

struct inherited {
    struct inherited_socket *sockets; /* owned */
    size_t n;
};

/* Takes over what was passed to this process, once, and forgets the environment that says so. What is no
 * listening stream socket over IP is STATUS_INVALID. */
MUST_USE enum status inherited_take(struct inherited *inherited_out, struct error *err);
void inherited_close(struct inherited *inherited);

/* Each must be one of the addresses that CONF listens on: STATUS_INVALID names the one that is not. */
MUST_USE enum status inherited_check(const struct inherited *inherited, const struct conf *conf,
                                     struct error *err);

/* The descriptor that is bound to ADDRESS ("[::]:465"), still INHERITED's; -1: none. INHERITED may be NULL.
 */
int inherited_find(const struct inherited *inherited, const char *address);

#endif
