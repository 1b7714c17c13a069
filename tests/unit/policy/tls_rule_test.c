/* What the rule of a message demands beside its destination, the recipient's domain and the sender. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/policy/tls_level.h"

#define LEVELS (TLS_LEVEL_SECURE + 1)

static const struct tls_policy here[] = {{"example.com", TLS_LEVEL_VERIFY}};

static struct tls_hop hop_of_rule(enum tls_level level, enum dane_state dane)
{
    return (struct tls_hop){.domain = "example.com",
                            .mx_host = "mx.example.net",
                            .rule = {level, "confidential"},
                            .known = {.mx_secure = true, .dane = dane, .dane_why = "WHY"}};
}

/* The stricter of the two counts; who is named with it is who asked for it. */
static void a_rule_raises_what_the_destination_demands(void **state)
{
    (void)state;
    static const struct {
        enum tls_level asked, by_rule;
        enum dane_state dane;
        enum tls_verdict verdict;
        const char *words, *match_name;
    } rows[] = {
        {TLS_LEVEL_NONE, TLS_LEVEL_ENCRYPT, DANE_UNKNOWN, TLS_TRY, "level encrypt by rule \"confidential\"",
         NULL},
        {TLS_LEVEL_MAY, TLS_LEVEL_ENCRYPT, DANE_UNKNOWN, TLS_TRY, "level encrypt by rule \"confidential\"",
         NULL},
        {TLS_LEVEL_ENCRYPT, TLS_LEVEL_ENCRYPT, DANE_UNKNOWN, TLS_TRY, "level encrypt by delivery tls", NULL},
        {TLS_LEVEL_VERIFY, TLS_LEVEL_ENCRYPT, DANE_UNKNOWN, TLS_TRY, "level verify by delivery tls",
         "mx.example.net"},
        {TLS_LEVEL_SECURE, TLS_LEVEL_ENCRYPT, DANE_UNKNOWN, TLS_TRY, "level secure by delivery tls",
         "example.com"},
        {TLS_LEVEL_DANE, TLS_LEVEL_ENCRYPT, DANE_NONE, TLS_TRY, "level encrypt by rule \"confidential\"",
         NULL},
        {TLS_LEVEL_DANE, TLS_LEVEL_ENCRYPT, DANE_UNUSABLE, TLS_TRY,
         "level encrypt by delivery tls (dane: WHY)", NULL},
        {TLS_LEVEL_DANE, TLS_LEVEL_ENCRYPT, DANE_USABLE, TLS_TRY, "level dane by delivery tls", NULL},
        {TLS_LEVEL_DANE, TLS_LEVEL_ENCRYPT, DANE_FAILED, TLS_WAIT, "level dane by delivery tls (WHY)", NULL},
        {TLS_LEVEL_DANE_ONLY, TLS_LEVEL_ENCRYPT, DANE_NONE, TLS_LACKING,
         "level dane-only by delivery tls (WHY)", NULL},

        {TLS_LEVEL_NONE, TLS_LEVEL_VERIFY, DANE_UNKNOWN, TLS_TRY, "level verify by rule \"confidential\"",
         "mx.example.net"},
        {TLS_LEVEL_ENCRYPT, TLS_LEVEL_VERIFY, DANE_UNKNOWN, TLS_TRY, "level verify by rule \"confidential\"",
         "mx.example.net"},
        {TLS_LEVEL_DANE, TLS_LEVEL_VERIFY, DANE_USABLE, TLS_TRY, "level dane by delivery tls", NULL},
        {TLS_LEVEL_DANE, TLS_LEVEL_VERIFY, DANE_UNUSABLE, TLS_TRY, "level verify by rule \"confidential\"",
         "mx.example.net"},
        {TLS_LEVEL_SECURE, TLS_LEVEL_VERIFY, DANE_UNKNOWN, TLS_TRY, "level secure by delivery tls",
         "example.com"},

        {TLS_LEVEL_NONE, TLS_LEVEL_SECURE, DANE_UNKNOWN, TLS_TRY, "level secure by rule \"confidential\"",
         "example.com"},
        {TLS_LEVEL_MAY, TLS_LEVEL_SECURE, DANE_UNKNOWN, TLS_TRY, "level secure by rule \"confidential\"",
         "example.com"},
        {TLS_LEVEL_VERIFY, TLS_LEVEL_SECURE, DANE_UNKNOWN, TLS_TRY, "level secure by rule \"confidential\"",
         "example.com"},
        {TLS_LEVEL_DANE, TLS_LEVEL_SECURE, DANE_USABLE, TLS_TRY, "level dane by delivery tls", NULL},
        {TLS_LEVEL_DANE, TLS_LEVEL_SECURE, DANE_NONE, TLS_TRY, "level secure by rule \"confidential\"",
         "example.com"},
        {TLS_LEVEL_DANE, TLS_LEVEL_SECURE, DANE_UNKNOWN, TLS_WAIT, "level dane by delivery tls (WHY)", NULL},
        {TLS_LEVEL_DANE_ONLY, TLS_LEVEL_SECURE, DANE_USABLE, TLS_TRY, "level dane-only by delivery tls",
         NULL},
        {TLS_LEVEL_DANE_ONLY, TLS_LEVEL_SECURE, DANE_UNUSABLE, TLS_LACKING,
         "level dane-only by delivery tls (WHY)", NULL},

        {TLS_LEVEL_NONE, TLS_LEVEL_DANE, DANE_NONE, TLS_TRY, "level may by rule \"confidential\" (dane: WHY)",
         NULL},
        {TLS_LEVEL_MAY, TLS_LEVEL_DANE, DANE_NONE, TLS_TRY, "level may by delivery tls", NULL},
        {TLS_LEVEL_MAY, TLS_LEVEL_DANE, DANE_UNUSABLE, TLS_TRY,
         "level encrypt by rule \"confidential\" (dane: WHY)", NULL},
        {TLS_LEVEL_MAY, TLS_LEVEL_DANE, DANE_USABLE, TLS_TRY, "level dane by rule \"confidential\"", NULL},
        {TLS_LEVEL_MAY, TLS_LEVEL_DANE, DANE_FAILED, TLS_WAIT, "level dane by rule \"confidential\" (WHY)",
         NULL},
        {TLS_LEVEL_ENCRYPT, TLS_LEVEL_DANE, DANE_NONE, TLS_TRY, "level encrypt by delivery tls", NULL},
        {TLS_LEVEL_ENCRYPT, TLS_LEVEL_DANE, DANE_USABLE, TLS_TRY, "level dane by rule \"confidential\"",
         NULL},
        {TLS_LEVEL_VERIFY, TLS_LEVEL_DANE, DANE_UNUSABLE, TLS_TRY, "level verify by delivery tls",
         "mx.example.net"},
        {TLS_LEVEL_VERIFY, TLS_LEVEL_DANE, DANE_FAILED, TLS_WAIT, "level dane by rule \"confidential\" (WHY)",
         NULL},
        {TLS_LEVEL_SECURE, TLS_LEVEL_DANE, DANE_UNKNOWN, TLS_TRY, "level secure by delivery tls",
         "example.com"},
        {TLS_LEVEL_DANE, TLS_LEVEL_DANE, DANE_USABLE, TLS_TRY, "level dane by delivery tls", NULL},
        {TLS_LEVEL_DANE, TLS_LEVEL_DANE, DANE_NONE, TLS_TRY, "level may by delivery tls (dane: WHY)", NULL},

        {TLS_LEVEL_MAY, TLS_LEVEL_DANE_ONLY, DANE_NONE, TLS_LACKING,
         "level dane-only by rule \"confidential\" (WHY)", NULL},
        {TLS_LEVEL_MAY, TLS_LEVEL_DANE_ONLY, DANE_USABLE, TLS_TRY, "level dane-only by rule \"confidential\"",
         NULL},
        {TLS_LEVEL_DANE, TLS_LEVEL_DANE_ONLY, DANE_NONE, TLS_LACKING,
         "level dane-only by rule \"confidential\" (WHY)", NULL},
        {TLS_LEVEL_DANE, TLS_LEVEL_DANE_ONLY, DANE_USABLE, TLS_TRY, "level dane by delivery tls", NULL},
        {TLS_LEVEL_VERIFY, TLS_LEVEL_DANE_ONLY, DANE_UNUSABLE, TLS_LACKING,
         "level dane-only by rule \"confidential\" (WHY)", NULL},
        {TLS_LEVEL_SECURE, TLS_LEVEL_DANE_ONLY, DANE_UNKNOWN, TLS_TRY, "level secure by delivery tls",
         "example.com"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char words[300];
        const struct tls_level_settings settings = {.level = rows[i].asked};
        const struct tls_hop hop = hop_of_rule(rows[i].by_rule, rows[i].dane);
        struct tls_demand d = tls_level_decide(&settings, &hop);
        tls_demand_words(&d, words, sizeof words);
        assert_string_equal(words, rows[i].words);
        assert_int_equal(d.verdict, rows[i].verdict);
        if (rows[i].match_name)
            assert_string_equal(d.match_name, rows[i].match_name);
        else
            assert_null(d.match_name);
        assert_int_equal(tls_level_asks_dane(&settings, &hop),
                         rows[i].asked == TLS_LEVEL_DANE || rows[i].asked == TLS_LEVEL_DANE_ONLY ||
                             (rows[i].asked != TLS_LEVEL_SECURE &&
                              (rows[i].by_rule == TLS_LEVEL_DANE || rows[i].by_rule == TLS_LEVEL_DANE_ONLY)));
    }
}

static bool verified(const struct tls_demand *d)
{
    return tls_level_authenticates(d->level);
}

static bool less_strict(const struct tls_demand *a, const struct tls_demand *b)
{
    return a->verdict == TLS_TRY &&
           (b->verdict != TLS_TRY || (verified(b) && !verified(a)) ||
            (!tls_level_allows_clear(b->level) && tls_level_allows_clear(a->level)) ||
            (b->level == TLS_LEVEL_SECURE && a->level == TLS_LEVEL_VERIFY));
}

/* Whatever is known, and whatever the sender wishes: no less than without the rule, and no less than the rule
 * would demand alone. */
static void A33_a_rule_never_lowers_and_is_never_lowered(void **state)
{
    (void)state;
    for (unsigned n = 0; n < LEVELS * LEVELS * 5 * 5 * 2 * 2 * 2 * 2; n++) {
        unsigned at = n;
        struct tls_level_settings settings = {.mta_sts = true};
        settings.level = (enum tls_level)(at % LEVELS), at /= LEVELS;
        struct tls_hop hop = hop_of_rule((enum tls_level)(at % LEVELS), DANE_UNKNOWN);
        at /= LEVELS;
        hop.known.dane = (enum dane_state)(at % 5), at /= 5;
        hop.known.sts = (enum sts_state)(at % 5), at /= 5;
        hop.known.sts_has_host = at % 2, at /= 2;
        hop.requiretls = at % 2, at /= 2;
        hop.tls_optional = at % 2, at /= 2;
        settings.policies = here;
        settings.n_policies = at % 2;
        const struct tls_level_settings rule_alone = {.level = hop.rule.level};
        struct tls_hop without = hop, alone = hop;
        without.rule = alone.rule = (struct tls_rule){0};
        alone.requiretls = alone.tls_optional = false;
        struct tls_demand d = tls_level_decide(&settings, &hop);
        struct tls_demand destination = tls_level_decide(&settings, &without);
        struct tls_demand rule = tls_level_decide(&rule_alone, &alone);
        assert_false(less_strict(&d, &destination));
        /* What has a certificate for the domain needs no DANE. */
        if (d.level != TLS_LEVEL_SECURE || rule.verdict == TLS_TRY)
            assert_false(less_strict(&d, &rule));
        assert_int_equal(d.requiretls, hop.requiretls);
        assert_int_equal(d.by_policy, d.by_policy && settings.n_policies == 1);
        if (hop.rule.level == TLS_LEVEL_NONE)
            assert_false(d.by_rule);
    }
}

/* The domain's own policy still decides where it asks for as much: its hosts, and their names. */
static void a_rule_beside_mta_sts(void **state)
{
    (void)state;
    static const struct {
        enum tls_level by_rule;
        enum sts_state sts;
        bool has_host;
        enum tls_verdict verdict;
        const char *words, *match_name;
    } rows[] = {
        {TLS_LEVEL_SECURE, STS_ENFORCE, true, TLS_TRY, "level secure by mta-sts enforce", "mx.example.net"},
        {TLS_LEVEL_DANE_ONLY, STS_ENFORCE, true, TLS_TRY, "level secure by mta-sts enforce",
         "mx.example.net"},
        {TLS_LEVEL_SECURE, STS_ENFORCE, false, TLS_LACKING,
         "level secure by mta-sts enforce (its policy does not name the host)", "mx.example.net"},
        {TLS_LEVEL_SECURE, STS_FAILED, false, TLS_WAIT, "level may by delivery tls (WHY)", NULL},
        {TLS_LEVEL_SECURE, STS_TESTING, true, TLS_TRY, "level secure by rule \"confidential\"",
         "example.com"},
        {TLS_LEVEL_ENCRYPT, STS_NONE, false, TLS_TRY, "level encrypt by rule \"confidential\"", NULL},
    };
    const struct tls_level_settings settings = {.level = TLS_LEVEL_MAY, .mta_sts = true};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char words[300];
        struct tls_hop hop = hop_of_rule(rows[i].by_rule, DANE_UNKNOWN);
        hop.known.sts = rows[i].sts;
        hop.known.sts_has_host = rows[i].has_host;
        hop.known.sts_why = "WHY";
        assert_true(tls_level_asks_sts(&settings, &hop));
        assert_false(tls_level_asks_dane(&settings, &hop));
        struct tls_demand d = tls_level_decide(&settings, &hop);
        tls_demand_words(&d, words, sizeof words);
        assert_string_equal(words, rows[i].words);
        assert_int_equal(d.verdict, rows[i].verdict);
        if (rows[i].match_name)
            assert_string_equal(d.match_name, rows[i].match_name);
        if (rows[i].sts == STS_TESTING)
            assert_string_equal(d.test_name, "mx.example.net");
    }
}

/* Who wrote the mail may ask for more, not for less. */
static void a_rule_beside_the_senders_wishes(void **state)
{
    (void)state;
    const struct tls_level_settings dane = {.level = TLS_LEVEL_DANE}, may = {.level = TLS_LEVEL_MAY},
                                    policy = {.level = TLS_LEVEL_MAY, .policies = here, .n_policies = 1};
    struct tls_hop hop = hop_of_rule(TLS_LEVEL_DANE, DANE_USABLE);
    hop.tls_optional = true;
    assert_true(tls_level_asks_dane(&dane, &hop));
    struct tls_demand d = tls_level_decide(&dane, &hop);
    assert_int_equal(d.level, TLS_LEVEL_DANE);
    assert_string_equal(d.why, "confidential");
    assert_true(d.by_rule);
    hop.rule.level = TLS_LEVEL_SECURE;
    assert_false(tls_level_asks_dane(&dane, &hop));
    assert_int_equal(tls_level_decide(&dane, &hop).level, TLS_LEVEL_SECURE);

    /* REQUIRETLS raises what the rule leaves; a name that DNSSEC vouches for will do for it, not for the
     * rule. */
    hop = hop_of_rule(TLS_LEVEL_VERIFY, DANE_UNKNOWN);
    hop.requiretls = true;
    d = tls_level_decide(&may, &hop);
    assert_string_equal(d.why, "REQUIRETLS");
    assert_false(d.by_rule);
    assert_string_equal(d.match_name, "mx.example.net");
    hop.rule.level = TLS_LEVEL_SECURE;
    d = tls_level_decide(&may, &hop);
    assert_true(d.requiretls && d.by_rule);
    assert_string_equal(d.match_name, "example.com");

    /* A tls-policy that asks for less is raised, and is still known to be there; a fixed route has its own
     * name. */
    hop = hop_of_rule(TLS_LEVEL_SECURE, DANE_UNKNOWN);
    hop.fixed_route = true;
    d = tls_level_decide(&policy, &hop);
    assert_true(d.by_rule && d.by_policy);
    assert_string_equal(d.match_name, "mx.example.net");
}

static void who_demands_it_in_words(void **state)
{
    (void)state;
    char words[300], small[19];
    const struct tls_level_settings may = {.level = TLS_LEVEL_MAY};
    struct tls_hop hop = hop_of_rule(TLS_LEVEL_SECURE, DANE_UNKNOWN);
    struct tls_demand d = tls_level_decide(&may, &hop);
    tls_demand_source(&d, words, sizeof words);
    assert_string_equal(words, "rule \"confidential\"");
    tls_demand_source(&d, small, sizeof small);
    assert_string_equal(small, "rule \"confidential");
    hop.rule = (struct tls_rule){.level = TLS_LEVEL_ENCRYPT}; /* a name that nobody knows any more */
    d = tls_level_decide(&may, &hop);
    tls_demand_words(&d, words, sizeof words);
    assert_string_equal(words, "level encrypt by rule \"\"");
    d = tls_level_decide(&(struct tls_level_settings){TLS_LEVEL_MAY, here, 1}, &hop);
    tls_demand_source(&d, words, sizeof words);
    assert_string_equal(words, "tls-policy example.com");
    hop.domain = "else.example";
    hop.rule.level = TLS_LEVEL_NONE;
    d = tls_level_decide(&may, &hop);
    tls_demand_source(&d, words, sizeof words);
    assert_string_equal(words, "delivery tls");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_raises_what_the_destination_demands),
        cmocka_unit_test(A33_a_rule_never_lowers_and_is_never_lowered),
        cmocka_unit_test(a_rule_beside_mta_sts),
        cmocka_unit_test(a_rule_beside_the_senders_wishes),
        cmocka_unit_test(who_demands_it_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
