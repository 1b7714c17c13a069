/* What sealctl may ask: each verb goes to the role that owns the matter. */
#ifndef SEALGATE_CONTROL_VERBS_H
#define SEALGATE_CONTROL_VERBS_H

#include "gateway/control/session.h"

/* Starts the work for REQUEST (borrowed); SESSION is answered exactly once, now or later. */
void verbs_do(struct session *session, json_t *request);

/* The "explain" verb (explain.c): which rule, certificate, protection and TLS for {from, to: […], subject,
 * headers: […], user, listener}. */
void explain_do(struct session *session, json_t *request);

#endif
