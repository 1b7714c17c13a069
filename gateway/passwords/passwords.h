/*
 * The passwords role: workers that say whether a password is a user's. Each holds one backend and nothing
 * else.
 */
#ifndef SEALGATE_PASSWORDS_PASSWORDS_H
#define SEALGATE_PASSWORDS_PASSWORDS_H

#include "base/call.h"
#include "base/log.h"
#include "gateway/passwords/backend.h"

struct passwords_settings {
    const struct log *log;
    struct backend *backend; /* opened; closed by passwords_run */
    struct worker_settings worker;
};

/* Answers PASSWORD_CHECK. Returns the exit code. */
int passwords_run(const struct passwords_settings *settings);

#endif
