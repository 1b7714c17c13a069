/*
 * One exchange in hand, shared by exchange.c (its way) and verify.c (its last step).
 *
 *     waiting ── step ──▶ (challenge) ──▶ waiting
 *        │                    └─ the deciding step ─▶ held back ─▶ checked ─▶ answered, gone
 *        └── late, or aborted ──▶ gone
 *
 * An exchange that waits for its client has no request; else it answers it, also when nobody listens any
 * more, so that a guess counts whether or not the guesser waits (A20).
 */
#ifndef SEALGATE_AUTH_EXCHANGE_H
#define SEALGATE_AUTH_EXCHANGE_H

#include "gateway/auth/mechanism.h"
#include "gateway/auth/role.h"
#include "gateway/jobs/sasl_job.h"

struct event;

struct exchange {
    struct table_entry entry; /* first: table.h */
    struct auth_role *role;
    struct mechanism *mechanism;
    enum sasl_mechanism kind;
    struct sasl_start start; /* what the connection is; its initial response is used up */
    int64_t until;           /* monotonic ms */
    struct event *timer;     /* waiting: too late; held back: now check */
    struct request *request; /* being answered; NULL: waits for the client */
    struct buf response;     /* the one that proves, held back */
    enum mechanism_step
        step;          /* the result that is held back, when there is no such response, or an empty one */
    bool attempt;      /* the guard counts it as one in hand */
    struct call *call; /* to passwords */
};

/* The deciding step is there: held back as the guard says, checked, answered. */
void verify_begin(struct exchange *x);
/* The time for which it was held back is over. */
void verify_go_on(struct exchange *x);

/* Answers the request and ends the exchange, which is gone then. */
void exchange_end(struct exchange *x, const struct sasl_result *result);
/* The same with VERDICT alone, and WHY for the log (SASL_LATER) or the client (SASL_BLOCKED); may be NULL. */
void exchange_end_with(struct exchange *x, enum sasl_verdict verdict, const char *why);
/* What a step that ends an exchange without credentials or proof means. */
enum sasl_verdict exchange_verdict(enum mechanism_step step);

#endif
