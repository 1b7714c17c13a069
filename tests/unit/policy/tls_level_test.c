#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gateway/policy/tls_level.h"

#define LEVELS (TLS_LEVEL_SECURE + 1)

static void words(void **state)
{
    (void)state;
    static const char *const expected[] = {"none", "may", "encrypt", "dane", "dane-only", "verify", "secure"};
    for (int i = 0; i < LEVELS; i++)
        assert_string_equal(tls_level_word((enum tls_level)i), expected[i]);
    assert_string_equal(tls_level_word(TLS_LEVEL_SECURE), "secure");
    assert_null(tls_level_word((enum tls_level)LEVELS));
    assert_null(tls_level_word((enum tls_level)600));
}

static const struct tls_policy policies[] = {
    {".example", TLS_LEVEL_NONE},          {".partner.example", TLS_LEVEL_VERIFY},
    {"partner.example", TLS_LEVEL_SECURE}, {"Legacy.example", TLS_LEVEL_ENCRYPT},
    {"partner.example", TLS_LEVEL_MAY}, /* said twice: the first counts */
};

static void the_nearest_policy_decides(void **state)
{
    (void)state;
    static const struct tls_level_settings settings = {TLS_LEVEL_MAY, policies, 5};
    static const struct {
        const char *domain;
        bool fixed_route;
        enum tls_level level;
        const char *match_name, *why;
    } rows[] = {
        {"partner.example", false, TLS_LEVEL_SECURE, "partner.example", "partner.example"},
        {"PARTNER.Example", false, TLS_LEVEL_SECURE, "PARTNER.Example", "partner.example"},
        {"partner.example", true, TLS_LEVEL_SECURE, "mx.example.net", "partner.example"},
        {"a.partner.example", false, TLS_LEVEL_VERIFY, "mx.example.net", ".partner.example"},
        {"a.b.partner.example", true, TLS_LEVEL_VERIFY, "mx.example.net", ".partner.example"},
        {"notpartner.example", false, TLS_LEVEL_NONE, NULL, ".example"},
        {"legacy.example", false, TLS_LEVEL_ENCRYPT, NULL, "Legacy.example"},
        {"sub.legacy.example", false, TLS_LEVEL_NONE, NULL, ".example"},
        {"example", false, TLS_LEVEL_NONE, NULL, ".example"},
        {"example.com", false, TLS_LEVEL_MAY, NULL, "delivery tls"},
        {"badexample", false, TLS_LEVEL_MAY, NULL, "delivery tls"},
        {"", false, TLS_LEVEL_MAY, NULL, "delivery tls"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tls_hop hop = {
            .domain = rows[i].domain, .mx_host = "mx.example.net", .fixed_route = rows[i].fixed_route};
        struct tls_demand d = tls_level_decide(&settings, &hop);
        assert_false(d.requiretls);
        assert_int_equal(d.level, rows[i].level);
        assert_string_equal(d.why, rows[i].why);
        if (rows[i].match_name)
            assert_string_equal(d.match_name, rows[i].match_name);
        else
            assert_null(d.match_name);
    }
}

/* As Postfix's secure: nexthop, dot-nexthop. A name that somebody vouches for is meant alone. */
static void a_name_below_will_do_for_a_domain_alone(void **state)
{
    (void)state;
    static const struct {
        enum tls_level level;
        struct tls_hop hop;
        bool below;
    } rows[] = {
        {TLS_LEVEL_SECURE, {.domain = "example.com"}, true},
        {TLS_LEVEL_MAY, {.domain = "example.com", .requiretls = true}, true},
        {TLS_LEVEL_SECURE, {.domain = "example"}, false},
        {TLS_LEVEL_SECURE, {.domain = "[192.0.2.1]"}, false},
        {TLS_LEVEL_SECURE, {.domain = "example.com", .fixed_route = true}, false},
        {TLS_LEVEL_VERIFY, {.domain = "example.com"}, false},
        {TLS_LEVEL_ENCRYPT, {.domain = "example.com"}, false},
        {TLS_LEVEL_MAY, {.domain = "example.com", .requiretls = true, .known = {.mx_secure = true}}, false},
        {TLS_LEVEL_MAY,
         {.domain = "example.com", .known = {.sts = STS_ENFORCE, .sts_has_host = true}},
         false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tls_level_settings settings = {.level = rows[i].level,
                                                    .mta_sts = rows[i].hop.known.sts == STS_ENFORCE};
        struct tls_hop hop = rows[i].hop;
        hop.mx_host = "mx.example.net";
        assert_int_equal(tls_level_decide(&settings, &hop).match_below, rows[i].below);
    }
}

static void a_dotted_policy_covers_the_domain_itself(void **state)
{
    (void)state;
    static const struct tls_level_settings settings = {TLS_LEVEL_MAY, policies, 2};
    static const struct tls_hop hop = {.domain = "partner.example", .mx_host = "mx.example.net"};
    struct tls_demand d = tls_level_decide(&settings, &hop);
    assert_int_equal(d.level, TLS_LEVEL_VERIFY);
}

static void the_default_without_policies(void **state)
{
    (void)state;
    for (int i = 0; i < LEVELS; i++) {
        struct tls_level_settings settings = {.level = (enum tls_level)i};
        const struct tls_hop hop = {.domain = "example.com",
                                    .mx_host = "mx.example.net",
                                    .known = {.mx_secure = i % 2 == 0, .dane = DANE_USABLE}};
        struct tls_demand d = tls_level_decide(&settings, &hop);
        assert_int_equal(d.level, i);
        assert_int_equal(d.match_name != NULL, i >= TLS_LEVEL_VERIFY);
    }
}

/* RFC 8689 §4.2.1: whatever the policies say, a verified certificate; and for the right name. */
static void requiretls_raises_every_level(void **state)
{
    (void)state;
    static const struct {
        enum tls_level level;
        bool fixed_route, mx_secure;
        const char *match_name, *why;
    } rows[] = {
        {TLS_LEVEL_NONE, false, false, "example.com", "REQUIRETLS"},
        {TLS_LEVEL_MAY, false, false, "example.com", "REQUIRETLS"},
        {TLS_LEVEL_ENCRYPT, false, false, "example.com", "REQUIRETLS"},
        {TLS_LEVEL_VERIFY, false, false, "example.com", "REQUIRETLS"},
        {TLS_LEVEL_SECURE, false, false, "example.com", "delivery tls"},
        {TLS_LEVEL_MAY, false, true, "mx.example.net", "REQUIRETLS"},
        {TLS_LEVEL_VERIFY, false, true, "mx.example.net", "REQUIRETLS"},
        {TLS_LEVEL_SECURE, false, true, "example.com", "delivery tls"},
        {TLS_LEVEL_NONE, true, false, "mx.example.net", "REQUIRETLS"},
        {TLS_LEVEL_SECURE, true, false, "mx.example.net", "delivery tls"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tls_level_settings settings = {.level = rows[i].level};
        const struct tls_hop hop = {.domain = "example.com",
                                    .mx_host = "mx.example.net",
                                    .fixed_route = rows[i].fixed_route,
                                    .known = {.mx_secure = rows[i].mx_secure},
                                    .requiretls = true};
        struct tls_demand d = tls_level_decide(&settings, &hop);
        assert_int_equal(d.level, TLS_LEVEL_SECURE);
        assert_true(d.requiretls);
        assert_string_equal(d.match_name, rows[i].match_name);
        assert_string_equal(d.why, rows[i].why);
    }
}

/* RFC 7672 §2.1, §2.2, §3.1: what the answers of DNS make of each level. */
static void A33_dane_is_decided_by_what_is_known(void **state)
{
    (void)state;
    static const struct {
        enum tls_level asked;
        enum dane_state dane;
        enum tls_level level;
        enum tls_verdict verdict;
        const char *words;
    } rows[] = {
        {TLS_LEVEL_DANE, DANE_USABLE, TLS_LEVEL_DANE, TLS_TRY, "level dane by delivery tls"},
        {TLS_LEVEL_DANE, DANE_UNUSABLE, TLS_LEVEL_ENCRYPT, TLS_TRY,
         "level encrypt by delivery tls (dane: WHY)"},
        {TLS_LEVEL_DANE, DANE_NONE, TLS_LEVEL_MAY, TLS_TRY, "level may by delivery tls (dane: WHY)"},
        {TLS_LEVEL_DANE, DANE_FAILED, TLS_LEVEL_DANE, TLS_WAIT, "level dane by delivery tls (WHY)"},
        {TLS_LEVEL_DANE, DANE_UNKNOWN, TLS_LEVEL_DANE, TLS_WAIT, "level dane by delivery tls (WHY)"},
        {TLS_LEVEL_DANE, (enum dane_state)99, TLS_LEVEL_DANE, TLS_WAIT, "level dane by delivery tls (WHY)"},
        {TLS_LEVEL_DANE_ONLY, DANE_USABLE, TLS_LEVEL_DANE_ONLY, TLS_TRY, "level dane-only by delivery tls"},
        {TLS_LEVEL_DANE_ONLY, DANE_UNUSABLE, TLS_LEVEL_DANE_ONLY, TLS_LACKING,
         "level dane-only by delivery tls (WHY)"},
        {TLS_LEVEL_DANE_ONLY, DANE_NONE, TLS_LEVEL_DANE_ONLY, TLS_LACKING,
         "level dane-only by delivery tls (WHY)"},
        {TLS_LEVEL_DANE_ONLY, DANE_FAILED, TLS_LEVEL_DANE_ONLY, TLS_WAIT,
         "level dane-only by delivery tls (WHY)"},
        {TLS_LEVEL_DANE_ONLY, DANE_UNKNOWN, TLS_LEVEL_DANE_ONLY, TLS_WAIT,
         "level dane-only by delivery tls (WHY)"},
        {TLS_LEVEL_MAY, DANE_USABLE, TLS_LEVEL_MAY, TLS_TRY, "level may by delivery tls"},
        {TLS_LEVEL_MAY, DANE_FAILED, TLS_LEVEL_MAY, TLS_TRY, "level may by delivery tls"},
        {TLS_LEVEL_ENCRYPT, DANE_NONE, TLS_LEVEL_ENCRYPT, TLS_TRY, "level encrypt by delivery tls"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char words[300];
        const struct tls_level_settings settings = {.level = rows[i].asked};
        const struct tls_hop hop = {.domain = "example.com",
                                    .mx_host = "mx.example.net",
                                    .known = {.mx_secure = true, .dane = rows[i].dane, .dane_why = "WHY"}};
        struct tls_demand d = tls_level_decide(&settings, &hop);
        tls_demand_words(&d, words, sizeof words);
        assert_string_equal(words, rows[i].words);
        assert_int_equal(d.level, rows[i].level);
        assert_int_equal(d.verdict, rows[i].verdict);
        assert_null(d.match_name);
        assert_int_equal(tls_level_asks_dane(&settings, &hop),
                         rows[i].asked == TLS_LEVEL_DANE || rows[i].asked == TLS_LEVEL_DANE_ONLY);
        /* Clear is left to mail only where nothing was found and nothing is demanded. */
        if (rows[i].asked != TLS_LEVEL_MAY)
            assert_int_equal(d.verdict == TLS_TRY && tls_level_allows_clear(d.level),
                             rows[i].asked == TLS_LEVEL_DANE && rows[i].dane == DANE_NONE);
    }
}

/* RFC 8689 §4.2.1: DANE that holds will do; where there is none, a trusted certificate. */
static void requiretls_with_dane(void **state)
{
    (void)state;
    static const struct {
        enum tls_level asked;
        enum dane_state dane;
        enum tls_level level;
        enum tls_verdict verdict;
        const char *why;
    } rows[] = {
        {TLS_LEVEL_DANE, DANE_USABLE, TLS_LEVEL_DANE, TLS_TRY, "delivery tls"},
        {TLS_LEVEL_DANE, DANE_UNUSABLE, TLS_LEVEL_SECURE, TLS_TRY, "REQUIRETLS"},
        {TLS_LEVEL_DANE, DANE_NONE, TLS_LEVEL_SECURE, TLS_TRY, "REQUIRETLS"},
        {TLS_LEVEL_DANE, DANE_FAILED, TLS_LEVEL_DANE, TLS_WAIT, "delivery tls"},
        {TLS_LEVEL_DANE_ONLY, DANE_USABLE, TLS_LEVEL_DANE_ONLY, TLS_TRY, "delivery tls"},
        {TLS_LEVEL_DANE_ONLY, DANE_NONE, TLS_LEVEL_DANE_ONLY, TLS_LACKING, "delivery tls"},
        {TLS_LEVEL_DANE_ONLY, DANE_UNUSABLE, TLS_LEVEL_DANE_ONLY, TLS_LACKING, "delivery tls"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct tls_level_settings settings = {.level = rows[i].asked};
        const struct tls_hop hop = {.domain = "example.com",
                                    .mx_host = "mx.example.net",
                                    .requiretls = true,
                                    .tls_optional = true, /* counts for nothing beside REQUIRETLS */
                                    .known = {.mx_secure = true, .dane = rows[i].dane}};
        struct tls_demand d = tls_level_decide(&settings, &hop);
        assert_int_equal(d.level, rows[i].level);
        assert_int_equal(d.verdict, rows[i].verdict);
        assert_string_equal(d.why, rows[i].why);
        assert_true(d.requiretls);
        assert_true(tls_level_asks_dane(&settings, &hop));
        if (rows[i].level == TLS_LEVEL_SECURE)
            assert_string_equal(d.match_name, "mx.example.net");
    }
}

/* RFC 8689 §3: the recipient's own policy is ignored, the administrator's is not. */
static void tls_required_no_sets_dane_aside_and_nothing_else(void **state)
{
    (void)state;
    static const struct tls_policy dane_here[] = {{"example.com", TLS_LEVEL_DANE}};
    for (int i = 0; i < LEVELS; i++) {
        const struct tls_level_settings settings = {.level = (enum tls_level)i};
        const struct tls_hop hop = {.domain = "example.com",
                                    .mx_host = "mx.example.net",
                                    .tls_optional = true,
                                    .known = {.dane = DANE_USABLE}};
        struct tls_demand d = tls_level_decide(&settings, &hop);
        assert_int_equal(d.level, i == TLS_LEVEL_DANE ? TLS_LEVEL_MAY : i);
        assert_int_equal(d.verdict, TLS_TRY);
        assert_int_equal(tls_level_asks_dane(&settings, &hop), i == TLS_LEVEL_DANE_ONLY);
        assert_int_equal(d.reason && strcmp(d.reason, "TLS-Required: No") == 0, i == TLS_LEVEL_DANE);
    }
    const struct tls_level_settings settings = {TLS_LEVEL_DANE, dane_here, 1};
    const struct tls_hop hop = {
        .domain = "example.com", .tls_optional = true, .known = {.dane = DANE_USABLE}};
    assert_int_equal(tls_level_decide(&settings, &hop).level, TLS_LEVEL_DANE);
}

static void dane_may_be_asked_for_by_default_or_by_a_policy(void **state)
{
    (void)state;
    static const struct tls_policy only[] = {{"a.example", TLS_LEVEL_MAY},
                                             {"b.example", TLS_LEVEL_DANE_ONLY}};
    assert_true(tls_level_uses_dane(&(struct tls_level_settings){.level = TLS_LEVEL_DANE}));
    assert_true(tls_level_uses_dane(&(struct tls_level_settings){TLS_LEVEL_MAY, only, 2}));
    assert_false(tls_level_uses_dane(&(struct tls_level_settings){TLS_LEVEL_SECURE, only, 1}));
    assert_true(
        tls_level_uses_dane(&(struct tls_level_settings){TLS_LEVEL_SECURE, only, 1, .rules_dane = true}));
}

/* RFC 8461 §2, §5; what DANE says comes first, what the administrator says before all. */
static void A33_sts_is_decided_by_what_is_known(void **state)
{
    (void)state;
    static const struct {
        enum tls_level asked;
        enum sts_state sts;
        bool has_host;
        enum dane_state dane;
        enum tls_verdict verdict;
        const char *words;
        bool named, tested;
    } rows[] = {
        {TLS_LEVEL_MAY, STS_ENFORCE, true, DANE_UNKNOWN, TLS_TRY, "level secure by mta-sts enforce", true,
         false},
        {TLS_LEVEL_ENCRYPT, STS_ENFORCE, true, DANE_UNKNOWN, TLS_TRY, "level secure by mta-sts enforce", true,
         false},
        {TLS_LEVEL_VERIFY, STS_ENFORCE, true, DANE_UNKNOWN, TLS_TRY, "level secure by mta-sts enforce", true,
         false},
        {TLS_LEVEL_DANE, STS_ENFORCE, true, DANE_NONE, TLS_TRY, "level secure by mta-sts enforce", true,
         false},
        {TLS_LEVEL_DANE, STS_ENFORCE, true, DANE_UNUSABLE, TLS_TRY, "level secure by mta-sts enforce", true,
         false},
        {TLS_LEVEL_MAY, STS_ENFORCE, false, DANE_UNKNOWN, TLS_LACKING,
         "level secure by mta-sts enforce (its policy does not name the host)", true, false},
        {TLS_LEVEL_DANE, STS_ENFORCE, false, DANE_NONE, TLS_LACKING,
         "level secure by mta-sts enforce (its policy does not name the host)", true, false},
        {TLS_LEVEL_DANE, STS_ENFORCE, false, DANE_USABLE, TLS_TRY, "level dane by delivery tls", false,
         false},
        {TLS_LEVEL_DANE, STS_ENFORCE, true, DANE_FAILED, TLS_WAIT, "level dane by delivery tls", false,
         false},
        {TLS_LEVEL_DANE, STS_ENFORCE, true, DANE_UNKNOWN, TLS_WAIT, "level dane by delivery tls", false,
         false},
        {TLS_LEVEL_MAY, STS_TESTING, true, DANE_UNKNOWN, TLS_TRY, "level may by delivery tls", false, true},
        {TLS_LEVEL_MAY, STS_TESTING, false, DANE_UNKNOWN, TLS_TRY,
         "level may by delivery tls (mta-sts testing: its policy does not name the host)", false, true},
        {TLS_LEVEL_DANE, STS_TESTING, true, DANE_UNUSABLE, TLS_TRY, "level encrypt by delivery tls (dane)",
         false, true},
        {TLS_LEVEL_MAY, STS_NONE, false, DANE_UNKNOWN, TLS_TRY, "level may by delivery tls", false, false},
        {TLS_LEVEL_MAY, STS_FAILED, false, DANE_UNKNOWN, TLS_WAIT, "level may by delivery tls (WHY)", false,
         false},
        {TLS_LEVEL_MAY, STS_UNKNOWN, false, DANE_UNKNOWN, TLS_WAIT, "level may by delivery tls (WHY)", false,
         false},
        {TLS_LEVEL_MAY, (enum sts_state)99, true, DANE_UNKNOWN, TLS_WAIT, "level may by delivery tls (WHY)",
         false, false},
        {TLS_LEVEL_NONE, STS_ENFORCE, true, DANE_UNKNOWN, TLS_TRY, "level none by delivery tls", false,
         false},
        {TLS_LEVEL_SECURE, STS_ENFORCE, false, DANE_UNKNOWN, TLS_TRY, "level secure by delivery tls", false,
         false},
        {TLS_LEVEL_DANE_ONLY, STS_ENFORCE, true, DANE_NONE, TLS_LACKING, "level dane-only by delivery tls",
         false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char words[300];
        const struct tls_level_settings settings = {.level = rows[i].asked, .mta_sts = true};
        const struct tls_hop hop = {.domain = "example.com",
                                    .mx_host = "mx.example.net",
                                    .known = {.mx_secure = true,
                                              .dane = rows[i].dane,
                                              .sts = rows[i].sts,
                                              .sts_has_host = rows[i].has_host,
                                              .sts_why = "WHY"}};
        struct tls_demand d = tls_level_decide(&settings, &hop);
        tls_demand_words(&d, words, sizeof words);
        assert_string_equal(words, rows[i].words);
        assert_int_equal(d.verdict, rows[i].verdict);
        if (rows[i].named)
            assert_string_equal(d.match_name, "mx.example.net");
        if (rows[i].tested)
            assert_string_equal(d.test_name, "mx.example.net");
        else
            assert_null(d.test_name);
        if (rows[i].sts == STS_ENFORCE && rows[i].asked != TLS_LEVEL_NONE && d.verdict == TLS_TRY)
            assert_false(tls_level_allows_clear(d.level));
    }
}

static void sts_is_asked_for_where_only_the_default_asks_less(void **state)
{
    (void)state;
    static const struct tls_policy here[] = {{"example.com", TLS_LEVEL_MAY}};
    const struct tls_known enforce = {.sts = STS_ENFORCE, .sts_has_host = true, .dane = DANE_NONE};
    const struct tls_hop plain = {.domain = "example.com", .mx_host = "mx.example.net", .known = enforce};
    for (int i = 0; i < LEVELS; i++) {
        struct tls_level_settings settings = {.level = (enum tls_level)i, .mta_sts = true};
        assert_int_equal(tls_level_asks_sts(&settings, &plain),
                         i != TLS_LEVEL_NONE && i != TLS_LEVEL_DANE_ONLY && i != TLS_LEVEL_SECURE);
        settings.mta_sts = false;
        assert_false(tls_level_asks_sts(&settings, &plain));
        assert_int_not_equal(strcmp(tls_level_decide(&settings, &plain).why, "mta-sts enforce"), 0);
    }
    struct tls_level_settings settings = {.level = TLS_LEVEL_MAY, .mta_sts = true};
    struct tls_hop hop = plain;
    hop.fixed_route = true;
    assert_false(tls_level_asks_sts(&settings, &hop));
    assert_int_equal(tls_level_decide(&settings, &hop).level, TLS_LEVEL_MAY);
    /* TLS-Required: No sets it aside (RFC 8689 §3), but not beside REQUIRETLS. */
    hop = plain;
    hop.tls_optional = true;
    assert_false(tls_level_asks_sts(&settings, &hop));
    assert_int_equal(tls_level_decide(&settings, &hop).level, TLS_LEVEL_MAY);
    hop.requiretls = true;
    assert_true(tls_level_asks_sts(&settings, &hop));
    /* The administrator's word for the domain stands, even where it asks for less. */
    settings.policies = here;
    settings.n_policies = 1;
    assert_false(tls_level_asks_sts(&settings, &plain));
    assert_int_equal(tls_level_decide(&settings, &plain).level, TLS_LEVEL_MAY);
}

/* RFC 8689 §4.2.1: a policy that is enforced vouches for the host's name; one in testing does not. */
static void requiretls_with_sts(void **state)
{
    (void)state;
    const struct tls_level_settings settings = {.level = TLS_LEVEL_MAY, .mta_sts = true};
    struct tls_hop hop = {.domain = "example.com",
                          .mx_host = "mx.example.net",
                          .requiretls = true,
                          .known = {.sts = STS_ENFORCE, .sts_has_host = true}};
    struct tls_demand d = tls_level_decide(&settings, &hop);
    assert_true(d.requiretls);
    assert_int_equal(d.level, TLS_LEVEL_SECURE);
    assert_string_equal(d.why, "mta-sts enforce");
    assert_string_equal(d.match_name, "mx.example.net");
    hop.known.sts_has_host = false;
    assert_int_equal(tls_level_decide(&settings, &hop).verdict, TLS_LACKING);
    for (int i = 0; i < 2; i++) {
        hop.known.sts = i ? STS_TESTING : STS_NONE;
        d = tls_level_decide(&settings, &hop);
        assert_int_equal(d.level, TLS_LEVEL_SECURE);
        assert_string_equal(d.why, "REQUIRETLS");
        assert_string_equal(d.match_name, "example.com");
    }
}

static void A33_only_may_and_none_allow_clear(void **state)
{
    (void)state;
    assert_true(tls_level_allows_clear(TLS_LEVEL_NONE));
    assert_true(tls_level_allows_clear(TLS_LEVEL_MAY));
    assert_false(tls_level_allows_clear(TLS_LEVEL_ENCRYPT));
    assert_false(tls_level_allows_clear(TLS_LEVEL_DANE));
    assert_false(tls_level_allows_clear(TLS_LEVEL_DANE_ONLY));
    assert_false(tls_level_allows_clear(TLS_LEVEL_VERIFY));
    assert_false(tls_level_allows_clear(TLS_LEVEL_SECURE));
    assert_false(tls_level_allows_clear((enum tls_level)99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(the_nearest_policy_decides),
        cmocka_unit_test(a_name_below_will_do_for_a_domain_alone),
        cmocka_unit_test(a_dotted_policy_covers_the_domain_itself),
        cmocka_unit_test(the_default_without_policies),
        cmocka_unit_test(requiretls_raises_every_level),
        cmocka_unit_test(A33_dane_is_decided_by_what_is_known),
        cmocka_unit_test(requiretls_with_dane),
        cmocka_unit_test(tls_required_no_sets_dane_aside_and_nothing_else),
        cmocka_unit_test(dane_may_be_asked_for_by_default_or_by_a_policy),
        cmocka_unit_test(A33_sts_is_decided_by_what_is_known),
        cmocka_unit_test(sts_is_asked_for_where_only_the_default_asks_less),
        cmocka_unit_test(requiretls_with_sts),
        cmocka_unit_test(A33_only_may_and_none_allow_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
