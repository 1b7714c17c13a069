/* Dropping rights, in one visible order. Called once per role, when everything privileged is open. */
#ifndef SEALGATE_MAIN_PRIVILEGES_H
#define SEALGATE_MAIN_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct privileges {
    const char *user;   /* as root: becomes this user; as an ordinary user: not looked at */
    const char *folder; /* existing folder: new root or working directory */
    bool chroot;        /* as root only */
    int64_t memory_max; /* bytes of address space beyond what is taken already (RLIMIT_AS), 0: no limit */
    int supervisor;     /* process id of the supervisor */
};

MUST_USE enum status privileges_drop(const struct privileges *p, struct error *err);

#endif
