/* What the auth role does with the guard, beside exchanges: its life, and the questions of submission and
 * sealctl. */
#ifndef SEALGATE_AUTH_COUNTING_H
#define SEALGATE_AUTH_COUNTING_H

#include "gateway/auth/role.h"

/* Opens role->guard, writes it down from time to time, and answers sealctl. Needs role->base. */
MUST_USE enum status counting_start(struct auth_role *role, struct error *err);
/* The last write. Also after a start that failed. */
void counting_stop(struct auth_role *role);

/* Handlers as those in role.h. */
void counting_on_ask(struct auth_role *role, struct request *request);
void counting_on_clear(struct auth_role *role, struct request *request);

/* control.c: the guard verbs of sealctl; a server_request_fn for the role. */
void auth_control_request(void *arg, struct request *request);

#endif
