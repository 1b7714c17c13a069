#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/policy/policy.h"

#define LIST(name, ...) static const char *const name[] = {__VA_ARGS__}

LIST(alice, "alice@example.org", "@sales.example.org");
LIST(bob, "bob@example.com", ".example.net");
LIST(user_alice, "alice");
LIST(confidential, "[confidential]", "geheim");
LIST(sensitive, "Sensitivity: company-confidential", "X-Seal:");
LIST(implicit, "[::]:465");

static const struct policy_facts envelope_only = {.reverse_path = "alice@example.org",
                                                  .user = "alice",
                                                  .listener = "[::]:465",
                                                  .recipient = "bob@example.com"};

/* What one rule says: matches (rule 0), does not (falls to the default, rule 1), or open yet (-1). */
static int ask(const struct policy_rule *rule, const struct policy_facts *facts)
{
    const struct policy_rule rules[] = {*rule, {.name = "default"}};
    const struct policy_settings settings = {.rules = rules, .n_rules = 2};
    const struct policy_rule *found = policy_match(&settings, facts);
    return found ? (int)(found - rules) : -1;
}

static struct policy_facts with_content(const char *subject, const char *header)
{
    struct policy_facts facts = envelope_only;
    facts.content_known = true;
    facts.subject = subject;
    facts.header = span_str(header);
    return facts;
}

static void a_rule_without_conditions_always_matches(void **state)
{
    (void)state;
    struct policy_rule rule = {.name = "all"};
    assert_int_equal(ask(&rule, &envelope_only), 0);
    struct policy_facts facts = with_content("", "");
    assert_int_equal(ask(&rule, &facts), 0);
}

static void envelope_conditions_are_known_at_rcpt(void **state)
{
    (void)state;
    const struct {
        struct policy_rule rule;
        struct policy_facts facts;
        int expected;
    } rows[] = {
        {{.recipients = bob, .n_recipients = 2}, envelope_only, 0},
        {{.recipients = bob, .n_recipients = 2}, {.recipient = "carol@a.example.net"}, 0},
        {{.recipients = bob, .n_recipients = 2}, {.recipient = "carol@example.com"}, 1},
        {{.users = user_alice, .n_users = 1}, envelope_only, 0},
        {{.users = user_alice, .n_users = 1}, {.user = "mallory", .recipient = "bob@example.com"}, 1},
        {{.users = user_alice, .n_users = 1}, {.user = NULL, .recipient = "bob@example.com"}, 1},
        {{.listeners = implicit, .n_listeners = 1}, envelope_only, 0},
        {{.listeners = implicit, .n_listeners = 1}, {.listener = "[::]:587"}, 1},
        {{.listeners = implicit, .n_listeners = 1}, {.listener = NULL}, 1},
        /* All that are given must match. */
        {{.recipients = bob, .n_recipients = 2, .users = user_alice, .n_users = 1}, envelope_only, 0},
        {{.recipients = bob, .n_recipients = 2, .users = user_alice, .n_users = 1},
         {.user = "mallory", .recipient = "bob@example.com"},
         1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (ask(&rows[i].rule, &rows[i].facts) != rows[i].expected)
            fail_msg("row %zu: not %d", i, rows[i].expected);
    }
}

static void content_conditions_wait_for_the_content(void **state)
{
    (void)state;
    struct policy_rule by_subject = {.subjects = confidential, .n_subjects = 2};
    struct policy_rule by_header = {.headers = sensitive, .n_headers = 2};
    struct policy_rule by_sender = {.senders = alice, .n_senders = 2};
    struct policy_facts other = envelope_only;
    other.reverse_path = "bounce@example.org";
    assert_int_equal(ask(&by_subject, &envelope_only), -1);
    assert_int_equal(ask(&by_header, &envelope_only), -1);
    assert_int_equal(ask(&by_sender, &envelope_only), 0);
    assert_int_equal(ask(&by_sender, &other), -1); /* a From address may yet match */
    other.reverse_path = "";
    assert_int_equal(ask(&by_sender, &other), -1);
}

/* What cannot match any more need not wait. */
static void a_condition_that_fails_settles_it(void **state)
{
    (void)state;
    struct policy_rule rule = {
        .subjects = confidential, .n_subjects = 2, .recipients = bob, .n_recipients = 2};
    assert_int_equal(ask(&rule, &envelope_only), -1);
    struct policy_facts other = envelope_only;
    other.recipient = "carol@example.com";
    assert_int_equal(ask(&rule, &other), 1);
    struct policy_rule by_sender = {.senders = alice, .n_senders = 2, .recipients = bob, .n_recipients = 2};
    other.reverse_path = "bounce@example.org";
    assert_int_equal(ask(&by_sender, &other), 1);
}

static void senders_are_reverse_path_or_any_from(void **state)
{
    (void)state;
    struct policy_rule rule = {.senders = alice, .n_senders = 2};
    static char *const from[] = {(char *)(uintptr_t) "x@example.org",
                                 (char *)(uintptr_t) "y@SALES.example.org"};
    struct policy_facts facts = with_content("", "");
    facts.reverse_path = "bounce@example.org";
    assert_int_equal(ask(&rule, &facts), 1);
    facts.from = from;
    facts.n_from = 1;
    assert_int_equal(ask(&rule, &facts), 1);
    facts.n_from = 2;
    assert_int_equal(ask(&rule, &facts), 0);
    facts.reverse_path = "";
    assert_int_equal(ask(&rule, &facts), 0);
}

static void subjects_ignore_case(void **state)
{
    (void)state;
    struct policy_rule rule = {.subjects = confidential, .n_subjects = 2};
    static const struct {
        const char *subject;
        int expected;
    } rows[] = {{"[Confidential] x", 0},
                {"Streng GEHEIM", 0},
                {"one\n[confidential] two", 0},
                {"confidential", 1},
                {"", 1},
                {NULL, 1},
                {"Re: AW: [CONFIDENTIAL]", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy_facts facts = with_content(rows[i].subject, "");
        assert_int_equal(ask(&rule, &facts), rows[i].expected);
    }
}

static void headers_are_decoded_and_ignore_case(void **state)
{
    (void)state;
    struct policy_rule rule = {.headers = sensitive, .n_headers = 2};
    static const struct {
        const char *header;
        int expected;
    } rows[] = {
        {"Sensitivity: Company-Confidential\r\n", 0},
        {"SENSITIVITY : very COMPANY-confidential indeed\r\n", 0},
        {"Sensitivity: private\r\nSensitivity: company-confidential\r\n", 0},
        {"Sensitivity: =?utf-8?q?company=2Dconfidential?=\r\n", 0},
        {"Sensitivity:\r\n company-confidential\r\n", 0},
        {"Sensitivity: company\r\n -confidential\r\n", 1},
        {"Sensitivity: private\r\n", 1},
        {"X-Sensitivity: company-confidential\r\n", 1},
        {"Subject: Sensitivity: company-confidential\r\n", 1},
        {"X-Seal:\r\n", 0},
        {"x-seal: no\r\n", 0},
        {"X-Seal\r\n", 1},
        {"", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy_facts facts = with_content("", rows[i].header);
        if (ask(&rule, &facts) != rows[i].expected)
            fail_msg("row %zu: %s", i, rows[i].header);
    }
}

static void the_first_that_matches_decides(void **state)
{
    (void)state;
    const struct policy_rule rules[] = {
        {.name = "never", .recipients = bob, .n_recipients = 2, .users = user_alice, .n_users = 1},
        {.name = "subject", .subjects = confidential, .n_subjects = 2},
        {.name = "bob", .recipients = bob, .n_recipients = 2},
        {.name = "default"},
    };
    const struct policy_settings settings = {.rules = rules, .n_rules = 4};
    struct policy_facts facts = envelope_only;
    assert_ptr_equal(policy_match(&settings, &facts), &rules[0]);
    facts.user = "mallory";
    /* Rule 2 would match, but rule 1 is still open: nothing may be decided past it. */
    assert_null(policy_match(&settings, &facts));
    facts.content_known = true;
    facts.subject = "hello";
    assert_ptr_equal(policy_match(&settings, &facts), &rules[2]);
    facts.subject = "[confidential]";
    assert_ptr_equal(policy_match(&settings, &facts), &rules[1]);
    facts.subject = "hello";
    facts.recipient = "carol@example.com";
    assert_ptr_equal(policy_match(&settings, &facts), &rules[3]);
}

/* Content that becomes known never takes back what was decided at RCPT. */
static void A33_what_was_decided_at_rcpt_stays(void **state)
{
    (void)state;
    static const char *const recipients[] = {"bob@example.com", "x@example.net", "c@example.org"};
    static const char *const subjects[] = {"", "[confidential]"};
    const struct policy_rule pool[] = {
        {.recipients = bob, .n_recipients = 2},
        {.subjects = confidential, .n_subjects = 2},
        {.senders = alice, .n_senders = 2},
        {.senders = alice, .n_senders = 2, .subjects = confidential, .n_subjects = 2},
        {.recipients = bob, .n_recipients = 2, .headers = sensitive, .n_headers = 2},
        {.users = user_alice, .n_users = 1, .listeners = implicit, .n_listeners = 1},
    };
    enum { POOL = sizeof pool / sizeof pool[0] };
    unsigned decided = 0;
    for (unsigned which = 0; which < POOL * POOL * 6; which++) {
        const struct policy_rule rules[] = {
            pool[which % POOL], pool[which / POOL % POOL], {.name = "default"}};
        const struct policy_settings settings = {.rules = rules, .n_rules = 3};
        struct policy_facts facts = envelope_only;
        facts.recipient = recipients[which / (POOL * POOL) % 3];
        facts.reverse_path = which % 2 ? "alice@example.org" : "z@example.org";
        const struct policy_rule *early = policy_match(&settings, &facts);
        facts.content_known = true;
        facts.subject = subjects[which / (POOL * POOL) / 3];
        const struct policy_rule *late = policy_match(&settings, &facts);
        assert_non_null(late);
        if (early)
            assert_ptr_equal(early, late);
        decided += early != NULL;
    }
    assert_in_range(decided, 1, POOL * POOL * 6 - 1);
}

static void A33_without_a_default_rule_protection_is_required(void **state)
{
    (void)state;
    const struct policy_rule rules[] = {
        {.name = "never", .recipients = bob, .n_recipients = 2, .protect = PROTECT_NEVER}};
    const struct policy_settings settings[] = {{.rules = rules, .n_rules = 1}, {.rules = NULL, .n_rules = 0}};
    for (size_t i = 0; i < 2; i++) {
        struct policy_facts facts = with_content("", "");
        facts.recipient = "carol@example.com";
        const struct policy_rule *rule = policy_match(&settings[i], &facts);
        assert_non_null(rule);
        assert_non_null(rule->name);
        assert_int_equal(rule->protect, PROTECT_REQUIRE);
        struct certificate_list none = {0};
        struct policy_decision decision;
        policy_decide(rule, LOOKUP_DONE, &none, &decision);
        assert_int_equal(decision.action, ACTION_REFUSE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_without_conditions_always_matches),
        cmocka_unit_test(envelope_conditions_are_known_at_rcpt),
        cmocka_unit_test(content_conditions_wait_for_the_content),
        cmocka_unit_test(a_condition_that_fails_settles_it),
        cmocka_unit_test(senders_are_reverse_path_or_any_from),
        cmocka_unit_test(subjects_ignore_case),
        cmocka_unit_test(headers_are_decoded_and_ignore_case),
        cmocka_unit_test(the_first_that_matches_decides),
        cmocka_unit_test(A33_what_was_decided_at_rcpt_stays),
        cmocka_unit_test(A33_without_a_default_rule_protection_is_required),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
