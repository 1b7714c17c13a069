#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "gateway/message/mailbox.h"

static enum status collect(void *arg, struct span address, struct error *err)
{
    (void)err;
    struct buf *out = arg;
    if (out->len > 0)
        buf_append_char(out, '|');
    buf_append_span(out, address);
    return STATUS_OK;
}

static enum status read_value(struct span value, struct buf *out, struct error *err)
{
    buf_init(out, 1u << 16);
    return mailboxes_each(value, collect, out, err);
}

static void see(const char *value, const char *wanted)
{
    struct buf found;
    struct error err;
    if (read_value(span_str(value), &found, &err) != STATUS_OK)
        fail_msg("%s: %s", value, err.text);
    if (!span_eq(buf_span(&found), span_str(wanted)))
        fail_msg("%s: %s", value, buf_str(&found));
    buf_free(&found);
}

static void see_refused(const char *value)
{
    struct buf found;
    struct error err;
    if (read_value(span_str(value), &found, &err) != STATUS_INVALID)
        fail_msg("taken: %s", value);
    assert_true(err.text[0] != '\0');
    buf_free(&found);
}

static void what_mail_programs_write(void **state)
{
    (void)state;
    see("a@example.org", "a@example.org");
    see(" a@example.org ", "a@example.org");
    see(" <a@example.org>", "a@example.org");
    see(" Alice <a@example.org>", "a@example.org");
    see(" Alice Liddell<a@example.org>", "a@example.org");
    see(" \"Liddell, Alice\" <a@example.org>", "a@example.org");
    see(" \"a@example.org\" <a@example.org>", "a@example.org");
    see(" \"Alice \\\"A\\\" L.\" <a@example.org>", "a@example.org");
    see(" John Q. Public <a@example.org>", "a@example.org");
    see(" Dr. \"Alice\" L. <a@example.org>", "a@example.org");
    see(" =?utf-8?q?J=C3=BCrgen_M=2E?= <a@example.org>", "a@example.org");
    see(" =?utf-8?B?SsO8cmdlbg==?=\r\n =?utf-8?B?SsO8cmdlbg==?= <a@example.org>", "a@example.org");
    see(" J\xc3\xbcrgen <j\xc3\xbcrgen@m\xc3\xbcnchen.example>", "j\xc3\xbcrgen@m\xc3\xbcnchen.example");
    see(" a@example.org (Alice Liddell)", "a@example.org");
    see(" (one (two) \\) three) a@example.org", "a@example.org");
    see(" Alice (at work) <a@example.org> (really)", "a@example.org");
    see(" Alice\r\n\t<a@example.org>", "a@example.org");
    see(" \"al ice\"@example.org, <\"b\\\"c\"@example.org>", "\"al ice\"@example.org|\"b\\\"c\"@example.org");
    see(" a@[192.0.2.1]", "a@[192.0.2.1]");
    see(" a@example.org,b@example.org, C <c@example.org>", "a@example.org|b@example.org|c@example.org");
    see(" root@localhost", "root@localhost");
}

static void groups(void **state)
{
    (void)state;
    see(" Team: a@example.org, B <b@example.org>;", "a@example.org|b@example.org");
    see(" \"The: team\": a@example.org;, c@example.org", "a@example.org|c@example.org");
    see(" nobody:;", "");
    see(" nobody: (none) ;", "");
    see_refused(" Team: a@example.org");
    see_refused(" Team: a@example.org,;");
    see_refused(" Team: a@example.org; b@example.org");
    see_refused(" Team: Inner: a@example.org;;");
    see_refused(" : a@example.org;");
}

/* Each may name another to some reader. */
static void test_a8_what_readers_differ_in_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = {
        "",
        " ",
        " ()",
        " Alice",
        " alice",
        " @example.org",
        " a@",
        " a@b@c",
        " <>",
        " Alice <>",
        " Alice <alice>",
        " a@example.org <b@example.net>",
        " <a@example.org> <b@example.net>",
        " <b@example.net> a@example.org",
        " Alice <a@example.org> b@example.net",
        " a@example.org b@example.net",
        " a@example.org; b@example.net",
        " b@example.net <a@example.org>",
        " Alice b@example.net <a@example.org>",
        " a@example.org,",
        " ,a@example.org",
        " a@example.org,,b@example.org",
        " <a@example.org, b@example.net>",
        " <<b@example.net>a@example.org>",
        " <b@example.net>@example.org",
        " <@example.net:a@example.org>",
        " <@example.net,@b.example:a@example.org>",
        " < a@example.org>",
        " <a@example.org >",
        " <a@example.org",
        " a@example.org>",
        " Alice a@example.org>",
        " a (x) @example.org",
        " a@(x)example.org",
        " <a(b@example.net)@example.org>",
        " a @ example.org",
        " a . b@example.org",
        " a@example .org",
        " a..b@example.org",
        " .a@example.org",
        " a.@example.org",
        " a@example.org.",
        " a@exam\r\n ple.org",
        " a@[192.0.2.1",
        " a@[x\\]y]",
        " \"Alice <a@example.org>",
        " \"Alice\\\" <a@example.org>",
        " \"a@example.org",
        " (a@example.org",
        " a@example.org (x",
        " a@example.org )",
        /* Angle brackets and control characters that a careless reader would see. */
        " \"<b@example.net>\" <a@example.org>",
        " a@example.org (<b@example.net>)",
        " (<b@example.net>) a@example.org",
        " \"x\x01y\" <a@example.org>",
        " x\x7fy <a@example.org>",
        " a\x01@example.org",
        " \"<b>\"@example.org",
        " a@example.org (x\x08y)",
        /* The same, encoded; and encoded-words where an address must stand. */
        " =?utf-8?q?=3Cb=40example=2Enet=3E?= <a@example.org>",
        " =?utf-8?b?PGJAZXhhbXBsZS5uZXQ+?= <a@example.org>",
        " \"=?utf-8?q?=3Cb=40example=2Enet=3E?=\" <a@example.org>",
        " x=?utf-8?q?=3Cb=40example=2Enet=3E?= <a@example.org>",
        " =?utf-8?q?x=0Ay?= <a@example.org>",
        " =?utf-8?q?x=0D=0AFrom:_b?= <a@example.org>",
        " a@example.org (=?utf-8?q?=3Cb=40example=2Enet=3E?=)",
        " =?utf-8?q?b=40example=2Enet?=",
        " <=?utf-8?q?b=40example=2Enet?=>",
        " =?utf-8?q?b=40example=2Enet?=@example.org",
        " \"=?utf-8?q?b=40example=2Enet?=\"@example.org",
        " =?utf-8?q?b?=@example.net",
        /* No UTF-8. */
        " J\xfcrgen <a@example.org>",
        " \xff@example.org",
        " \xc0\xbc"
        "b@example.net\xc0\xbe <a@example.org>",
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        see_refused(values[i]);
}

static void nul_and_length(void **state)
{
    (void)state;
    static const char nul[] = " a@example.org\0, b@example.net";
    struct buf found, many;
    struct error err;
    assert_int_equal(read_value(span_of(nul, sizeof nul - 1), &found, &err), STATUS_INVALID);
    buf_free(&found);
    buf_init(&many, 1u << 20);
    buf_append_str(&many, "\"");
    while (many.len < MAILBOX_FIELD_MAX)
        buf_append_str(&many, "=?a?q?");
    buf_append_str(&many, "\" <a@example.org>");
    assert_int_equal(read_value(buf_span(&many), &found, &err), STATUS_INVALID);
    buf_free(&found);
    buf_free(&many);
}

static enum status refuse(void *arg, struct span address, struct error *err)
{
    (void)address;
    ++*(int *)arg;
    return error_set(err, STATUS_DENIED, "not this one");
}

static void the_callers_error_ends_it(void **state)
{
    (void)state;
    struct error err;
    int calls = 0;
    assert_int_equal(mailboxes_each(span_str("a@b, c@d"), refuse, &calls, &err), STATUS_DENIED);
    assert_int_equal(calls, 1);
    assert_string_equal(err.text, "not this one");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_mail_programs_write),
        cmocka_unit_test(groups),
        cmocka_unit_test(test_a8_what_readers_differ_in_is_refused),
        cmocka_unit_test(nul_and_length),
        cmocka_unit_test(the_callers_error_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
