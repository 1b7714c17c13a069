/*
 * Rates of users and relay clients (450 4.7.1): auth counts for all submission processes, so that it is asked
 * before a message or recipient is accepted. Nothing passes uncounted: when auth cannot be asked the answer
 * is 451.
 */
#ifndef SEALGATE_SUBMISSION_ALLOWANCE_H
#define SEALGATE_SUBMISSION_ALLOWANCE_H

#include "gateway/jobs/allow_job.h"

struct session;

struct allowance {
    enum allow_what what;
    const char *verb;                   /* that asks: "MAIL", "RCPT" */
    void (*allowed)(struct session *s); /* answers the verb */
    void (*refused)(struct session *s); /* it was answered: puts right what the verb had begun */
};

/* Calls one of the two, at once where no rate applies to the sender, else from the loop. ALLOWANCE is static.
 * When this returns and s->call is set, the verb goes on later. */
void allowance_ask(struct session *s, const struct allowance *allowance);

#endif
