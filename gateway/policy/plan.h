/*
 * The plan of copies: who shares a sealed copy (promise 7). Recipients named in To/Cc that share a format
 * share a copy, if the rules treat it alike; each Bcc recipient has a copy of their own; held and bounced
 * recipients have a copy each.
 */
#ifndef SEALGATE_POLICY_PLAN_H
#define SEALGATE_POLICY_PLAN_H

#include "gateway/policy/policy.h"

struct plan_recipient {
    const char *address;
    bool named; /* in To or Cc */
    struct policy_decision decision;
};

struct plan_copy {
    enum policy_action action;      /* ACTION_SEAL, ACTION_CLEAR, ACTION_HOLD or ACTION_BOUNCE */
    const struct policy_rule *rule; /* that of its first recipient: how the copy is made */
    enum certificate_format format; /* for ACTION_SEAL and ACTION_PASS */
    bool gcm;           /* for ACTION_SEAL with S/MIME: all of its recipients are to get AES-256-GCM */
    size_t *recipients; /* indices into the plan's recipients; owned */
    size_t n_recipients;
};

struct plan {
    struct plan_copy *copies; /* owned */
    size_t n_copies;
};

/*
 * Every recipient ends up in exactly one copy. Not to be called when any decision is ACTION_REFUSE or
 * ACTION_DEFER (STATUS_INTERNAL).
 */
MUST_USE enum status plan_make(const struct plan_recipient *recipients, size_t n, struct plan *plan_out,
                               struct error *err);
void plan_free(struct plan *plan);

#endif
