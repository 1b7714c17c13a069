/* The control role: a Unix socket for sealctl. Event loop; passes each verb on to the role that owns the
 * matter. */
#ifndef SEALGATE_CONTROL_CONTROL_H
#define SEALGATE_CONTROL_CONTROL_H

#include "base/log.h"
#include "gateway/policy/policy.h"
#include "gateway/policy/tls_level.h"

struct control_settings {
    const struct log *log;
    int socket_fd;                        /* listening Unix stream socket, bound by main with mode 0600 */
    const struct policy_settings *policy; /* for explain */
    struct tls_level_settings tls;        /* for explain */
    const char *route;                    /* for explain */
    int keys_control_service;             /* client ends */
    int keys_lookup_service;
    int queue_service;
    int supervisor_service;
    int auth_service;
    int delivery_service;
};

int control_run(const struct control_settings *settings);

#endif
