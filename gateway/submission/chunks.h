/*
 * A message that comes in chunks (BDAT, RFC 3030). The bytes of a chunk follow its command line whatever the
 * reply will be: those of a refused one are swallowed before the refusal, so that no byte of a message is
 * ever read as a command (A1).
 */
#ifndef SEALGATE_SUBMISSION_CHUNKS_H
#define SEALGATE_SUBMISSION_CHUNKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "gateway/submission/replies.h"

struct session;

struct chunks {
    bool begun; /* a chunk came in this transaction: until its end there is no DATA and no RCPT */
    bool lost;  /* an earlier chunk failed, and with it the message: each one is answered with WHY */
    enum reply_id why;
    /* The chunk in hand. */
    uint64_t left;  /* bytes still to come */
    bool last;      /* BDAT … LAST */
    bool refused;   /* its bytes are swallowed; the answer is REFUSAL */
    bool too_large; /* larger than what is swallowed: the session ends with it */
    enum reply_id refusal;
};

/* BDAT with ARGS came. REFUSAL non-NULL: the state of the session does not allow it. Answers once the chunk
 * is there, which may be now. */
void chunk_begin(struct session *s, struct span args, const enum reply_id *refusal);

/* Takes a piece of the chunk in hand. False: no input left. */
bool chunk_take(struct session *s);

#endif
