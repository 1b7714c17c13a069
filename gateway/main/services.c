#include "gateway/main/services.h"

#include "base/ipc.h"

enum status services_open(struct services *services_out, struct error *err)
{
    for (int i = 0; i < SERVICES; i++) {
        enum status st = ipc_pair(services_out->fds[i], err);
        if (st != STATUS_OK)
            return st;
        /* Clients in event loops must never block on a full socket; those that may wait do so themselves. */
        st = ipc_nonblocking(services_out->fds[i][SERVICE_CLIENT], err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}
