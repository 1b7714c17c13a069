#include <stdio.h>

#include "gateway/policy/policy.h"

static const enum certificate_format openpgp_first[] = {CERTIFICATE_OPENPGP, CERTIFICATE_SMIME};
static const enum certificate_format smime_first[] = {CERTIFICATE_SMIME, CERTIFICATE_OPENPGP};

struct formats {
    const enum certificate_format *items;
    size_t n;
};

/* ---- in which format ---- */

static int64_t last_worked(const struct certificate_list *list, enum certificate_format format)
{
    int64_t last = 0;
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].format == format && list->items[i].usable && list->items[i].worked_ms > last)
            last = list->items[i].worked_ms;
    return last;
}

static enum certificate_format first_choice(const struct certificate_list *list)
{
    if (list->preferred)
        return list->preferred;
    bool smime = last_worked(list, CERTIFICATE_SMIME) > last_worked(list, CERTIFICATE_OPENPGP);
    return smime ? CERTIFICATE_SMIME : CERTIFICATE_OPENPGP;
}

/* A rule that names no format is taken to allow all: to allow none could turn into clear text. */
static struct formats formats_of(const struct policy_rule *rule, const struct certificate_list *list)
{
    if (rule->n_formats > 0)
        return (struct formats){rule->formats, rule->n_formats};
    return (struct formats){first_choice(list) == CERTIFICATE_SMIME ? smime_first : openpgp_first, 2};
}

/* ---- which certificate ---- */

static const struct certificate *find(const struct certificate_list *list, enum certificate_format format,
                                      bool usable, bool for_domain)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct certificate *c = &list->items[i];
        if (c->format == format && c->usable == usable && c->for_domain == for_domain)
            return c;
    }
    return NULL;
}

static const struct certificate *find_any(const struct certificate_list *list, enum certificate_format format,
                                          bool usable)
{
    const struct certificate *own = find(list, format, usable, false);
    return own ? own : find(list, format, usable, true);
}

const struct certificate *policy_certificate(const struct certificate_list *list,
                                             enum certificate_format format)
{
    return find_any(list, format, true);
}

static const struct certificate *find_unfit(const struct certificate_list *list, struct formats formats)
{
    for (size_t i = 0; i < formats.n; i++) {
        const struct certificate *found = find_any(list, formats.items[i], false);
        if (found)
            return found;
    }
    return NULL;
}

/* The first archive without a usable certificate in FORMAT, or NULL. */
static const struct policy_known *find_missing(const struct policy_known *archives, size_t n,
                                               enum certificate_format format)
{
    for (size_t i = 0; i < n; i++)
        if (archives[i].state != LOOKUP_DONE || !archives[i].list ||
            !policy_certificate(archives[i].list, format))
            return &archives[i];
    return NULL;
}

/* ---- the decision ---- */

static void say(struct policy_decision *decision, const char *why)
{
    snprintf(decision->reason, sizeof decision->reason, "%s", why);
}

static void say_why_missing(struct policy_decision *decision, const struct certificate_list *list,
                            struct formats formats)
{
    const struct certificate *unfit = find_unfit(list, formats);
    if (unfit)
        say(decision, unfit->reason[0] != '\0' ? unfit->reason : "not usable");
    else if (list->n > 0)
        say(decision, "found only in a format that the rule does not allow");
    else
        say(decision, "none found");
}

static void say_archive(struct policy_decision *decision, const struct policy_known *archive)
{
    snprintf(decision->reason, sizeof decision->reason,
             archive->state == LOOKUP_DONE ? "the archive <%.100s> has no usable certificate in that format"
                                           : "lookup failed for the archive <%.100s>",
             archive->address);
}

static enum policy_action action_of(enum policy_missing missing)
{
    switch (missing) {
    case MISSING_HOLD:
        return ACTION_HOLD;
    case MISSING_REFUSE:
        return ACTION_REFUSE;
    case MISSING_BOUNCE:
        return ACTION_BOUNCE;
    }
    return ACTION_DEFER;
}

/* True when it is decided: somebody's certificate is there, of the person or of the domain. */
static bool seal(const struct certificate_list *list, struct formats formats,
                 const struct policy_known *archives, size_t n_archives, struct policy_decision *decision)
{
    const struct policy_known *missing = NULL;
    for (int domain = 0; domain <= 1; domain++) {
        for (size_t i = 0; i < formats.n; i++) {
            const struct certificate *c = find(list, formats.items[i], true, domain == 1);
            const struct policy_known *without = find_missing(archives, n_archives, formats.items[i]);
            if (c && !without) {
                decision->action = ACTION_SEAL;
                decision->certificate = c;
                return true;
            }
            if (c && !missing)
                missing = without;
        }
    }
    if (!missing)
        return false;
    say_archive(decision, missing);
    decision->action =
        missing->state == LOOKUP_DONE ? action_of(decision->rule->on_missing_key) : ACTION_DEFER;
    return true;
}

void policy_decide_archived(const struct policy_rule *rule, enum lookup_state state,
                            const struct certificate_list *list, const struct policy_known *archives,
                            size_t n_archives, struct policy_decision *decision_out)
{
    /* Whatever is not decided below is deferred, never sent. */
    *decision_out = (struct policy_decision){.action = ACTION_DEFER, .rule = rule};
    if (rule && rule->protect == PROTECT_NEVER) {
        decision_out->action = ACTION_CLEAR;
        say(decision_out, "rule says never");
        return;
    }
    if (!rule || state != LOOKUP_DONE || !list) {
        say(decision_out, rule ? "lookup failed" : "no rule decided yet");
        return;
    }
    struct formats formats = formats_of(rule, list);
    if (seal(list, formats, archives, n_archives, decision_out))
        return;
    say_why_missing(decision_out, list, formats);
    if (rule->protect == PROTECT_PREFER)
        decision_out->action = ACTION_CLEAR;
    else if (rule->protect == PROTECT_REQUIRE)
        decision_out->action = action_of(rule->on_missing_key);
}

void policy_decide(const struct policy_rule *rule, enum lookup_state state,
                   const struct certificate_list *list, struct policy_decision *decision_out)
{
    policy_decide_archived(rule, state, list, NULL, 0, decision_out);
}
