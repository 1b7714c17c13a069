/*
 * The server side of AUTH PLAIN (RFC 4616) and AUTH LOGIN with libgsasl. It only takes the credentials out
 * of the exchange; whether they are right is the auth role's to say.
 */
#ifndef SEALGATE_SUBMISSION_SASL_H
#define SEALGATE_SUBMISSION_SASL_H

#include <gsasl.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "gateway/jobs/auth_job.h"

/* As in the EHLO reply: "PLAIN LOGIN". */
extern const char sasl_mechanisms[];

/* The library's context for a process. STATUS_INTERNAL: it lacks a mechanism that we offer. */
MUST_USE enum status sasl_library_open(Gsasl **library_out, struct error *err);
void sasl_library_close(Gsasl *library);

struct sasl; /* one exchange */

/* STATUS_INVALID: MECHANISM is none that we offer. */
MUST_USE enum status sasl_start(Gsasl *library, struct span mechanism, struct sasl **sasl_out,
                                struct error *err);

/* Wipes the credentials. NULL is fine. */
void sasl_free(struct sasl *sasl);

enum sasl_result {
    SASL_CHALLENGE,   /* send *challenge_out (base64), then go on with sasl_step */
    SASL_CREDENTIALS, /* done: sasl_credentials */
    SASL_MALFORMED,   /* not base64, or not what the mechanism wants: 501 5.5.2 */
    SASL_REFUSED,     /* no such login is possible, whoever the user is: 535 5.7.8 */
    SASL_FAILED,      /* out of memory: 454 4.7.0 */
};

/* The initial response of the AUTH command; NULL: none. "=" is an empty one (RFC 4954 §4). */
enum sasl_result sasl_begin(struct sasl *sasl, const struct span *initial, struct buf *challenge_out);

/* The client's next response, in base64. */
enum sasl_result sasl_step(struct sasl *sasl, struct span response, struct buf *challenge_out);

/* After SASL_CREDENTIALS: copies user and password into CHECK (wipe it with auth_check_wipe). */
void sasl_credentials(const struct sasl *sasl, struct auth_check *check);

#endif
