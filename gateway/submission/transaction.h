/* A mail transaction: from MAIL to the reply after the end of data (RFC 5321 §3.3). */
#ifndef SEALGATE_SUBMISSION_TRANSACTION_H
#define SEALGATE_SUBMISSION_TRANSACTION_H

#include <stdbool.h>

#include "base/span.h"
#include "gateway/message/envelope.h"
#include "gateway/wire/param.h"

struct transaction {
    bool open;
    struct envelope envelope; /* its id names the message in every log line from MAIL on */
};

/* What the session knows of its client; strings stay the caller's. */
struct transaction_client {
    const char *user;  /* "" for a relay client */
    const char *relay; /* name of the relay client; "" for a user */
    const char *listener, *address, *helo, *tls_version, *tls_cipher;
    bool plain_smtp;      /* it said HELO */
    char *const *send_as; /* never absent: none means that nobody may be named */
    size_t n_send_as;
};

/* Opens it with a fresh id. STATUS_TEMPORARY: out of memory; it stays closed. */
MUST_USE enum status transaction_begin(struct transaction *transaction, struct span reverse_path,
                                       const struct transaction_client *client,
                                       const struct mail_params *params, struct error *err);

/*
 * Adds a recipient, whose strings go over to the transaction in any case (RECIPIENT is then empty). The same
 * address twice is one recipient, and what the last RCPT said of NOTIFY and ORCPT counts. STATUS_LIMIT:
 * ENVELOPE_RECIPIENTS_MAX.
 */
MUST_USE enum status transaction_add_recipient(struct transaction *transaction,
                                               struct envelope_recipient *recipient, struct error *err);

/* Forgets everything (RSET, EHLO, STARTTLS, or its end). */
void transaction_reset(struct transaction *transaction);

#endif
