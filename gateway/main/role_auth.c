#include <sysexits.h>

#include "gateway/auth/auth.h"
#include "gateway/main/role_runs.h"

/* yescrypt takes a fraction of a second: far above it is a spin. */
#define AUTH_DEADLINE_MS 10000

int role_auth(const struct role_start *start)
{
    struct auth_settings settings = {
        .log = &start->log,
        .users_path = start->conf.auth_users,
        .worker = {.service_fd = start->ports[0],
                   .deadline_ms = AUTH_DEADLINE_MS,
                   .cpu_ms = AUTH_DEADLINE_MS,
                   .jobs_max = 10000},
    };
    return role_drop(start, "auth", 0) ? auth_run(&settings) : EX_CONFIG;
}
