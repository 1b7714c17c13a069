/* One file per role: fills its settings from the configuration, opens what needs rights, drops them, runs. */
#ifndef SEALGATE_MAIN_ROLE_RUNS_H
#define SEALGATE_MAIN_ROLE_RUNS_H

#include "gateway/main/roles.h"

int role_keys(const struct role_start *start);
int role_queue(const struct role_start *start);
int role_auth(const struct role_start *start);
int role_passwords(const struct role_start *start);
int role_agent(const struct role_start *start);
int role_seal(const struct role_start *start);
int role_delivery(const struct role_start *start);
int role_control(const struct role_start *start);
int role_submission(const struct role_start *start);

/* The log of a role or the supervisor: level by configuration, debug with -v; "<N>" prefixes when standard
 * error is the journal. */
struct log log_from_conf(const struct conf *conf, const char *role, bool verbose);

/* Drops rights as the table says for ROLE; logs and returns false when that fails: then the role must not
 * run. */
bool role_drop(const struct role_start *start, const char *role, int64_t memory_max);

/* Logs that WHAT failed and returns the exit code for it: EX_CONFIG for what only a change of configuration
 * mends, else EX_TEMPFAIL. */
int role_failed(const struct role_start *start, const char *what, const struct error *err);

#endif
