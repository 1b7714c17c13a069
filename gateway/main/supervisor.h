/* The supervisor: starts the roles, restarts what dies, reloads on SIGHUP, drains on SIGTERM. Never sees
 * network data. */
#ifndef SEALGATE_MAIN_SUPERVISOR_H
#define SEALGATE_MAIN_SUPERVISOR_H

#include <stdbool.h>

#include "base/buf.h"
#include "conf/conf.h"

struct supervisor_settings {
    const char *conf_path;
    bool verbose;
};

/* CONF (its ownership passes) was parsed from TEXT. Returns the exit code. */
int supervisor_run(const struct supervisor_settings *settings, struct conf *conf, const struct buf *text);

#endif
