#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/policy/tls_level.h"

static void words(void **state)
{
    (void)state;
    static const char *const expected[] = {"none", "may", "encrypt", "verify", "secure"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(tls_level_word((enum tls_level)i), expected[i]);
    assert_string_equal(tls_level_word(TLS_LEVEL_SECURE), "secure");
    assert_null(tls_level_word((enum tls_level)5));
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
    for (int i = 0; i < 5; i++) {
        struct tls_level_settings settings = {.level = (enum tls_level)i};
        const struct tls_hop hop = {
            .domain = "example.com", .mx_host = "mx.example.net", .mx_secure = i % 2 == 0};
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
                                    .mx_secure = rows[i].mx_secure,
                                    .requiretls = true};
        struct tls_demand d = tls_level_decide(&settings, &hop);
        assert_int_equal(d.level, TLS_LEVEL_SECURE);
        assert_true(d.requiretls);
        assert_string_equal(d.match_name, rows[i].match_name);
        assert_string_equal(d.why, rows[i].why);
    }
}

static void A33_only_may_and_none_allow_clear(void **state)
{
    (void)state;
    assert_true(tls_level_allows_clear(TLS_LEVEL_NONE));
    assert_true(tls_level_allows_clear(TLS_LEVEL_MAY));
    assert_false(tls_level_allows_clear(TLS_LEVEL_ENCRYPT));
    assert_false(tls_level_allows_clear(TLS_LEVEL_VERIFY));
    assert_false(tls_level_allows_clear(TLS_LEVEL_SECURE));
    assert_false(tls_level_allows_clear((enum tls_level)99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(the_nearest_policy_decides),
        cmocka_unit_test(a_dotted_policy_covers_the_domain_itself),
        cmocka_unit_test(the_default_without_policies),
        cmocka_unit_test(requiretls_raises_every_level),
        cmocka_unit_test(A33_only_may_and_none_allow_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
