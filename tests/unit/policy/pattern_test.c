#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/policy/pattern.h"

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *value;
        bool match;
    } rows[] = {
        {"bob@example.com", "bob@example.com", true},
        {"bob@example.com", "BOB@Example.COM", true},
        {"Bob@EXAMPLE.com", "bob@example.com", true},
        {"bob@example.com", "\"bob\"@example.com", true}, /* RFC 5321 §4.1.2: quotes that need not be */
        {"bob@example.com", "bobby@example.com", false},
        {"bob@example.com", "bob@example.com.evil.example", false},
        {"bob@example.com", "xbob@example.com", false},
        {"bob@example.com", "bob@mail.example.com", false},
        {"@example.com", "anyone@example.com", true},
        {"@example.com", "anyone@EXAMPLE.com", true},
        {"@example.com", "\"a@b\"@example.com", true},
        {"@example.com", "\"x@example.com\"@example.net", false},
        {"@example.com", "anyone@sub.example.com", false},
        {"@example.com", "anyone@notexample.com", false},
        {"@example.com", "", false},
        {"@example.com", "example.com", false},
        {".example.com", "anyone@example.com", true},
        {".example.com", "anyone@sub.example.com", true},
        {".example.com", "anyone@a.b.EXAMPLE.com", true},
        {".example.com", "anyone@notexample.com", false},
        {".example.com", "x.example.com@example.net", false},
        {".example.com", "", false},
        {"*@example.com", "anyone@example.com", true},
        {"b?b@example.com", "bob@example.com", true},
        {"b?b@example.com", "bb@example.com", false},
        {"@*.example.com", "x@a.example.com", true},
        {"@*.example.com", "x@example.com", false},
        {"@mx?.example.com", "x@mx1.example.com", true},
        {"*", "x@example.com", true},
        {"*", "", true},
        {"", "", true},
        {"", "x@example.com", false},
        {"[ab]ob@example.com", "bob@example.com", false}, /* only * and ? are wild */
        {"b\\ob@example.com", "bob@example.com", false},
        /* Domains as A-labels, whichever way either is written (RFC 5890). */
        {"@m\xc3\xbcnchen.example", "x@xn--mnchen-3ya.example", true},
        {"@xn--mnchen-3ya.example", "x@M\xc3\x9cNCHEN.example", true},
        {"*@m\xc3\xbcnchen.example", "x@m\xc3\xbcnchen.example", true},
        {".m\xc3\xbcnchen.example", "x@a.xn--mnchen-3ya.example", true},
        {"@*.m\xc3\xbcnchen.example", "x@a.m\xc3\xbcnchen.example", true},
        {"@munchen.example", "x@m\xc3\xbcnchen.example", false},
        {"j\xc3\xbcrgen@example.com", "J\xc3\x9cRGEN@example.com", true},
        {"j\xc3\xbcrgen@example.com", "ju\xcc\x88rgen@example.com", true}, /* NFC */
        {"\xff@example.com", "bob@example.com", false},
        {"?@example.com", "\xff@example.com", true}, /* not UTF-8: one odd character, no overrun */
        {"bob\xe2", "bob\xe2", true},
        /* Users are no addresses. */
        {"alice", "Alice", true},
        {"alice", "alice2", false},
        {"ali*", "alice", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (pattern_matches(rows[i].pattern, rows[i].value) != rows[i].match)
            fail_msg("\"%s\" and \"%s\": not %d", rows[i].pattern, rows[i].value, rows[i].match);
    }
    assert_false(pattern_matches("*", NULL));
}

static void texts(void **state)
{
    (void)state;
    static const struct {
        const char *needle, *text;
        bool found;
    } rows[] = {
        {"[confidential]", "Re: [Confidential] offer", true},
        {"[confidential]", "Re: confidential", false},
        {"streng", "STRENG GEHEIM", true},
        {"stra\xc3\x9f"
         "e",
         "STRASSE", true},                                           /* casefold */
        {"\xc3\xbc", "u\xcc\x88", true},                             /* composed, decomposed */
        {"secret", "\xef\xbc\xb3\xef\xbc\xa5\xef\xbc\xa3RET", true}, /* full width: NFKC */
        {"office",
         "o\xef\xac\x83"
         "ce",
         true}, /* ligature */
        {"secret",
         "s\xd0\xb5"
         "cret",
         false}, /* another alphabet */
        {"secret",
         "sec\xff"
         "ret",
         false},
        {"ret",
         "sec\xff"
         "ret",
         true},
        {"\xef\xbc\xb3\xef\xbc\xa5\xef\xbc\xa3", "secret", true},
        {"", "anything", true},
        {"x", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (pattern_in_text(rows[i].needle, rows[i].text, TEXT_STRICT) != rows[i].found)
            fail_msg("\"%s\" in \"%s\": not %d", rows[i].needle, rows[i].text, rows[i].found);
    }
    assert_false(pattern_in_text("x", NULL, TEXT_STRICT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
