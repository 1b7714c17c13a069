/* Paths, domains, address literals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/wire/domain.h"
#include "gateway/wire/path.h"

static void assert_span(struct span got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.p, want, got.len);
}

struct path_case {
    const char *text;
    enum path_result result;
    const char *address, *rest;
};

static const struct path_case both[] = {
    {"<alice@example.org>", PATH_OK, "alice@example.org", ""},
    {"<alice@example.org> SIZE=5", PATH_OK, "alice@example.org", " SIZE=5"},
    {"<a.b+tag@sub.example.org>", PATH_OK, "a.b+tag@sub.example.org", ""},
    {"<\"a b\"@example.org>", PATH_OK, "\"a b\"@example.org", ""},
    {"<\"a>b\\\"c\"@example.org> X=1", PATH_OK, "\"a>b\\\"c\"@example.org", " X=1"},
    {"<\"\"@example.org>", PATH_OK, "\"\"@example.org", ""},
    {"<a@[192.0.2.1]>", PATH_OK, "a@[192.0.2.1]", ""},
    {"<a@[IPv6:2001:db8::1]>", PATH_OK, "a@[IPv6:2001:db8::1]", ""},
    {"<{x}|~'`^=?/*&$#-_@example.org>", PATH_OK, "{x}|~'`^=?/*&$#-_@example.org", ""},
    {"<a@localhost>", PATH_OK, "a@localhost", ""},
    {"<a@xn--bcher-kva.example>", PATH_OK, "a@xn--bcher-kva.example", ""},
    /* not a path */
    {"", PATH_SYNTAX, NULL, NULL},
    {"alice@example.org", PATH_SYNTAX, NULL, NULL},
    {" <alice@example.org>", PATH_SYNTAX, NULL, NULL},
    {"<alice@example.org", PATH_SYNTAX, NULL, NULL},
    {"<alice@example.org>x", PATH_SYNTAX, NULL, NULL},
    {"<alice@example.org>>", PATH_SYNTAX, NULL, NULL},
    {"<<alice@example.org>>", PATH_SYNTAX, NULL, NULL},
    {"<alice>", PATH_SYNTAX, NULL, NULL},
    {"<alice@>", PATH_SYNTAX, NULL, NULL},
    {"<@>", PATH_ROUTE, NULL, NULL},
    {"< >", PATH_SYNTAX, NULL, NULL},
    {"<a b@example.org>", PATH_SYNTAX, NULL, NULL},
    {"<.a@example.org>", PATH_SYNTAX, NULL, NULL},
    {"<a.@example.org>", PATH_SYNTAX, NULL, NULL},
    {"<a..b@example.org>", PATH_SYNTAX, NULL, NULL},
    {"<a@b@example.org>", PATH_SYNTAX, NULL, NULL},
    {"<a,b@example.org>", PATH_SYNTAX, NULL, NULL},
    {"<a(comment)@example.org>", PATH_SYNTAX, NULL, NULL},
    {"<\"a\"b@example.org>", PATH_SYNTAX, NULL, NULL},
    {"<\"a@example.org>", PATH_SYNTAX, NULL, NULL},
    {"<\"a\\\"@example.org>", PATH_SYNTAX, NULL, NULL},
    {"<a@example.org.>", PATH_SYNTAX, NULL, NULL},
    {"<a@.example.org>", PATH_SYNTAX, NULL, NULL},
    {"<a@example..org>", PATH_SYNTAX, NULL, NULL},
    {"<a@-example.org>", PATH_SYNTAX, NULL, NULL},
    {"<a@example-.org>", PATH_SYNTAX, NULL, NULL},
    {"<a@exam_ple.org>", PATH_SYNTAX, NULL, NULL},
    {"<a@exam ple.org>", PATH_SYNTAX, NULL, NULL},
    {"<a@[192.0.2]>", PATH_SYNTAX, NULL, NULL},
    {"<a@[192.0.2.256]>", PATH_SYNTAX, NULL, NULL},
    {"<a@[IPv6:192.0.2.1]>", PATH_SYNTAX, NULL, NULL},
    {"<a@[2001:db8::1]>", PATH_SYNTAX, NULL, NULL},
    {"<a@[tag:content]>", PATH_SYNTAX, NULL, NULL},
    {"<a@[192.0.2.1>", PATH_SYNTAX, NULL, NULL},
    {"<a@example.org\x01>", PATH_SYNTAX, NULL, NULL},
    {"<\"a\tb\"@example.org>", PATH_SYNTAX, NULL, NULL},
    {"<\"a\\\x01\"@example.org>", PATH_SYNTAX, NULL, NULL},
};

static void test_both_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
        for (int forward = 0; forward < 2; forward++) {
            struct path path;
            struct span rest;
            struct span text = span_str(both[i].text);
            enum path_result result =
                forward ? path_parse_forward(text, &path, &rest) : path_parse_reverse(text, &path, &rest);
            if (result != both[i].result)
                fail_msg("%s: %d", both[i].text, result);
            if (result != PATH_OK)
                continue;
            assert_span(path.address, both[i].address);
            assert_span(rest, both[i].rest);
            assert_int_equal(path.local_part.len + 1 + path.domain.len, path.address.len);
        }
    }
}

/* RFC 6531 §3.3; whether the client may use them is for MAIL's SMTPUTF8 to say. */
static void test_paths_beyond_ascii(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum path_result result;
    } cases[] = {
        {"<b\xc3\xb6"
         "b@example.org>",
         PATH_OK},
        {"<\xe7\x94\xa8\xe6\x88\xb7@\xe4\xbe\x8b\xe5\xad\x90.\xe5\xb9\xbf\xe5\x91\x8a>", PATH_OK},
        {"<bob@b\xc3\xbc"
         "cher.example>",
         PATH_OK},
        {"<\"b \xc3\xb6\"@example.org>", PATH_OK},
        {"<o\xcc\x88@example.org>", PATH_OK}, /* not normalised, and no reason to refuse */
        {"<\xf0\x9f\x98\x80@example.org>", PATH_OK},
        /* not well-formed: overlong, surrogate, over U+10FFFF, cut, a continuation alone */
        {"<\xc0\xaf@example.org>", PATH_SYNTAX},
        {"<\xe0\x80\xaf@example.org>", PATH_SYNTAX},
        {"<\xed\xa0\x80@example.org>", PATH_SYNTAX},
        {"<\xf4\x90\x80\x80@example.org>", PATH_SYNTAX},
        {"<\xc3@example.org>", PATH_SYNTAX},
        {"<a@example\xc3>", PATH_SYNTAX},
        {"<\x80@example.org>", PATH_SYNTAX},
        {"<\"\xff\"@example.org>", PATH_SYNTAX},
        {"\xc3\xbc", PATH_SYNTAX},
        /* what somebody might take for the end of a line (A9) */
        {"<a\xc2\x85@example.org>", PATH_SYNTAX},
        {"<a\xe2\x80\xa8@example.org>", PATH_SYNTAX},
        {"<\"a\xe2\x80\xa9\"@example.org>", PATH_SYNTAX},
        {"<a@b\xc2\x85.example>", PATH_SYNTAX},
        /* a quoted pair is ASCII */
        {"<\"\\\xc3\xb6\"@example.org>", PATH_SYNTAX},
        /* no U-label, and dots that are none */
        {"<a@\xe2\x82\xac\xc2\xa0.example>", PATH_SYNTAX},
        {"<a@-\xc3\xbc.example>", PATH_SYNTAX},
        {"<a@\xc3\xbc\xe3\x80\x82"
         "example>",
         PATH_SYNTAX},
        {"<a@\xc3\xbc\xef\xbc\x8e"
         "example>",
         PATH_SYNTAX},
        {"<a@\xc3\xbc\xef\xbd\xa1"
         "example>",
         PATH_SYNTAX},
        {"<a@[\xc3\xbc]>", PATH_SYNTAX},
        {"<a@\xc3\xbc_.example>", PATH_SYNTAX},
        {"<\xc3\xbc%b@example.org>", PATH_ROUTE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct path path;
        struct span rest, text = span_str(cases[i].text);
        if (path_parse_forward(text, &path, &rest) != cases[i].result ||
            path_parse_reverse(text, &path, &rest) != cases[i].result)
            fail_msg("%s", cases[i].text);
        if (cases[i].result == PATH_OK) {
            assert_true(path.utf8);
            assert_true(span_eq(path.address, span_of(text.p + 1, text.len - 2)));
        }
    }
}

/* In bytes, not in characters. */
static void test_lengths_beyond_ascii(void **state)
{
    (void)state;
    char text[300];
    struct path path;
    struct span rest;
    for (int n = 31; n < 34; n++) {
        size_t at = 1;
        text[0] = '<';
        for (int i = 0; i < n; i++, at += 2)
            memcpy(text + at, "\xc3\xb6", 2);
        snprintf(text + at, sizeof text - at, "@example.org>");
        assert_int_equal(path_parse_forward(span_str(text), &path, &rest), n <= 32 ? PATH_OK : PATH_TOO_LONG);
    }
    /* A label of 63 bytes as A-label may have; "xn--" and its digits count. */
    for (int n = 20; n < 60; n += 39) {
        size_t at = (size_t)snprintf(text, sizeof text, "<a@");
        for (int i = 0; i < n; i++, at += 3)
            memcpy(text + at, i % 2 ? "\xe4\xbe\x8b" : "\xe5\xad\x90", 3);
        snprintf(text + at, sizeof text - at, ".example>");
        assert_int_equal(path_parse_forward(span_str(text), &path, &rest), n == 20 ? PATH_OK : PATH_SYNTAX);
    }
}

static void test_A7_relay_tricks(void **state)
{
    (void)state;
    static const char *const tricks[] = {
        "<@relay.example.org:bob@example.com>", "<@a.example,@b.example:bob@example.com>",
        "<bob%example.com@relay.example.org>",  "<example.com!bob@relay.example.org>",
        "<\"bob%example.com\"@example.org>",    "<\"example.com!bob\"@example.org>",
        "<bob%example.com@[127.0.0.1]>",
    };
    for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) {
        struct path path;
        struct span rest;
        assert_int_equal(path_parse_forward(span_str(tricks[i]), &path, &rest), PATH_ROUTE);
        assert_int_equal(path_parse_reverse(span_str(tricks[i]), &path, &rest), PATH_ROUTE);
    }
    struct path path;
    struct span rest;
    /* Two domains, one behind the other, are no address at all. */
    assert_int_equal(path_parse_forward(span_str("<bob@example.com@relay.example.org>"), &path, &rest),
                     PATH_SYNTAX);
    assert_int_equal(path_parse_forward(span_str("<\"bob@example.com\">"), &path, &rest), PATH_SYNTAX);
}

static void test_null_and_postmaster(void **state)
{
    (void)state;
    struct path path;
    struct span rest;
    assert_int_equal(path_parse_reverse(span_str("<> BODY=7BIT"), &path, &rest), PATH_OK);
    assert_true(path.null);
    assert_int_equal(path.address.len, 0);
    assert_span(rest, " BODY=7BIT");
    assert_int_equal(path_parse_forward(span_str("<>"), &path, &rest), PATH_SYNTAX);
    assert_int_equal(path_parse_forward(span_str("<PostMaster>"), &path, &rest), PATH_OK);
    assert_true(path.postmaster);
    assert_span(path.address, "PostMaster");
    assert_int_equal(path_parse_reverse(span_str("<postmaster>"), &path, &rest), PATH_SYNTAX);
}

static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        int local, label, labels;
        enum path_result result;
    } cases[] = {
        {64, 10, 2, PATH_OK},       {65, 10, 2, PATH_TOO_LONG}, {1, 63, 3, PATH_OK},
        {1, 64, 1, PATH_SYNTAX},    {61, 63, 3, PATH_OK},       {62, 63, 3, PATH_OK},
        {63, 63, 3, PATH_TOO_LONG}, {1, 63, 5, PATH_TOO_LONG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[600] = "<", label[80];
        size_t at = 1;
        memset(text + at, 'l', (size_t)cases[i].local);
        at += (size_t)cases[i].local;
        memset(label, 'd', sizeof label);
        for (int j = 0; j < cases[i].labels; j++)
            at +=
                (size_t)snprintf(text + at, sizeof text - at, "%c%.*s", j ? '.' : '@', cases[i].label, label);
        snprintf(text + at, sizeof text - at, ">");
        struct path path;
        struct span rest;
        assert_int_equal(path_parse_forward(span_str(text), &path, &rest), cases[i].result);
    }
}

static void test_A9_client_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool ok;
    } cases[] = {
        {"client.example.org", true},
        {"client.example.org.", true},
        {"my_pc", true},
        {"[192.0.2.1]", true},
        {"[IPv6:2001:db8::1]", true},
        {"127.0.0.1", true},
        {"", false},
        {".", false},
        {"a b", false},
        {"a\rb", false},
        {"a(b)", false},
        {"<a>", false},
        {"b\xc3\xbc", false},
        {"[192.0.2.1", false},
        {"[a]", false},
        {"a;b", false},
        {"a\"b", false},
        {"a\\b", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(domain_is_client_name(span_str(cases[i].name)), cases[i].ok);
    assert_false(domain_is_client_name(span_of("a\0b", 3)));
    assert_false(domain_is_client_name(span_of("[192.0.2.1\0]", 12)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_paths),           cmocka_unit_test(test_A7_relay_tricks),
        cmocka_unit_test(test_null_and_postmaster),  cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_A9_client_names),      cmocka_unit_test(test_paths_beyond_ascii),
        cmocka_unit_test(test_lengths_beyond_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
