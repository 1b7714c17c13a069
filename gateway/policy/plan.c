#include "gateway/policy/plan.h"

#include <stdlib.h>

static enum certificate_format format_of(const struct plan_recipient *r)
{
    bool sealed = r->decision.action == ACTION_SEAL || r->decision.action == ACTION_PASS;
    return sealed ? r->decision.certificate->format : 0;
}

/* AuthEnvelopedData, which many mail programs cannot read: only by rule, or for who is known to. */
static bool wants_gcm(const struct plan_recipient *r)
{
    if (r->decision.action != ACTION_SEAL || format_of(r) != CERTIFICATE_SMIME)
        return false;
    enum policy_cipher cipher = r->decision.rule ? r->decision.rule->treatment.cipher : CIPHER_AUTO;
    return cipher == CIPHER_GCM ||
           (cipher == CIPHER_AUTO && (r->decision.certificate->capabilities & CAPABILITY_AES256_GCM));
}

static bool same_treatment(const struct plan_copy *copy, const struct plan_recipient *r)
{
    if (copy->rule == r->decision.rule)
        return true;
    return copy->rule && r->decision.rule && policy_same_treatment(copy->rule, r->decision.rule);
}

/* A decision that a plan can carry out. */
static enum status check_decision(const struct plan_recipient *r, struct error *err)
{
    switch (r->decision.action) {
    case ACTION_CLEAR:
    case ACTION_HOLD:
    case ACTION_BOUNCE:
        return STATUS_OK;
    case ACTION_SEAL:
    case ACTION_PASS:
        if (r->decision.certificate)
            return STATUS_OK;
        return error_set(err, STATUS_INTERNAL, "plan: <%s> is to be sealed for without a certificate",
                         r->address);
    case ACTION_REFUSE:
    case ACTION_DEFER:
        break;
    }
    return error_set(err, STATUS_INTERNAL, "plan: <%s> was refused or deferred, so nothing may be planned",
                     r->address);
}

/* Only who stands in To or Cc anyway may be seen in another's copy; held and bounced ones go on alone. */
static bool may_share(const struct plan_recipient *r)
{
    return r->named && (r->decision.action == ACTION_SEAL || r->decision.action == ACTION_CLEAR ||
                        r->decision.action == ACTION_PASS);
}

/* The copy that R may join: its first recipient is one that shares, too. NULL: none yet. */
static struct plan_copy *find_shared(struct plan *plan, const struct plan_recipient *recipients,
                                     const struct plan_recipient *r)
{
    for (size_t i = 0; i < plan->n_copies; i++) {
        struct plan_copy *copy = &plan->copies[i];
        if (copy->action == r->decision.action && copy->format == format_of(r) && copy->gcm == wants_gcm(r) &&
            same_treatment(copy, r) && may_share(&recipients[copy->recipients[0]]))
            return copy;
    }
    return NULL;
}

static bool add_copy(struct plan *plan, const struct plan_recipient *r, size_t room)
{
    struct plan_copy *copy = &plan->copies[plan->n_copies];
    *copy = (struct plan_copy){
        .action = r->decision.action, .rule = r->decision.rule, .format = format_of(r), .gcm = wants_gcm(r)};
    copy->recipients = calloc(room, sizeof *copy->recipients);
    if (!copy->recipients)
        return false;
    plan->n_copies++;
    return true;
}

static bool place(struct plan *plan, const struct plan_recipient *recipients, size_t n, size_t index)
{
    const struct plan_recipient *r = &recipients[index];
    struct plan_copy *copy = may_share(r) ? find_shared(plan, recipients, r) : NULL;
    if (!copy) {
        if (!add_copy(plan, r, may_share(r) ? n - index : 1))
            return false;
        copy = &plan->copies[plan->n_copies - 1];
    }
    copy->recipients[copy->n_recipients++] = index;
    return true;
}

enum status plan_make(const struct plan_recipient *recipients, size_t n, struct plan *plan_out,
                      struct error *err)
{
    *plan_out = (struct plan){0};
    for (size_t i = 0; i < n; i++) {
        enum status status = check_decision(&recipients[i], err);
        if (status != STATUS_OK)
            return status;
    }
    if (n == 0)
        return STATUS_OK;
    plan_out->copies = calloc(n, sizeof *plan_out->copies);
    bool ok = plan_out->copies != NULL;
    for (size_t i = 0; i < n && ok; i++)
        ok = place(plan_out, recipients, n, i);
    if (ok)
        return STATUS_OK;
    plan_free(plan_out);
    return error_set(err, STATUS_TEMPORARY, "plan: out of memory for %zu recipients", n);
}

void plan_free(struct plan *plan)
{
    for (size_t i = 0; i < plan->n_copies; i++)
        free(plan->copies[i].recipients);
    free(plan->copies);
    *plan = (struct plan){0};
}
