/*
 * submission → auth: one SASL exchange (RFC 4422), step by step. auth holds the exchange, submission only
 * carries its responses and challenges, decoded from base64. An exchange ends with any verdict but
 * SASL_GO_ON, with SASL_ABORT, when a step is late, or when auth starts anew (then SASL_LATER).
 */
#ifndef SEALGATE_JOBS_SASL_JOB_H
#define SEALGATE_JOBS_SASL_JOB_H

#include "base/pack.h"

/* SASL_START and SASL_STEP are answered by SASL_RESULT; SASL_ABORT has no reply: its reply pair is closed. */
enum { SASL_START = 24, SASL_STEP, SASL_ABORT, SASL_RESULT };

#define SASL_USER_MAX 256
#define SASL_RESPONSE_MAX 9216 /* bytes; what a line of 12288 can hold in base64 */
#define SASL_SEND_AS_MAX 1000  /* patterns */

struct sasl_start {
    char mechanism[32]; /* as the client wrote it */
    char *client_address;
    char *listener;
    unsigned char exporter[32]; /* RFC 9266 */
    bool has_exporter;
    /* Of a client certificate that was verified against client-ca; "" and NULL: none. */
    char certificate_sha256[65]; /* lower-case hex of the DER */
    char *certificate_subject;   /* RFC 2253 */
    bool has_initial;            /* an initial response came with AUTH; may be empty ("=") */
    struct buf initial;
};

struct sasl_step {
    uint64_t exchange;
    struct buf response;
};

enum sasl_verdict {
    SASL_GO_ON = 1, /* 334: send the challenge, then SASL_STEP */
    SASL_OK,        /* 235 */
    SASL_WRONG,     /* 535 5.7.8: no such user and wrong password look alike (A19) */
    SASL_MALFORMED, /* 501 5.5.2 */
    SASL_UNKNOWN,   /* 504 5.5.4: no such mechanism here, or it has no channel binding */
    SASL_BLOCKED,   /* 454 4.7.0 with the text: too many failures from there or for that user (A20) */
    SASL_LATER,     /* 454 4.7.0: the backend is unreachable, never 535 */
};

struct sasl_result {
    enum sasl_verdict verdict;
    uint64_t exchange;        /* SASL_GO_ON */
    struct buf challenge;     /* SASL_GO_ON; for SASL_OK the additional data (RFC 4954 §4), may be empty */
    char user[SASL_USER_MAX]; /* SASL_OK: as the backend writes it; else as claimed, for the log */
    char **send_as;           /* SASL_OK: patterns of addresses that are the user's (policy/sender.h) */
    size_t n_send_as;
    char text[200]; /* SASL_BLOCKED: for the client, printable ASCII; SASL_LATER: for the log */
};

void sasl_start_pack(struct buf *b, const struct sasl_start *start);
MUST_USE enum status sasl_start_unpack(struct span bytes, struct sasl_start *start_out, struct error *err);
void sasl_start_free(struct sasl_start *start); /* wipes */
void sasl_step_pack(struct buf *b, const struct sasl_step *step);
MUST_USE enum status sasl_step_unpack(struct span bytes, struct sasl_step *step_out, struct error *err);
void sasl_step_free(struct sasl_step *step); /* wipes */
/* The body of SASL_ABORT. */
void sasl_abort_pack(struct buf *b, uint64_t exchange);
MUST_USE enum status sasl_abort_unpack(struct span bytes, uint64_t *exchange_out, struct error *err);
void sasl_result_pack(struct buf *b, const struct sasl_result *result);
/* On failure RESULT_OUT is SASL_LATER: nobody reads "right" out of a damaged reply. */
MUST_USE enum status sasl_result_unpack(struct span bytes, struct sasl_result *result_out, struct error *err);
void sasl_result_free(struct sasl_result *result); /* wipes */

#endif
