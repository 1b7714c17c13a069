/*
 * The services by which roles call each other (base/call.h), and who holds which end. The supervisor keeps
 * both ends of each, so that a request waits in the socket while the role behind it starts anew.
 */
#ifndef SEALGATE_MAIN_SERVICES_H
#define SEALGATE_MAIN_SERVICES_H

#include "base/error.h"

enum service {
    SERVICE_AUTH,
    SERVICE_AUTH_CONTROL,
    SERVICE_PASSWORDS,
    SERVICE_SEAL,
    SERVICE_KEYS_LOOKUP,
    SERVICE_KEYS_CONTROL,
    SERVICE_QUEUE_STORE,
    SERVICE_QUEUE_REFUSED,
    SERVICE_QUEUE_DELIVERY,
    SERVICE_QUEUE_CONTROL,
    SERVICE_DELIVERY_CONTROL,
    SERVICE_SUPERVISOR,
    SERVICES,
};

enum service_end { SERVICE_CLIENT, SERVICE_SERVER };

struct services {
    int fds[SERVICES][2]; /* by enum service_end */
};

MUST_USE enum status services_open(struct services *services_out, struct error *err);

#endif
