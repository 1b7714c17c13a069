/* The auth role: a worker that checks passwords against the users file. Holds the user table and nothing
 * else. */
#ifndef SEALGATE_AUTH_AUTH_H
#define SEALGATE_AUTH_AUTH_H

#include "base/call.h"
#include "base/log.h"

struct auth_settings {
    const struct log *log;
    const char *users_path; /* see users.h; read anew when it changes; loaded at start: absent or readable by
                               others is an error at start */
    struct worker_settings worker;
};

int auth_run(const struct auth_settings *settings);

#endif
