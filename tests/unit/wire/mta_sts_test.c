#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/mta_sts.h"

/* RFC 8461 §3.1. ID: NULL when the record is no good. */
static void records(void **state)
{
    (void)state;
    static const struct {
        const char *txt, *id;
        bool is_record;
    } rows[] = {
        {"v=STSv1; id=20160831085700Z;", "20160831085700Z", true},
        {"v=STSv1;id=1", "1", true},
        {"v=STSv1;\t id=a1 ; more=x.y/z ;", "a1", true},
        {"v=STSv1; more=x; id=b", "b", true},
        {"v=STSv1; id=12345678901234567890123456789012", "12345678901234567890123456789012", true},
        {"v=STSv1; id=123456789012345678901234567890123", NULL, true},
        {"v=STSv1;", NULL, true},
        {"v=STSv1; id=", NULL, true},
        {"v=STSv1; id=a-b", NULL, true},
        {"v=STSv1; id=a b", NULL, true},
        {"v=STSv1; id=a; id=b", NULL, true},
        {"v=STSv1; ID=a", NULL, true},
        {"v=STSv1; id=a; junk", NULL, true},
        {"v=STSv1; id=a; junk=", NULL, true},
        {"v=STSv1; id=a;; x=y", NULL, true},
        {"v=STSv1; id=a; =y", NULL, true},
        {"v=STSv1", NULL, false},
        {"v=STSv2; id=a", NULL, false},
        {"v=STSv11; id=a", NULL, false},
        {"V=STSv1; id=a", NULL, false},
        {" v=STSv1; id=a", NULL, false},
        {"id=a; v=STSv1", NULL, false},
        {"v=spf1 -all", NULL, false},
        {"", NULL, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span id;
        struct error err;
        assert_int_equal(sts_is_record(span_str(rows[i].txt)), rows[i].is_record);
        enum status st = sts_record_parse(span_str(rows[i].txt), &id, &err);
        assert_int_equal(st, rows[i].id ? STATUS_OK : STATUS_INVALID);
        if (rows[i].id)
            assert_true(span_eq(id, span_str(rows[i].id)));
    }
}

#define REST "mx: a.example\nmax_age: 60\n"

/* §3.2. WRONG: a part of the error; NULL: the policy is good. */
static void policies(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum sts_mode mode;
        int64_t max_age_s;
        size_t n_mx;
        const char *wrong;
    } rows[] = {
        {"version: STSv1\nmode: enforce\nmx: a.example\nmx: *.b.example\nmax_age: 604800\n", STS_MODE_ENFORCE,
         604800, 2, NULL},
        {"version: STSv1\r\nmode: testing\r\nmx: a.example\r\nmax_age: 0\r\n", STS_MODE_TESTING, 0, 1, NULL},
        {"version:STSv1\nmode \t:\t none \t\nmax_age:31557600", STS_MODE_NONE, 31557600, 0, NULL},
        {"max_age: 60\nmx: a.example\nmode: enforce\nversion: STSv1", STS_MODE_ENFORCE, 60, 1, NULL},
        {"version: STSv1\nmode: enforce\nmode: none\nmax_age: 60\nmax_age: x\nmx: a.example\nversion: 9",
         STS_MODE_ENFORCE, 60, 1, NULL},
        {"version: STSv1\nmode: enforce\nfuture.key_1: \xc3\xa9 anything: at all\n" REST, STS_MODE_ENFORCE,
         60, 1, NULL},
        {"version: STSv1\nmode: enforce\n" REST "\n\r\n", STS_MODE_ENFORCE, 60, 1, NULL},
        {"", 0, 0, 0, "version: is missing"},
        {"mode: enforce\n" REST, 0, 0, 0, "version: is missing"},
        {"version: STSv2\nmode: enforce\n" REST, 0, 0, 0, "version: is not"},
        {"version: stsv1\nmode: enforce\n" REST, 0, 0, 0, "version: is not"},
        {"version: STSv1\n" REST, 0, 0, 0, "mode: is missing"},
        {"version: STSv1\nmode: Enforce\n" REST, 0, 0, 0, "mode: is not"},
        {"version: STSv1\nmode:\n" REST, 0, 0, 0, "mode: is not"},
        {"version: STSv1\nMode: enforce\n" REST, 0, 0, 0, "mode: is missing"},
        {"version: STSv1\nmode: enforce\nmx: a.example\n", 0, 0, 0, "max_age: is missing"},
        {"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 31557601", 0, 0, 0, "max_age: is no"},
        {"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 18446744073709551617", 0, 0, 0,
         "max_age: is no"},
        {"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: -1", 0, 0, 0, "max_age: is no"},
        {"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 6 0", 0, 0, 0, "max_age: is no"},
        {"version: STSv1\nmode: enforce\nmx: a.example\nmax_age: ", 0, 0, 0, "max_age: is no"},
        {"version: STSv1\nmode: enforce\nmax_age: 60\n", 0, 0, 0, "mx: is missing"},
        {"version: STSv1\nmode: enforce\nmax_age: 60\nmx: *\n", 0, 0, 0, "mx: is no"},
        {"version: STSv1\nmode: enforce\nmax_age: 60\nmx: *.\n", 0, 0, 0, "mx: is no"},
        {"version: STSv1\nmode: enforce\nmax_age: 60\nmx: *.*.a.example\n", 0, 0, 0, "mx: is no"},
        {"version: STSv1\nmode: enforce\nmax_age: 60\nmx: a*.example\n", 0, 0, 0, "mx: is no"},
        {"version: STSv1\nmode: enforce\nmax_age: 60\nmx: a.*.example\n", 0, 0, 0, "mx: is no"},
        {"version: STSv1\nmode: enforce\nmax_age: 60\nmx: a..example\n", 0, 0, 0, "mx: is no"},
        {"version: STSv1\nmode: enforce\nmax_age: 60\nmx: .example\n", 0, 0, 0, "mx: is no"},
        {"version: STSv1\nmode: enforce\nmax_age: 60\nmx: a.example, b.example\n", 0, 0, 0, "mx: is no"},
        {"version: STSv1\nmode: none\nmax_age: 60\nmx: <b>\n", 0, 0, 0, "mx: is no"},
        {"version: STSv1\nmode: enforce\njunk\n" REST, 0, 0, 0, "without"},
        {"version: STSv1\nmode: enforce\n: x\n" REST, 0, 0, 0, "key"},
        {"version: STSv1\nmode: enforce\na b: x\n" REST, 0, 0, 0, "key"},
        {"version: STSv1\nmode: enforce\nx: \x01\n" REST, 0, 0, 0, "control"},
        {"version: STSv1\rmode: enforce\rmx: a.example\rmax_age: 60", 0, 0, 0, "control"},
        {"<html><body>404: not found</body></html>", 0, 0, 0, "key"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sts_policy policy;
        struct error err = {0};
        enum status st = sts_policy_parse(span_str(rows[i].text), &policy, &err);
        if (rows[i].wrong) {
            assert_int_equal(st, STATUS_INVALID);
            assert_non_null(strstr(err.text, rows[i].wrong));
            continue;
        }
        assert_int_equal(st, STATUS_OK);
        assert_int_equal(policy.mode, rows[i].mode);
        assert_int_equal(policy.max_age_s, rows[i].max_age_s);
        assert_int_equal(policy.n_mx, rows[i].n_mx);
    }
}

static void a_policy_with_a_nul(void **state)
{
    (void)state;
    static const char text[] = "version: STSv1\nmode: enforce\nmx: a.example\0.evil.example\nmax_age: 60\n";
    struct sts_policy policy;
    struct error err;
    assert_int_equal(sts_policy_parse(span_of(text, sizeof text - 1), &policy, &err), STATUS_INVALID);
}

static void a_policy_that_is_too_large(void **state)
{
    (void)state;
    static const char head[] = "version: STSv1\nmode: none\nmax_age: 60\n";
    char *text = malloc(STS_POLICY_MAX + 1);
    struct sts_policy policy;
    struct error err;
    memset(text, '\n', STS_POLICY_MAX + 1);
    memcpy(text, head, sizeof head - 1);
    assert_int_equal(sts_policy_parse(span_of(text, STS_POLICY_MAX), &policy, &err), STATUS_OK);
    assert_int_equal(sts_policy_parse(span_of(text, STS_POLICY_MAX + 1), &policy, &err), STATUS_LIMIT);
    free(text);
}

/* §4.1. */
static void hosts(void **state)
{
    (void)state;
    static const char text[] = "version: STSv1\nmode: enforce\nmx: mail.Example.com\r\nmx: *.example.net\n"
                               "mx : backup.example \nmax_age: 60\nnote: mx: note.example\n";
    static const struct {
        const char *host;
        bool allowed;
    } rows[] = {
        {"mail.example.com", true},       {"MAIL.EXAMPLE.COM", true}, {"a.mail.example.com", false},
        {"mail.example.com.evil", false}, {"ail.example.com", false}, {"a.example.net", true},
        {"A.Example.Net", true},          {"a.b.example.net", false}, {"example.net", false},
        {".example.net", false},          {"a.xexample.net", false},  {"backup.example", true},
        {"note.example", false},          {"*.example.net", true},    {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(sts_policy_allows(span_str(text), rows[i].host), rows[i].allowed);
}

static void words(void **state)
{
    (void)state;
    assert_string_equal(sts_mode_word(STS_MODE_NONE), "none");
    assert_string_equal(sts_mode_word(STS_MODE_TESTING), "testing");
    assert_string_equal(sts_mode_word(STS_MODE_ENFORCE), "enforce");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),
        cmocka_unit_test(policies),
        cmocka_unit_test(a_policy_with_a_nul),
        cmocka_unit_test(a_policy_that_is_too_large),
        cmocka_unit_test(hosts),
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
