/*
 * Who a session is: a user, after AUTH; or a relay client, known from the moment TLS is up by its network or
 * its certificate, on a listener that names it. A relay client may still log in, and is the user then. Before
 * TLS nobody is anybody.
 */
#ifndef SEALGATE_SUBMISSION_IDENTITY_H
#define SEALGATE_SUBMISSION_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/jobs/sasl_job.h"
#include "gateway/submission/replies.h"

struct session;

/* Looks for the relay client; once, when TLS is up. */
void identity_recognise(struct session *s);

/* A login succeeded: takes the user and what it may send as out of RESULT. False: *WHY_OUT is the answer to
 * AUTH (too many sessions of that user, or no memory), and nothing has changed. */
bool identity_take_user(struct session *s, struct sasl_result *result, enum reply_id *why_out);

/* Nobody any more: user, relay client and what they may send as. */
void identity_forget(struct session *s);

/* A user or a relay client: may send mail. */
bool identity_is_known(const struct session *s);

/* The relay client's name; NULL: a user, or nobody. */
const char *identity_client(const struct session *s);

/* The patterns of addresses that it may send as; *N_OUT 0: none. */
char *const *identity_send_as(const struct session *s, size_t *n_out);

/*
 * May the transaction's reverse-path be the session's? The null reverse-path may (RFC 3461, RFC 3798: whoever
 * may send may also send notifications). False: answered, logged and on its way to the audit trail.
 */
bool identity_check_reverse_path(struct session *s);

#endif
