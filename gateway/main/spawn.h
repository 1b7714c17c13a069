/* Starting the process of a role: fork, descriptors in their places, everything else closed, the same binary
 * executed again. */
#ifndef SEALGATE_MAIN_SPAWN_H
#define SEALGATE_MAIN_SPAWN_H

#include <sys/types.h>

#include "gateway/main/roles.h"
#include "gateway/main/sockets.h"
#include "gateway/net/tickets.h"

struct spawn {
    const struct role *role;
    unsigned index;
    bool verbose;
    int conf_fd;
    const struct services *services;
    const struct sockets *sockets;
    struct tickets *tickets; /* its state goes to roles that take listeners */
};

MUST_USE enum status spawn_role(const struct spawn *spawn, pid_t *pid_out, struct error *err);

#endif
