/* AUTH's way to the auth role and back: one call for each response of the client. */
#ifndef SEALGATE_SUBMISSION_AUTH_CALL_H
#define SEALGATE_SUBMISSION_AUTH_CALL_H

#include "gateway/submission/session.h"

/* The mechanisms that this connection is offered, a set of gateway/jobs/sasl_mechanism.h. */
unsigned auth_call_offered(const struct session *s);

/*
 * Starts an exchange of s->mechanism. INITIAL is decoded; NULL: none came. cmd_auth_result follows, at once
 * when auth cannot be asked.
 */
void auth_call_start(struct session *s, const struct buf *initial);
/* The client's next response, decoded. cmd_auth_result follows. */
void auth_call_step(struct session *s, const struct buf *response);

/* Tells auth that the exchange ended here, if there is one, and forgets it. */
void auth_call_forget(struct session *s);

#endif
