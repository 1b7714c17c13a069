#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/policy/plan.h"

static const struct certificate pgp = {.format = CERTIFICATE_OPENPGP, .usable = true};
static const struct certificate smime = {.format = CERTIFICATE_SMIME, .usable = true};

static struct plan_recipient recipient(bool named, enum policy_action action, const struct certificate *c)
{
    return (struct plan_recipient){
        .address = "r@example.com", .named = named, .decision = {.action = action, .certificate = c}};
}

/* The plan as text: copies separated by "|", each its action, format and recipients. */
static void assert_plan(const struct plan_recipient *recipients, size_t n, const char *expected)
{
    static const char actions[] = {
        [ACTION_SEAL] = 's', [ACTION_CLEAR] = 'c', [ACTION_HOLD] = 'h', [ACTION_BOUNCE] = 'b'};
    struct plan plan;
    assert_int_equal(plan_make(recipients, n, &plan, NULL), STATUS_OK);
    struct buf b;
    buf_init(&b, 4096);
    for (size_t i = 0; i < plan.n_copies; i++) {
        const struct plan_copy *copy = &plan.copies[i];
        buf_printf(&b, "%s%c%d:", i > 0 ? "|" : "", actions[copy->action], (int)copy->format);
        for (size_t k = 0; k < copy->n_recipients; k++)
            buf_printf(&b, "%s%zu", k > 0 ? "," : "", copy->recipients[k]);
    }
    assert_string_equal(buf_str(&b), expected);
    buf_free(&b);
    plan_free(&plan);
    assert_int_equal(plan.n_copies, 0);
}

static void who_shares_with_whom(void **state)
{
    (void)state;
    const struct plan_recipient named_pgp = recipient(true, ACTION_SEAL, &pgp);
    const struct plan_recipient named_smime = recipient(true, ACTION_SEAL, &smime);
    const struct plan_recipient bcc_pgp = recipient(false, ACTION_SEAL, &pgp);
    const struct plan_recipient named_clear = recipient(true, ACTION_CLEAR, NULL);
    const struct plan_recipient bcc_clear = recipient(false, ACTION_CLEAR, NULL);
    const struct plan_recipient held = recipient(true, ACTION_HOLD, NULL);
    const struct plan_recipient bounced = recipient(true, ACTION_BOUNCE, NULL);

    assert_plan(NULL, 0, "");
    assert_plan((struct plan_recipient[]){named_pgp}, 1, "s1:0");
    assert_plan((struct plan_recipient[]){named_pgp, named_pgp}, 2, "s1:0,1");
    assert_plan((struct plan_recipient[]){named_pgp, named_smime, named_pgp, named_smime}, 4,
                "s1:0,2|s2:1,3");
    assert_plan((struct plan_recipient[]){bcc_pgp, bcc_pgp}, 2, "s1:0|s1:1");
    assert_plan((struct plan_recipient[]){bcc_pgp, named_pgp, bcc_pgp, named_pgp}, 4, "s1:0|s1:1,3|s1:2");
    assert_plan((struct plan_recipient[]){named_clear, named_pgp, named_clear, bcc_clear}, 4,
                "c0:0,2|s1:1|c0:3");
    assert_plan((struct plan_recipient[]){held, held, bounced, bounced}, 4, "h0:0|h0:1|b0:2|b0:3");
}

static void refused_and_deferred_are_never_planned(void **state)
{
    (void)state;
    const struct plan_recipient bad[] = {
        recipient(true, ACTION_REFUSE, NULL), recipient(true, ACTION_DEFER, NULL),
        recipient(true, ACTION_SEAL, NULL), recipient(true, (enum policy_action)77, NULL)};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct plan_recipient recipients[] = {recipient(true, ACTION_SEAL, &pgp), bad[i]};
        struct plan plan;
        struct error err;
        assert_int_equal(plan_make(recipients, 2, &plan, &err), STATUS_INTERNAL);
        assert_int_equal(err.status, STATUS_INTERNAL);
        assert_int_equal(plan.n_copies, 0);
        assert_null(plan.copies);
        plan_free(&plan);
    }
}

static unsigned next(uint64_t *seed, unsigned bound)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*seed >> 33) % bound;
}

static struct plan_recipient any_recipient(uint64_t *seed)
{
    static const enum policy_action actions[] = {ACTION_SEAL,  ACTION_SEAL, ACTION_SEAL,
                                                 ACTION_CLEAR, ACTION_HOLD, ACTION_BOUNCE};
    enum policy_action action = actions[next(seed, 6)];
    const struct certificate *c = action != ACTION_SEAL ? NULL : next(seed, 2) ? &pgp : &smime;
    return recipient(next(seed, 3) > 0, action, c);
}

static void assert_copy_is_right(const struct plan_copy *copy, const struct plan_recipient *recipients,
                                 unsigned *seen)
{
    assert_true(copy->n_recipients > 0);
    for (size_t k = 0; k < copy->n_recipients; k++) {
        const struct plan_recipient *r = &recipients[copy->recipients[k]];
        seen[copy->recipients[k]]++;
        assert_int_equal(copy->action, r->decision.action);
        assert_int_equal(copy->format, r->decision.certificate ? r->decision.certificate->format : 0);
        if (copy->n_recipients > 1) {
            assert_true(r->named);
            assert_true(copy->action == ACTION_SEAL || copy->action == ACTION_CLEAR);
        }
    }
}

static void A10_properties_hold_for_any_recipients(void **state)
{
    (void)state;
    uint64_t seed = 20261122;
    for (int round = 0; round < 3000; round++) {
        struct plan_recipient recipients[40];
        unsigned seen[40] = {0};
        unsigned shared[3] = {0}; /* shared copies by format, 0: clear */
        size_t n = next(&seed, 41);
        for (size_t i = 0; i < n; i++)
            recipients[i] = any_recipient(&seed);
        struct plan plan;
        assert_int_equal(plan_make(recipients, n, &plan, NULL), STATUS_OK);
        for (size_t i = 0; i < plan.n_copies; i++) {
            assert_copy_is_right(&plan.copies[i], recipients, seen);
            shared[plan.copies[i].format] += plan.copies[i].n_recipients > 1;
        }
        for (size_t i = 0; i < n; i++)
            assert_int_equal(seen[i], 1);
        for (size_t i = 0; i < 3; i++)
            assert_in_range(shared[i], 0, 1);
        plan_free(&plan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_shares_with_whom),
        cmocka_unit_test(refused_and_deferred_are_never_planned),
        cmocka_unit_test(A10_properties_hold_for_any_recipients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
