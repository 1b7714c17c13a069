#include "gateway/policy/policy.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/message/decode.h"
#include "gateway/policy/pattern.h"

/* What a condition says: UNKNOWN until the content is there. */
enum answer { NO, UNKNOWN, YES };

/* When the settings have no default rule for it, a message is at least not sent clear. */
static const struct policy_rule no_rule = {.name = "no rule matches",
                                           .protect = PROTECT_REQUIRE,
                                           .on_missing_key = MISSING_REFUSE,
                                           .formats = {CERTIFICATE_OPENPGP, CERTIFICATE_SMIME},
                                           .n_formats = 2};

static bool any_pattern(const char *const *patterns, size_t n, const char *value)
{
    for (size_t i = 0; i < n; i++) {
        if (pattern_matches(patterns[i], value))
            return true;
    }
    return false;
}

static enum answer ask_name(const char *const *patterns, size_t n, const char *value)
{
    if (n == 0)
        return YES;
    return any_pattern(patterns, n, value) ? YES : NO;
}

/* A From address can still make it match once the content is known, never unmake it. */
static enum answer ask_sender(const struct policy_rule *rule, const struct policy_facts *facts)
{
    if (rule->n_senders == 0 || any_pattern(rule->senders, rule->n_senders, facts->reverse_path))
        return YES;
    if (!facts->content_known)
        return UNKNOWN;
    for (size_t i = 0; i < facts->n_from; i++) {
        if (any_pattern(rule->senders, rule->n_senders, facts->from[i]))
            return YES;
    }
    return NO;
}

static enum answer ask_listener(const struct policy_rule *rule, const struct policy_facts *facts)
{
    if (rule->n_listeners == 0)
        return YES;
    for (size_t i = 0; i < rule->n_listeners; i++) {
        if (facts->listener && strcmp(rule->listeners[i], facts->listener) == 0)
            return YES;
    }
    return NO;
}

/* In doubt, it is meant to be protected. */
static enum text_match match_for(const struct policy_rule *rule)
{
    return rule->protect == PROTECT_REQUIRE ? TEXT_LOOSE : TEXT_STRICT;
}

static enum answer ask_subject(const struct policy_rule *rule, const struct policy_facts *facts)
{
    if (rule->n_subjects == 0)
        return YES;
    if (!facts->content_known)
        return UNKNOWN;
    for (size_t i = 0; i < rule->n_subjects; i++) {
        if (pattern_in_text(rule->subjects[i], facts->subject, match_for(rule)))
            return YES;
    }
    return NO;
}

/* PATTERN: "Name: text", or "Name:" for any such field. */
static bool header_matches(const char *pattern, struct span header, enum text_match match)
{
    size_t name_len = strcspn(pattern, ":");
    struct span name = span_trim(span_of(pattern, name_len));
    const char *text = pattern + name_len;
    text += strspn(text, ": \t");

    struct header_field field;
    while (header_next(&header, &field)) {
        if (field.name.len != name.len || strncasecmp(field.name.p, name.p, name.len) != 0)
            continue;
        char *value = header_decode(field.value);
        bool found = pattern_in_text(text, value, match);
        free(value);
        if (found)
            return true;
    }
    return false;
}

static enum answer ask_headers(const struct policy_rule *rule, const struct policy_facts *facts)
{
    if (rule->n_headers == 0)
        return YES;
    if (!facts->content_known)
        return UNKNOWN;
    for (size_t i = 0; i < rule->n_headers; i++) {
        if (header_matches(rule->headers[i], facts->header, match_for(rule)))
            return YES;
    }
    return NO;
}

static enum answer ask_rule(const struct policy_rule *rule, const struct policy_facts *facts)
{
    const enum answer answers[] = {
        ask_name(rule->recipients, rule->n_recipients, facts->recipient),
        ask_name(rule->users, rule->n_users, facts->user),
        ask_listener(rule, facts),
        ask_name(rule->clients, rule->n_clients, facts->client),
        ask_sender(rule, facts),
        ask_subject(rule, facts),
        ask_headers(rule, facts),
    };
    enum answer least = YES;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        if (answers[i] < least)
            least = answers[i];
    }
    return least;
}

const struct policy_rule *policy_match(const struct policy_settings *settings,
                                       const struct policy_facts *facts)
{
    for (size_t i = 0; i < settings->n_rules; i++) {
        switch (ask_rule(&settings->rules[i], facts)) {
        case YES:
            return &settings->rules[i];
        case UNKNOWN:
            return NULL;
        case NO:
            break;
        }
    }
    return &no_rule;
}
