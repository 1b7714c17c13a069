#include <string.h>

#include "gateway/policy/policy.h"

static bool same_strings(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
    if (n_a != n_b)
        return false;
    for (size_t i = 0; i < n_a; i++)
        if (strcmp(a[i], b[i]) != 0)
            return false;
    return true;
}

bool policy_same_treatment(const struct policy_rule *a, const struct policy_rule *b)
{
    const struct policy_treatment *x = &a->treatment, *y = &b->treatment;
    if (a == b)
        return true;
    if (x->tls != TLS_LEVEL_NONE || y->tls != TLS_LEVEL_NONE)
        return false;
    if (x->strip_subject_tag != y->strip_subject_tag ||
        (x->strip_subject_tag && !same_strings(a->subjects, a->n_subjects, b->subjects, b->n_subjects)))
        return false;
    return x->headers == y->headers && x->legacy_display == y->legacy_display && x->sign == y->sign &&
           x->inline_pgp == y->inline_pgp && x->cipher == y->cipher && x->transport == y->transport &&
           x->encrypt_to_self == y->encrypt_to_self &&
           same_strings(x->archive, x->n_archive, y->archive, y->n_archive);
}

struct policy_rule policy_notice_rule(const struct policy_settings *settings, enum policy_protect protect)
{
    struct policy_rule rule = {.name = "notice-protect", .protect = protect, .on_missing_key = MISSING_HOLD};
    if (settings->n_rules == 0)
        return rule;
    const struct policy_treatment *from = &settings->rules[settings->n_rules - 1].treatment;
    rule.treatment = (struct policy_treatment){.headers = from->headers,
                                               .legacy_display = from->legacy_display,
                                               .sign = SIGN_NEVER,
                                               .cipher = from->cipher,
                                               .transport = from->transport};
    return rule;
}
