/* The plan as a property: for any recipients, keys, rules, To, Cc and Bcc, each recipient has one copy, and
 * no copy brings together who must not be (promise 7, A10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/policy/plan.h"

#define ROUNDS 20000
#define RECIPIENTS 24
#define RULES 4

static const char *const archive_a[] = {"archive@example.org"};
static const char *const archive_b[] = {"archive@example.org", "second@example.org"};
static const char *const tags[] = {"[confidential]"};

/* A generator of our own, so that a failure can be had again from its seed. */
static unsigned next(unsigned *state, unsigned below)
{
    *state = *state * 1103515245u + 12345u;
    return (*state >> 16) % below;
}

static struct policy_rule random_rule(unsigned *r)
{
    struct policy_rule rule = {.name = "random",
                               .subjects = tags,
                               .n_subjects = next(r, 2),
                               .treatment = {.headers = next(r, 4),
                                             .legacy_display = next(r, 2),
                                             .sign = next(r, 3),
                                             .inline_pgp = next(r, 2),
                                             .cipher = next(r, 3),
                                             .transport = next(r, 3),
                                             .encrypt_to_self = next(r, 2),
                                             .strip_subject_tag = next(r, 2)}};
    size_t n = next(r, 3);
    rule.treatment.archive = n == 1 ? archive_a : archive_b;
    rule.treatment.n_archive = n;
    return rule;
}

static const struct certificate certificates[] = {
    {.format = CERTIFICATE_OPENPGP, .usable = true},
    {.format = CERTIFICATE_SMIME, .usable = true},
    {.format = CERTIFICATE_SMIME, .usable = true, .capabilities = CAPABILITY_AES256_GCM},
    {.format = CERTIFICATE_SMIME, .usable = true, .capabilities = CAPABILITY_RSA_OAEP},
};

static struct plan_recipient random_recipient(unsigned *r, const struct policy_rule *rules)
{
    static const enum policy_action actions[] = {ACTION_SEAL,  ACTION_SEAL, ACTION_SEAL,   ACTION_CLEAR,
                                                 ACTION_CLEAR, ACTION_HOLD, ACTION_BOUNCE, ACTION_PASS};
    struct plan_recipient recipient = {.address = "r@example.com", .named = next(r, 3) > 0};
    recipient.decision.action = actions[next(r, sizeof actions / sizeof *actions)];
    recipient.decision.rule = &rules[next(r, RULES)];
    if (recipient.decision.action == ACTION_SEAL || recipient.decision.action == ACTION_PASS)
        recipient.decision.certificate = &certificates[next(r, sizeof certificates / sizeof *certificates)];
    return recipient;
}

static bool expects_gcm(const struct plan_recipient *r)
{
    const struct policy_decision *d = &r->decision;
    if (d->action != ACTION_SEAL || d->certificate->format != CERTIFICATE_SMIME)
        return false;
    enum policy_cipher cipher = d->rule->treatment.cipher;
    return cipher == CIPHER_GCM ||
           (cipher == CIPHER_AUTO && (d->certificate->capabilities & CAPABILITY_AES256_GCM) != 0);
}

static bool may_be_together(const struct plan_recipient *a, const struct plan_recipient *b)
{
    const struct policy_decision *x = &a->decision, *y = &b->decision;
    if (!a->named || !b->named || x->action != y->action)
        return false;
    if (x->action == ACTION_HOLD || x->action == ACTION_BOUNCE)
        return false;
    if ((x->certificate ? x->certificate->format : 0) != (y->certificate ? y->certificate->format : 0))
        return false;
    return policy_same_treatment(x->rule, y->rule) && expects_gcm(a) == expects_gcm(b);
}

static void check_copy(const struct plan_copy *copy, const struct plan_recipient *recipients, unsigned seed)
{
    if (copy->n_recipients == 0)
        fail_msg("seed %u: a copy for nobody", seed);
    for (size_t i = 0; i < copy->n_recipients; i++) {
        const struct plan_recipient *one = &recipients[copy->recipients[i]];
        if (copy->action != one->decision.action || copy->gcm != expects_gcm(one) ||
            !policy_same_treatment(copy->rule, one->decision.rule))
            fail_msg("seed %u: recipient %zu is in a copy of another kind", seed, copy->recipients[i]);
        if (one->decision.certificate && copy->format != one->decision.certificate->format)
            fail_msg("seed %u: recipient %zu is in a copy of another format", seed, copy->recipients[i]);
        for (size_t k = i + 1; k < copy->n_recipients; k++)
            if (!may_be_together(one, &recipients[copy->recipients[k]]))
                fail_msg("seed %u: recipients %zu and %zu share a copy", seed, copy->recipients[i],
                         copy->recipients[k]);
    }
}

static void everybody_has_one_copy_and_only_the_named_share(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < ROUNDS; seed++) {
        unsigned r = seed;
        struct policy_rule rules[RULES];
        struct plan_recipient recipients[RECIPIENTS];
        size_t seen[RECIPIENTS] = {0}, n = next(&r, RECIPIENTS + 1);
        struct plan plan;
        for (size_t i = 0; i < RULES; i++)
            rules[i] = random_rule(&r);
        for (size_t i = 0; i < n; i++)
            recipients[i] = random_recipient(&r, rules);
        assert_int_equal(plan_make(recipients, n, &plan, NULL), STATUS_OK);
        for (size_t c = 0; c < plan.n_copies; c++) {
            check_copy(&plan.copies[c], recipients, seed);
            for (size_t i = 0; i < plan.copies[c].n_recipients; i++)
                seen[plan.copies[c].recipients[i]]++;
        }
        for (size_t i = 0; i < n; i++)
            if (seen[i] != 1)
                fail_msg("seed %u: recipient %zu is in %zu copies", seed, i, seen[i]);
        plan_free(&plan);
    }
}

/* No more copies than there must be: whoever may share does. */
static void who_may_share_does(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < ROUNDS / 10; seed++) {
        unsigned r = seed;
        struct policy_rule rules[RULES];
        struct plan_recipient recipients[RECIPIENTS];
        struct plan plan;
        for (size_t i = 0; i < RULES; i++)
            rules[i] = random_rule(&r);
        for (size_t i = 0; i < RECIPIENTS; i++)
            recipients[i] = random_recipient(&r, rules);
        assert_int_equal(plan_make(recipients, RECIPIENTS, &plan, NULL), STATUS_OK);
        for (size_t a = 0; a < plan.n_copies; a++)
            for (size_t b = a + 1; b < plan.n_copies; b++)
                if (may_be_together(&recipients[plan.copies[a].recipients[0]],
                                    &recipients[plan.copies[b].recipients[0]]))
                    fail_msg("seed %u: copies %zu and %zu could be one", seed, a, b);
        plan_free(&plan);
    }
}

static void treatments_differ_in_each_of_their_parts(void **state)
{
    (void)state;
    const struct policy_rule plain = {.name = "a"};
    struct policy_rule other[] = {
        {.name = "b", .treatment = {.headers = HEADERS_SHY}},
        {.name = "b", .treatment = {.legacy_display = true}},
        {.name = "b", .treatment = {.sign = SIGN_PREFER}},
        {.name = "b", .treatment = {.inline_pgp = true}},
        {.name = "b", .treatment = {.cipher = CIPHER_CBC}},
        {.name = "b", .treatment = {.transport = TRANSPORT_OAEP}},
        {.name = "b", .treatment = {.encrypt_to_self = true}},
        {.name = "b", .treatment = {.archive = archive_a, .n_archive = 1}},
        {.name = "b", .treatment = {.strip_subject_tag = true}},
        {.name = "b", .treatment = {.tls = TLS_LEVEL_ENCRYPT}},
    };
    const struct policy_rule alike = {.name = "b", .subjects = tags, .n_subjects = 1};
    assert_true(policy_same_treatment(&plain, &alike));
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        assert_true(policy_same_treatment(&other[i], &other[i]));
        assert_false(policy_same_treatment(&plain, &other[i]));
        assert_false(policy_same_treatment(&other[i], &plain));
    }
    /* What is stripped are the rule's own texts. */
    struct policy_rule strips = {.name = "c", .treatment = {.strip_subject_tag = true}};
    assert_true(policy_same_treatment(&other[8], &strips));
    strips.subjects = tags;
    strips.n_subjects = 1;
    assert_false(policy_same_treatment(&other[8], &strips));
    /* Delivery names the one rule that demands TLS. */
    const struct policy_rule demands = {.name = "c", .treatment = {.tls = TLS_LEVEL_ENCRYPT}};
    assert_false(policy_same_treatment(&other[9], &demands));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_has_one_copy_and_only_the_named_share),
        cmocka_unit_test(who_may_share_does),
        cmocka_unit_test(treatments_differ_in_each_of_their_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
