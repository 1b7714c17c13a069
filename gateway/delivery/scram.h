/*
 * The client side of SCRAM (RFC 5802, RFC 7677) that says it would have bound the login to TLS, had the
 * server offered it: gs2-cbind-flag "y". libgsasl 2.2.0 means to, but then refuses its own first message;
 * everything else of SCRAM is its (login.c).
 */
#ifndef SEALGATE_DELIVERY_SCRAM_H
#define SEALGATE_DELIVERY_SCRAM_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

enum scram_hash {
    SCRAM_SHA_1,
    SCRAM_SHA_256,
};

struct scram;

/* USER and PASSWORD are in UTF-8 and prepared as RFC 5802 §2.2 wants; both must outlive the exchange. NULL
 * (err): out of memory, or what cannot be prepared. */
struct scram *scram_start(enum scram_hash hash, const char *user, const char *password, struct error *err);
void scram_free(struct scram *scram);

/*
 * Appends the answer to CHALLENGE (empty at first) to RESPONSE_OUT. STATUS_DENIED: the challenge is none, or
 * the server's last one does not prove that it knows the password.
 */
MUST_USE enum status scram_step(struct scram *scram, struct span challenge, struct buf *response_out,
                                struct error *err);

/*
 * Does a server's first message ask for a number of iterations that is none, or so large that the process,
 * and all its connections, would stand still? libgsasl counts as far as it is told.
 */
bool scram_asks_too_much(struct span server_first);

/* Has the server proved itself? */
bool scram_is_complete(const struct scram *scram);

#endif
