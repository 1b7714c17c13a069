/* Which of several certificates: the person's before the domain's, the format that is wanted, the archive's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/policy/policy.h"

#define P CERTIFICATE_OPENPGP
#define S CERTIFICATE_SMIME
#define MANY(items) (sizeof items / sizeof *items)

static struct policy_rule rule_for(enum policy_protect protect, enum policy_missing missing)
{
    return (struct policy_rule){.name = "r", .protect = protect, .on_missing_key = missing};
}

static const struct certificate *decide(const struct policy_rule *rule, struct certificate *items, size_t n,
                                        enum certificate_format preferred)
{
    const struct certificate_list list = {.items = items, .n = n, .preferred = preferred};
    struct policy_decision d;
    policy_decide(rule, LOOKUP_DONE, &list, &d);
    assert_int_equal(d.action, ACTION_SEAL);
    return d.certificate;
}

static void the_persons_own_comes_before_the_domains(void **state)
{
    (void)state;
    struct policy_rule rule = rule_for(PROTECT_REQUIRE, MISSING_HOLD);
    struct certificate all[] = {{.format = P, .usable = true, .for_domain = true},
                                {.format = S, .usable = true, .for_domain = true},
                                {.format = S, .usable = true},
                                {.format = P, .usable = false, .reason = "revoked"}};
    assert_ptr_equal(decide(&rule, all, 4, 0), &all[2]);
    /* Even where the rule or the person would take the other format first. */
    assert_ptr_equal(decide(&rule, all, 4, P), &all[2]);
    rule.formats[0] = P;
    rule.formats[1] = S;
    rule.n_formats = 2;
    assert_ptr_equal(decide(&rule, all, 4, 0), &all[2]);
    rule.n_formats = 1;
    assert_ptr_equal(decide(&rule, all, 4, 0), &all[0]);
    assert_ptr_equal(decide(&rule, all, 2, 0), &all[0]);
}

static void the_rule_then_the_person_then_what_worked(void **state)
{
    (void)state;
    struct policy_rule rule = rule_for(PROTECT_REQUIRE, MISSING_HOLD);
    struct certificate both[] = {{.format = P, .usable = true}, {.format = S, .usable = true}};
    assert_ptr_equal(decide(&rule, both, 2, 0), &both[0]);
    both[1].worked_ms = 1000;
    assert_ptr_equal(decide(&rule, both, 2, 0), &both[1]);
    both[0].worked_ms = 2000;
    assert_ptr_equal(decide(&rule, both, 2, 0), &both[0]);
    assert_ptr_equal(decide(&rule, both, 2, S), &both[1]);
    rule.formats[0] = P;
    rule.formats[1] = S;
    rule.n_formats = 2;
    assert_ptr_equal(decide(&rule, both, 2, S), &both[0]);
    /* What the person prefers and has not got is no reason to send nothing. */
    rule.n_formats = 0;
    assert_ptr_equal(decide(&rule, both, 1, S), &both[0]);
}

/* ---- archives ---- */

static void archived(const struct policy_rule *rule, struct certificate *items, size_t n,
                     const struct policy_known *archives, size_t n_archives, struct policy_decision *d)
{
    const struct certificate_list list = {.items = items, .n = n};
    policy_decide_archived(rule, LOOKUP_DONE, &list, archives, n_archives, d);
}

static void the_archive_limits_the_format(void **state)
{
    (void)state;
    struct policy_rule rule = rule_for(PROTECT_REQUIRE, MISSING_HOLD);
    struct certificate both[] = {{.format = P, .usable = true}, {.format = S, .usable = true}};
    struct certificate smime[] = {{.format = S, .usable = true}, {.format = P, .usable = false}};
    const struct certificate_list smime_list = {.items = smime, .n = 2};
    const struct policy_known archive = {"archive@example.org", LOOKUP_DONE, &smime_list};
    struct policy_decision d;
    archived(&rule, both, 2, &archive, 1, &d);
    assert_int_equal(d.action, ACTION_SEAL);
    assert_ptr_equal(d.certificate, &both[1]);
}

/* A33: an archive that cannot read along never makes it clear, whatever the rule. */
static void A33_without_the_archives_certificate(void **state)
{
    (void)state;
    static const struct {
        enum policy_protect protect;
        enum policy_missing missing;
        enum policy_action expected;
    } rows[] = {
        {PROTECT_REQUIRE, MISSING_HOLD, ACTION_HOLD},     {PROTECT_REQUIRE, MISSING_REFUSE, ACTION_REFUSE},
        {PROTECT_REQUIRE, MISSING_BOUNCE, ACTION_BOUNCE}, {PROTECT_PREFER, MISSING_HOLD, ACTION_HOLD},
        {PROTECT_PREFER, MISSING_REFUSE, ACTION_REFUSE},  {PROTECT_PREFER, MISSING_BOUNCE, ACTION_BOUNCE},
    };
    struct certificate own[] = {{.format = P, .usable = true}};
    struct certificate old[] = {{.format = P, .usable = false, .reason = "expired on 2024-05-01"}};
    struct certificate good[] = {{.format = P, .usable = true}};
    const struct certificate_list lists[] = {{.items = old, .n = 1}, {0}},
                                  good_list = {.items = good, .n = 1};
    for (size_t i = 0; i < MANY(rows); i++) {
        for (size_t l = 0; l < 2; l++) {
            struct policy_rule rule = rule_for(rows[i].protect, rows[i].missing);
            const struct policy_known archives[] = {{"one@example.org", LOOKUP_DONE, &good_list},
                                                    {"two@example.org", LOOKUP_DONE, &lists[l]}};
            struct policy_decision d;
            archived(&rule, own, 1, archives, 2, &d);
            assert_int_equal(d.action, rows[i].expected);
            assert_null(d.certificate);
            assert_non_null(strstr(d.reason, "two@example.org"));
        }
    }
}

static void A33_when_the_archives_lookup_failed(void **state)
{
    (void)state;
    struct certificate own[] = {{.format = P, .usable = true}};
    const struct policy_known archive = {"archive@example.org", LOOKUP_FAILED, NULL};
    static const enum policy_protect protects[] = {PROTECT_REQUIRE, PROTECT_PREFER};
    for (size_t i = 0; i < MANY(protects); i++) {
        struct policy_rule rule = rule_for(protects[i], MISSING_REFUSE);
        struct policy_decision d;
        archived(&rule, own, 1, &archive, 1, &d);
        assert_int_equal(d.action, ACTION_DEFER);
        assert_null(d.certificate);
        assert_non_null(strstr(d.reason, "archive@example.org"));
        /* Who has no certificate is not sealed to, so nobody is to read along. */
        archived(&rule, NULL, 0, &archive, 1, &d);
        assert_int_equal(d.action, protects[i] == PROTECT_PREFER ? ACTION_CLEAR : ACTION_REFUSE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_persons_own_comes_before_the_domains),
        cmocka_unit_test(the_rule_then_the_person_then_what_worked),
        cmocka_unit_test(the_archive_limits_the_format),
        cmocka_unit_test(A33_without_the_archives_certificate),
        cmocka_unit_test(A33_when_the_archives_lookup_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
