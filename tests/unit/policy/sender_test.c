#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/policy/sender.h"

struct row {
    const char *pattern, *address;
    bool owned;
};

static void see(const struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *const patterns[] = {(char *)(uintptr_t)rows[i].pattern};
        if (sender_owns(patterns, 1, rows[i].address) != rows[i].owned)
            fail_msg("\"%s\" and \"%s\": not %d", rows[i].pattern, rows[i].address, rows[i].owned);
    }
}

#define SEE(rows) see(rows, sizeof rows / sizeof rows[0])

static void patterns_own_what_they_say(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"alice@example.org", "alice@example.org", true},
        {"alice@example.org", "ALICE@Example.ORG", true},
        {"Alice@EXAMPLE.org", "alice@example.org", true},
        {"alice@example.org", "\"alice\"@example.org", true}, /* RFC 5321 §4.1.2: quotes that need not be */
        {"\"alice\"@example.org", "alice@example.org", true},
        {"\"al ice\"@example.org", "\"al\\ ice\"@example.org", true},
        {"alice@example.org", "bob@example.org", false},
        {"alice@example.org", "alice@sub.example.org", false},
        {"@example.org", "anyone@EXAMPLE.org", true},
        {"@example.org", "\"a@b\"@example.org", true},
        {"@example.org", "anyone@sub.example.org", false},
        {".example.org", "anyone@example.org", true},
        {".example.org", "anyone@a.b.example.org", true},
        {".example.org", "anyone@notexample.org", false},
        {"alice+*@example.org", "alice+shop@example.org", true},
        {"alice+*@example.org", "alice@example.org", false},
        {"al?ce@example.org", "alice@example.org", true},
        {"*@example.org", "anyone@example.org", true},
        {"*@*", "anyone@anywhere.example", true},
        {"alice@*.example.org", "alice@a.example.org", true},
        {"@[192.0.2.1]", "alice@[192.0.2.1]", true},
        {"*", "anyone@anywhere.example", true},
        {"*", "", true},
        {"*", "no address", true},
    };
    SEE(rows);
}

static void international_addresses(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"@m\xc3\xbcnchen.example", "x@xn--mnchen-3ya.example", true},
        {"@xn--mnchen-3ya.example", "x@M\xc3\x9cNCHEN.example", true},
        {"@xn--mnchen-3ya.example", "x@mu\xcc\x88nchen.example", true}, /* NFC */
        {".m\xc3\xbcnchen.example", "x@a.xn--mnchen-3ya.example", true},
        {"@munchen.example", "x@m\xc3\xbcnchen.example", false},
        {"@stra\xc3\x9f"
         "e.example",
         "x@stra\xc3\x9f"
         "e.example",
         true},
        {"@strasse.example",
         "x@stra\xc3\x9f"
         "e.example",
         false},
        {"j\xc3\xbcrgen@example.org", "J\xc3\x9cRGEN@example.org", true},
        {"j\xc3\xbcrgen@example.org", "ju\xcc\x88rgen@example.org", true},
        {"jurgen@example.org", "j\xc3\xbcrgen@example.org", false},
        {"\xff@example.org", "\xff@example.org", false},
    };
    SEE(rows);
}

static void test_a8_nothing_matches_by_accident(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* Names that begin, end or go on alike. */
        {"alice@example.org", "alice@example.org.evil.example", false},
        {"alice@example.org", "xalice@example.org", false},
        {"alice@example.org", "alice@example.org.", false},
        {"@example.org", "alice@example.org.", false},
        {"@example.org", "alice@.example.org", false},
        {"@example.org", "alice@xexample.org", false},
        /* Two "@", and a pattern's wildcard between them. */
        {"@example.org", "alice@evil.example@example.org", false},
        {"alice@example.org", "\"alice@example.org\"@evil.example", false},
        {"@example.org", "\"x@example.org\"@evil.example", false},
        {"*@example.*", "\"x@example.org\"@evil.net", false},
        {"alice@*", "\"alice@x\"@evil.example", false},
        {"*@example.org*", "\"x@example.org\"@evil.example", false},
        /* Percent, bang, source routes: other local parts, or no address. */
        {"alice@example.org", "alice%evil.example@example.org", false},
        {"alice@example.org", "evil.example!alice@example.org", false},
        {"@example.org", "@example.org:ceo@evil.example", false},
        {"@example.org", "@example.org", false},
        /* What is no addr-spec. */
        {"alice@example.org", "<alice@example.org>", false},
        {"alice@example.org", "alice@example.org (comment)", false},
        {"alice@example.org", "(comment)alice@example.org", false},
        {"alice@example.org", "alice(comment)@example.org", false},
        {"alice@example.org", " alice@example.org", false},
        {"alice@example.org", "alice@example.org ", false},
        {"alice@example.org", "alice @example.org", false},
        {"alice@example.org", "alice@example.org,ceo@evil.example", false},
        {"alice@example.org", "alice@example.org\r\nFrom: ceo@evil.example", false},
        {"@example.org", "ceo@evil.example\n@example.org", false},
        {"@example.org", "group:alice@example.org;", false},
        {"alice@example.org", "alice..x@example.org", false},
        {"alice@example.org", ".alice@example.org", false},
        {"alice@example.org", "alice", false},
        {"@example.org", "example.org", false},
        {"@example.org", "", false},
        /* Characters that look like others, or like nothing. */
        {"kim@example.org", "\xe2\x84\xaaim@example.org", false},      /* Kelvin sign */
        {"sam@example.org", "\xc5\xbf\x61m@example.org", false},       /* long s */
        {"alice@example.org", "\xd0\xb0lice@example.org", false},      /* Cyrillic a */
        {"alice@example.org", "\xef\xbd\x81lice@example.org", false},  /* full-width a */
        {"alice@example.org", "al\xe2\x80\x8bice@example.org", false}, /* zero-width space */
        {"office@example.org",
         "o\xef\xac\x83"
         "ce@example.org",
         false},                                                  /* ligature */
        {"i@example.org", "\xc4\xb0@example.org", false},         /* dotted I */
        {"@example.org", "alice@ex\xd0\xb0mple.org", false},      /* Cyrillic a */
        {"@example.org", "alice@\xef\xbd\x85xample.org", false},  /* full-width e */
        {"@example.org", "alice@exa\xc2\xadmple.org", false},     /* soft hyphen */
        {"@example.org", "alice@exa\xe2\x80\x8bmple.org", false}, /* zero-width space */
        {"@example.org", "alice@example\xe3\x80\x82org", false},  /* ideographic full stop */
        {"@example.org", "alice@example\xef\xbc\x8eorg", false},  /* full-width full stop */
        {"@example.org", "alice@\xe2\x93\x94xample.org", false},  /* circled e */
        /* A pattern that is no address pattern owns nothing. */
        {"alice", "alice@example.org", false},
        {"", "alice@example.org", false},
        {"", "", false},
        {"*.org", "alice@example.org", false},
        {"?", "a@b", false},
    };
    SEE(rows);
}

static void no_pattern_is_nobody(void **state)
{
    (void)state;
    assert_false(sender_owns(NULL, 0, "alice@example.org"));
    assert_false(sender_owns(NULL, 0, ""));
    assert_false(sender_is_anybody(NULL, 0));
    char first[] = "bob@example.org", second[] = "@example.net", third[] = "alice@example.org";
    char *const patterns[] = {first, second, third};
    assert_true(sender_owns(patterns, 3, "alice@example.org"));
    assert_true(sender_owns(patterns, 3, "x@example.net"));
    assert_false(sender_owns(patterns, 3, "carol@example.org"));
    assert_false(sender_is_anybody(patterns, 3));
}

static void refusals_say_what_to_do(void **state)
{
    (void)state;
    char text[300];
    sender_refusal("ceo@example.org", "alice", "", text, sizeof text);
    assert_non_null(strstr(text, "<ceo@example.org> is not an address of user alice: "));
    assert_non_null(strstr(text, "administrator for an account section with send-as"));
    sender_refusal("ceo@example.org", "", "scanner", text, sizeof text);
    assert_non_null(strstr(text, "<ceo@example.org> is not an address of relay client scanner: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_own_what_they_say),           cmocka_unit_test(international_addresses),
        cmocka_unit_test(test_a8_nothing_matches_by_accident),  cmocka_unit_test(no_pattern_is_nobody),
        cmocka_unit_test(names_with_wildcards_are_not_literal), cmocka_unit_test(refusals_say_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
