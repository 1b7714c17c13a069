#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/message/originators.h"

static enum status collect(void *arg, const char *field, const char *address, struct error *err)
{
    (void)err;
    buf_printf(arg, "%s=%s;", field, address);
    return STATUS_OK;
}

static void see(const char *header, const char *wanted)
{
    struct buf found;
    struct error err;
    buf_init(&found, 1u << 16);
    if (originators_each(span_str(header), collect, &found, &err) != STATUS_OK)
        fail_msg("%s: %s", header, err.text);
    assert_string_equal(buf_str(&found), wanted);
    buf_free(&found);
}

static void see_refused(const char *header, enum status status, const char *words)
{
    struct buf found;
    struct error err;
    buf_init(&found, 1u << 16);
    if (originators_each(span_str(header), collect, &found, &err) != status || !strstr(err.text, words))
        fail_msg("%s: %d %s", header, err.status, err.text);
    buf_free(&found);
}

static void every_field_counts(void **state)
{
    (void)state;
    see("From: a@x\r\n", "From=a@x;");
    see("To: t@x\r\nFROM : A <a@x>\r\nReply-To: r@x\r\n", "From=a@x;");
    see("From: a@x, b@x\r\nSender: s@x\r\n", "From=a@x;From=b@x;Sender=s@x;");
    see("From: a@x\r\nfrom: b@x\r\nSender: s@x\r\nSENDER: t@x\r\n",
        "From=a@x;From=b@x;Sender=s@x;Sender=t@x;");
    see("Resent-From: r@x\r\nResent-Sender: s@x\r\nFrom: g: a@x;\r\n",
        "Resent-From=r@x;Resent-Sender=s@x;From=a@x;");
    see("From:\r\n A\r\n\t<a@x>\r\n", "From=a@x;");
    see("From: a@x", "From=a@x;");
}

static void test_a8_no_from_and_none_that_can_be_read(void **state)
{
    (void)state;
    see_refused("", STATUS_INVALID, "no From field");
    see_refused("Sender: a@x\r\nResent-From: a@x\r\n", STATUS_INVALID, "no From field");
    see_refused("X-From: a@x\r\n", STATUS_INVALID, "no From field");
    see_refused("From:\r\n", STATUS_INVALID, "From field");
    see_refused("From: g:;\r\n", STATUS_INVALID, "the From field names nobody");
    see_refused("From: a@x\r\nSender: g:;\r\n", STATUS_INVALID, "the Sender field names nobody");
    see_refused("From: a@x <b@y>\r\n", STATUS_INVALID, "the From field");
    see_refused("From: a@x\r\nFrom: b\r\n", STATUS_INVALID, "the From field");
    see_refused("From: a@x\r\nResent-Sender: <\r\n", STATUS_INVALID, "the Resent-Sender field");
}

static void test_a8_lines_that_pass_for_a_field(void **state)
{
    (void)state;
    static const char *const lines[] = {
        " From: ceo@y\r\nFrom: a@x\r\n", /* the very first line */
        "From: a@x\r\nFr om: ceo@y\r\n",
        "From: a@x\r\n\xef\xbb\xbf"
        "From: ceo@y\r\n",
        "\xef\xbb\xbf"
        "From: ceo@y\r\nFrom: a@x\r\n",
        "From: a@x\r\nF\x01rom: ceo@y\r\n",
        "From: a@x\r\nFrom\xc2\xa0: ceo@y\r\n",
        "From: a@x\r\nsen der: ceo@y\r\n",
        "From: a@x\r\nResent From: ceo@y\r\n",
        "From: a@x\r\nResent\x02Sender: ceo@y\r\n",
        "From: a@x\r\nno field\r\n From: ceo@y\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        see_refused(lines[i], STATUS_INVALID, "could be taken for");
    /* Folded text of a field is no line of its own. */
    see("From: a@x\r\nDKIM-Signature: h=Date:\r\n From: To\r\n", "From=a@x;");
    see("From: a@x\r\nno field\r\nX: y\r\n", "From=a@x;");
}

static void there_is_a_bound(void **state)
{
    (void)state;
    struct buf header, found;
    struct error err;
    buf_init(&header, 1u << 20);
    buf_init(&found, 1u << 20);
    for (int i = 0; i < ORIGINATORS_MAX; i++)
        buf_append_str(&header, "From: a@x\r\n");
    assert_int_equal(originators_each(buf_span(&header), collect, &found, &err), STATUS_OK);
    buf_append_str(&header, "Sender: a@x\r\n");
    assert_int_equal(originators_each(buf_span(&header), collect, &found, &err), STATUS_LIMIT);
    buf_free(&header);
    buf_free(&found);
}

static enum status refuse(void *arg, const char *field, const char *address, struct error *err)
{
    (void)arg;
    return error_set(err, STATUS_DENIED, "%s %s", field, address);
}

static void the_callers_error_is_passed_on(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(originators_each(span_str("X: y\r\nFrom: a@x\r\n"), refuse, NULL, &err), STATUS_DENIED);
    assert_string_equal(err.text, "From a@x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_counts),
        cmocka_unit_test(test_a8_no_from_and_none_that_can_be_read),
        cmocka_unit_test(test_a8_lines_that_pass_for_a_field),
        cmocka_unit_test(there_is_a_bound),
        cmocka_unit_test(the_callers_error_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
