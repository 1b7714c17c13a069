/*
 * submission → seal: a message with its envelope (descriptor 0: the message, a sealed memory file without
 * trace fields). The last holder of the request answers: seal when it refuses or cannot seal, queue once the
 * commit is on disk.
 */
#ifndef SEALGATE_JOBS_SUBMIT_JOB_H
#define SEALGATE_JOBS_SUBMIT_JOB_H

#include "base/pack.h"
#include "gateway/message/envelope.h"

enum { SUBMIT_MESSAGE = 16, SUBMIT_REPLY = 17 };

/* submission's table maps each to an SMTP code and an enhanced status code. */
enum submit_outcome {
    SUBMIT_QUEUED = 1,       /* 250 2.0.0 */
    SUBMIT_REFUSED_POLICY,   /* 550 5.7.1 */
    SUBMIT_REFUSED_CONTENT,  /* 554 5.6.0 */
    SUBMIT_REFUSED_SMTPUTF8, /* 550 5.6.7 */
    SUBMIT_REFUSED_LOOP,     /* 554 5.4.6 */
    SUBMIT_TOO_BIG,          /* 552 5.3.4 */
    SUBMIT_LATER,            /* 451 4.3.0 */
    SUBMIT_LATER_LOOKUP,     /* 451 4.4.3 */
    SUBMIT_LATER_DISK,       /* 452 4.3.1 */
    SUBMIT_LATER_SIGNING,    /* 451 4.7.5 */
};

struct submit_reply {
    enum submit_outcome outcome;
    char rule[128]; /* SUBMIT_REFUSED_POLICY: the rule that refused, and for whom; else "" */
    char recipient[321];
    char text[400]; /* printable ASCII for the client, without codes: "ID queued, sealed for 2 of 3
                       recipients" */
};

/* The request's body is a packed envelope (envelope_pack). */
void submit_reply_pack(struct buf *b, const struct submit_reply *reply);
MUST_USE enum status submit_reply_unpack(struct span bytes, struct submit_reply *reply_out,
                                         struct error *err);

#endif
