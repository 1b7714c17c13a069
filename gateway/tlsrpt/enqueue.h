/* A message of our own into the queue, as seal puts the users' there: on disk under the spool key before
 * DONE. */
#ifndef SEALGATE_TLSRPT_ENQUEUE_H
#define SEALGATE_TLSRPT_ENQUEUE_H

#include "base/call.h"
#include "base/id.h"
#include "gateway/message/spool.h"

struct enqueue_settings {
    struct event_base *base;
    int queue_service; /* client end: QUEUE_STORE */
    const struct spool_key *spool_key;
};

struct own_mail {
    char id[ID_SIZE];         /* queue id */
    const char *reverse_path; /* "" for <> */
    const char *to;
    const char *rule;     /* what the audit trail says in place of a rule */
    bool tls_optional;    /* MESSAGE has TLS-Required: No */
    struct spans message; /* CRLF lines, 7bit; nothing of a user's may be in it: it leaves unsealed */
};

/* The reply is a SUBMIT_REPLY: see enqueue_result. DONE as call_start has it. NULL: err. */
struct call *enqueue_start(const struct enqueue_settings *settings, const struct own_mail *mail,
                           call_done_fn *done, void *arg, struct error *err);
/* What DONE was told: STATUS_OK when the message is queued. */
MUST_USE enum status enqueue_result(enum status status, struct ipc_msg *reply, const struct error *why,
                                    struct error *err);

#endif
