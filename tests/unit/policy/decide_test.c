/* A33: every rule × every outcome of the lookup × every list, written out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/policy/policy.h"

#define P CERTIFICATE_OPENPGP
#define S CERTIFICATE_SMIME

#define USABLE(f)                                                                                            \
    {                                                                                                        \
        .format = f, .usable = true                                                                          \
    }
#define UNFIT(f, why)                                                                                        \
    {                                                                                                        \
        .format = f, .usable = false, .reason = why                                                          \
    }

/* Lists as the keystore gives them, usable ones first. */
enum list { NONE, PGP, SMIME, BOTH, OLD_PGP, OLD_SMIME, OLD_BOTH, PGP_OLD_SMIME, SMIME_OLD_PGP, LISTS };

static struct certificate pgp[] = {USABLE(P)};
static struct certificate smime[] = {USABLE(S)};
static struct certificate both[] = {USABLE(S), USABLE(P)};
static struct certificate old_pgp[] = {UNFIT(P, "expired on 2024-05-01")};
static struct certificate old_smime[] = {UNFIT(S, "revoked")};
static struct certificate old_both[] = {UNFIT(S, "revoked"), UNFIT(P, "expired on 2024-05-01")};
static struct certificate pgp_old_smime[] = {USABLE(P), UNFIT(S, "revoked")};
static struct certificate smime_old_pgp[] = {USABLE(S), UNFIT(P, "expired on 2024-05-01")};

static const struct certificate_list lists[LISTS] = {
    [NONE] = {NULL, 0},
    [PGP] = {pgp, 1},
    [SMIME] = {smime, 1},
    [BOTH] = {both, 2},
    [OLD_PGP] = {old_pgp, 1},
    [OLD_SMIME] = {old_smime, 1},
    [OLD_BOTH] = {old_both, 2},
    [PGP_OLD_SMIME] = {pgp_old_smime, 2},
    [SMIME_OLD_PGP] = {smime_old_pgp, 2},
};

/* What the lists hold for rules of the three kinds of formats. */
enum formats { ONLY_PGP, ONLY_SMIME, PGP_FIRST, SMIME_FIRST, UNSAID, FORMATS };

static const struct {
    enum certificate_format formats[2];
    size_t n;
} formats[FORMATS] = {
    [ONLY_PGP] = {{P}, 1},       [ONLY_SMIME] = {{S}, 1}, [PGP_FIRST] = {{P, S}, 2},
    [SMIME_FIRST] = {{S, P}, 2}, [UNSAID] = {{0}, 0},
};

#define SEALS(f)                                                                                             \
    {                                                                                                        \
        f, NULL                                                                                              \
    }
#define MISSES(why)                                                                                          \
    {                                                                                                        \
        0, why                                                                                               \
    }
#define OTHER MISSES("found only in a format that the rule does not allow")
#define EXPIRED MISSES("expired on 2024-05-01")
#define REVOKED MISSES("revoked")

/* Which format is sealed in, or why none. */
static const struct {
    enum certificate_format seals;
    const char *reason;
} found[FORMATS][LISTS] = {
    [ONLY_PGP] = {[NONE] = MISSES("none found"),
                  [PGP] = SEALS(P),
                  [SMIME] = OTHER,
                  [BOTH] = SEALS(P),
                  [OLD_PGP] = EXPIRED,
                  [OLD_SMIME] = OTHER,
                  [OLD_BOTH] = EXPIRED,
                  [PGP_OLD_SMIME] = SEALS(P),
                  [SMIME_OLD_PGP] = EXPIRED},
    [ONLY_SMIME] = {[NONE] = MISSES("none found"),
                    [PGP] = OTHER,
                    [SMIME] = SEALS(S),
                    [BOTH] = SEALS(S),
                    [OLD_PGP] = OTHER,
                    [OLD_SMIME] = REVOKED,
                    [OLD_BOTH] = REVOKED,
                    [PGP_OLD_SMIME] = REVOKED,
                    [SMIME_OLD_PGP] = SEALS(S)},
    [PGP_FIRST] = {[NONE] = MISSES("none found"),
                   [PGP] = SEALS(P),
                   [SMIME] = SEALS(S),
                   [BOTH] = SEALS(P),
                   [OLD_PGP] = EXPIRED,
                   [OLD_SMIME] = REVOKED,
                   [OLD_BOTH] = EXPIRED,
                   [PGP_OLD_SMIME] = SEALS(P),
                   [SMIME_OLD_PGP] = SEALS(S)},
    [SMIME_FIRST] = {[NONE] = MISSES("none found"),
                     [PGP] = SEALS(P),
                     [SMIME] = SEALS(S),
                     [BOTH] = SEALS(S),
                     [OLD_PGP] = EXPIRED,
                     [OLD_SMIME] = REVOKED,
                     [OLD_BOTH] = REVOKED,
                     [PGP_OLD_SMIME] = SEALS(P),
                     [SMIME_OLD_PGP] = SEALS(S)},
    [UNSAID] = {[NONE] = MISSES("none found"),
                [PGP] = SEALS(P),
                [SMIME] = SEALS(S),
                [BOTH] = SEALS(P),
                [OLD_PGP] = EXPIRED,
                [OLD_SMIME] = REVOKED,
                [OLD_BOTH] = EXPIRED,
                [PGP_OLD_SMIME] = SEALS(P),
                [SMIME_OLD_PGP] = SEALS(S)},
};

/* What each rule does when it can seal, cannot, or does not know. */
static const struct {
    enum policy_protect protect;
    enum policy_missing missing;
    enum policy_action sealable, missing_key, lookup_failed;
} rules[] = {
    {PROTECT_REQUIRE, MISSING_HOLD, ACTION_SEAL, ACTION_HOLD, ACTION_DEFER},
    {PROTECT_REQUIRE, MISSING_REFUSE, ACTION_SEAL, ACTION_REFUSE, ACTION_DEFER},
    {PROTECT_REQUIRE, MISSING_BOUNCE, ACTION_SEAL, ACTION_BOUNCE, ACTION_DEFER},
    {PROTECT_PREFER, MISSING_HOLD, ACTION_SEAL, ACTION_CLEAR, ACTION_DEFER},
    {PROTECT_PREFER, MISSING_REFUSE, ACTION_SEAL, ACTION_CLEAR, ACTION_DEFER},
    {PROTECT_PREFER, MISSING_BOUNCE, ACTION_SEAL, ACTION_CLEAR, ACTION_DEFER},
    {PROTECT_NEVER, MISSING_HOLD, ACTION_CLEAR, ACTION_CLEAR, ACTION_CLEAR},
    {PROTECT_NEVER, MISSING_REFUSE, ACTION_CLEAR, ACTION_CLEAR, ACTION_CLEAR},
    {PROTECT_NEVER, MISSING_BOUNCE, ACTION_CLEAR, ACTION_CLEAR, ACTION_CLEAR},
};
#define RULES (sizeof rules / sizeof rules[0])

static struct policy_rule rule_of(size_t r, size_t f)
{
    struct policy_rule rule = {.name = "test",
                               .protect = rules[r].protect,
                               .on_missing_key = rules[r].missing,
                               .n_formats = formats[f].n};
    rule.formats[0] = formats[f].formats[0];
    rule.formats[1] = formats[f].formats[1];
    return rule;
}

static void A33_when_the_lookup_was_done(void **state)
{
    (void)state;
    for (size_t r = 0; r < RULES; r++) {
        for (size_t f = 0; f < FORMATS; f++) {
            for (size_t l = 0; l < LISTS; l++) {
                struct policy_rule rule = rule_of(r, f);
                struct policy_decision d;
                policy_decide(&rule, LOOKUP_DONE, &lists[l], &d);
                enum policy_action expected = found[f][l].seals ? rules[r].sealable : rules[r].missing_key;
                if (d.action != expected)
                    fail_msg("rule %zu, formats %zu, list %zu: action %d, not %d", r, f, l, (int)d.action,
                             (int)expected);
                assert_ptr_equal(d.rule, &rule);
                if (expected == ACTION_SEAL) {
                    assert_non_null(d.certificate);
                    assert_true(d.certificate->usable);
                    assert_int_equal(d.certificate->format, found[f][l].seals);
                    assert_string_equal(d.reason, "");
                } else {
                    assert_null(d.certificate);
                    assert_string_equal(d.reason, rules[r].protect == PROTECT_NEVER ? "rule says never"
                                                                                    : found[f][l].reason);
                }
            }
        }
    }
}

/* Whatever stands in the list: it was not looked at. */
static void A33_when_the_lookup_failed(void **state)
{
    (void)state;
    for (size_t r = 0; r < RULES; r++) {
        for (size_t f = 0; f < FORMATS; f++) {
            for (size_t l = 0; l <= LISTS; l++) {
                struct policy_rule rule = rule_of(r, f);
                struct policy_decision d;
                policy_decide(&rule, LOOKUP_FAILED, l < LISTS ? &lists[l] : NULL, &d);
                assert_int_equal(d.action, rules[r].lookup_failed);
                assert_null(d.certificate);
                assert_string_equal(d.reason,
                                    rules[r].protect == PROTECT_NEVER ? "rule says never" : "lookup failed");
            }
        }
    }
}

/* Broken callers and settings: deferred, not sent. */
static void A33_nonsense_is_never_sent_clear(void **state)
{
    (void)state;
    struct policy_decision d;
    struct policy_rule prefer = {.protect = PROTECT_PREFER};
    policy_decide(NULL, LOOKUP_DONE, &lists[NONE], &d);
    assert_int_equal(d.action, ACTION_DEFER);
    policy_decide(&prefer, LOOKUP_DONE, NULL, &d);
    assert_int_equal(d.action, ACTION_DEFER);
    policy_decide(&prefer, (enum lookup_state)7, &lists[NONE], &d);
    assert_int_equal(d.action, ACTION_DEFER);
    struct policy_rule odd = {.protect = (enum policy_protect)7};
    policy_decide(&odd, LOOKUP_DONE, &lists[NONE], &d);
    assert_int_equal(d.action, ACTION_DEFER);
    odd = (struct policy_rule){.protect = PROTECT_REQUIRE, .on_missing_key = (enum policy_missing)7};
    policy_decide(&odd, LOOKUP_DONE, &lists[NONE], &d);
    assert_int_equal(d.action, ACTION_DEFER);
}

static void the_first_usable_one_is_taken(void **state)
{
    (void)state;
    struct certificate items[] = {UNFIT(P, ""), USABLE(P), USABLE(P)};
    struct certificate_list list = {items, 3};
    struct policy_rule rule = rule_of(0, ONLY_PGP);
    struct policy_decision d;
    policy_decide(&rule, LOOKUP_DONE, &list, &d);
    assert_ptr_equal(d.certificate, &items[1]);
    list.n = 1;
    policy_decide(&rule, LOOKUP_DONE, &list, &d);
    assert_int_equal(d.action, ACTION_HOLD);
    assert_string_equal(d.reason, "not usable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(A33_when_the_lookup_was_done),
        cmocka_unit_test(A33_when_the_lookup_failed),
        cmocka_unit_test(A33_nonsense_is_never_sent_clear),
        cmocka_unit_test(the_first_usable_one_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
