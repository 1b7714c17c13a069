#include <stdio.h>

#include "gateway/policy/policy.h"

static const enum certificate_format all_formats[] = {CERTIFICATE_OPENPGP, CERTIFICATE_SMIME};

struct formats {
    const enum certificate_format *items;
    size_t n;
};

/* A rule that names no format is taken to allow all: to allow none could turn into clear text. */
static struct formats formats_of(const struct policy_rule *rule)
{
    if (rule->n_formats == 0)
        return (struct formats){all_formats, sizeof all_formats / sizeof all_formats[0]};
    return (struct formats){rule->formats, rule->n_formats};
}

static const struct certificate *find(const struct certificate_list *list, enum certificate_format format,
                                      bool usable)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->items[i].format == format && list->items[i].usable == usable)
            return &list->items[i];
    }
    return NULL;
}

static const struct certificate *find_in(const struct certificate_list *list, struct formats formats,
                                         bool usable)
{
    for (size_t i = 0; i < formats.n; i++) {
        const struct certificate *found = find(list, formats.items[i], usable);
        if (found)
            return found;
    }
    return NULL;
}

static void say(struct policy_decision *decision, const char *why)
{
    snprintf(decision->reason, sizeof decision->reason, "%s", why);
}

static void say_why_missing(struct policy_decision *decision, const struct certificate_list *list,
                            struct formats formats)
{
    const struct certificate *unfit = find_in(list, formats, false);
    if (unfit)
        say(decision, unfit->reason[0] != '\0' ? unfit->reason : "not usable");
    else if (list->n > 0)
        say(decision, "found only in a format that the rule does not allow");
    else
        say(decision, "none found");
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

void policy_decide(const struct policy_rule *rule, enum lookup_state state,
                   const struct certificate_list *list, struct policy_decision *decision_out)
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
    struct formats formats = formats_of(rule);
    decision_out->certificate = find_in(list, formats, true);
    if (decision_out->certificate) {
        decision_out->action = ACTION_SEAL;
        return;
    }
    say_why_missing(decision_out, list, formats);
    if (rule->protect == PROTECT_PREFER)
        decision_out->action = ACTION_CLEAR;
    else if (rule->protect == PROTECT_REQUIRE)
        decision_out->action = action_of(rule->on_missing_key);
}
