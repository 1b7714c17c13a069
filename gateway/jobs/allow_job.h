/*
 * submission → auth: may this user or relay client send one more message to so many recipients? And: who
 * still tries without TLS. auth counts for all submission processes; the counts survive a restart.
 */
#ifndef SEALGATE_JOBS_ALLOW_JOB_H
#define SEALGATE_JOBS_ALLOW_JOB_H

#include "base/pack.h"

enum { ALLOW_ASK = 30, ALLOW_RESULT, CLEAR_TRIED };

enum allow_what {
    ALLOW_MESSAGE = 1, /* asked at MAIL: counts a message when allowed */
    ALLOW_RECIPIENT,   /* asked at RCPT: counts a recipient when allowed */
};

struct allow_ask {
    enum allow_what what;
    char *user;   /* authenticated; NULL for a relay client */
    char *client; /* name of the relay client; NULL for a user */
    char *client_address;
};

struct allow_result {
    bool allowed;
    char text[200]; /* not allowed, for the client: "250 messages in 1h are the limit for alice@example.org:
                       try again in 12 minutes", printable ASCII: 450 4.7.1 */
};

/* A client tried AUTH or MAIL before TLS; no reply. */
struct clear_tried {
    char *client_address;
    char *verb;
    char *helo; /* NULL: none given */
};

void allow_ask_pack(struct buf *b, const struct allow_ask *ask);
MUST_USE enum status allow_ask_unpack(struct span bytes, struct allow_ask *ask_out, struct error *err);
void allow_ask_free(struct allow_ask *ask);
void allow_result_pack(struct buf *b, const struct allow_result *result);
/* On failure RESULT_OUT is not allowed, with a text to try later. */
MUST_USE enum status allow_result_unpack(struct span bytes, struct allow_result *result_out,
                                         struct error *err);
void clear_tried_pack(struct buf *b, const struct clear_tried *tried);
MUST_USE enum status clear_tried_unpack(struct span bytes, struct clear_tried *tried_out, struct error *err);
void clear_tried_free(struct clear_tried *tried);

#endif
