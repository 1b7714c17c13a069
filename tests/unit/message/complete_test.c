#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/message/complete.h"

#define MESSAGE_ID "Message-ID: <06i1a2b3c4d5e6f7g8h9@mail.example.org>\r\n"
#define DATE "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"

static struct envelope envelope(void)
{
    static char address[] = "192.0.2.1";
    return (struct envelope){
        .id = "06i1a2b3c4d5e6f7g8h9", .received_ms = 1700000000000, .client_address = address};
}

static void see(const char *header, const char *wanted)
{
    struct envelope e = envelope();
    struct buf out;
    buf_init(&out, 1000);
    missing_fields(span_str(header), &e, "mail.example.org", &out);
    if (!span_eq(buf_span(&out), span_str(wanted)))
        fail_msg("%s: %s", header, buf_str(&out));
    buf_free(&out);
}

/* RFC 6409 §8.2, §8.3 */
static void what_is_missing_is_added(void **state)
{
    (void)state;
    see("", MESSAGE_ID DATE);
    see("Subject: x\r\n", MESSAGE_ID DATE);
    see("Date: today\r\n", MESSAGE_ID);
    see("Message-ID: <1@x>\r\n", DATE);
    see("Resent-Date: today\r\nResent-Message-ID: <1@x>\r\nX-Date: x\r\n", MESSAGE_ID DATE);
    see("Subject: x\r\n Date: folded text\r\n", MESSAGE_ID DATE);
}

static void what_is_there_counts_however_it_is_written(void **state)
{
    (void)state;
    see("Date: today\r\nMessage-ID: <1@x>\r\n", "");
    see("dATE:\r\nMESSAGE-id:\r\n", "");
    see("Date : \xff\r\nMessage-Id\t: no id\r\n", "");
    see("Date: a\r\nDate: b\r\nMessage-ID: a\r\n", "");
}

static void nothing_from_outside_ends_a_field(void **state)
{
    (void)state;
    struct envelope e = envelope();
    struct buf out;
    char odd[] = "1>\r\nBcc: x";
    buf_init(&out, 1000);
    missing_fields(span_str("Date: x\r\n"), &e, "m\xc3\xbc.example>\r\n", &out);
    assert_string_equal(buf_str(&out), "Message-ID: <06i1a2b3c4d5e6f7g8h9@m--.example--->\r\n");
    buf_reset(&out);
    e.client_address = odd;
    originating_ip_field(&e, &out);
    assert_string_equal(buf_str(&out), "X-Originating-IP: [1---Bcc:-x]\r\n");
    buf_free(&out);
}

static void the_clients_address(void **state)
{
    (void)state;
    static char v6[] = "2001:db8::1";
    struct envelope e = envelope();
    struct buf out;
    buf_init(&out, 1000);
    originating_ip_field(&e, &out);
    assert_string_equal(buf_str(&out), "X-Originating-IP: [192.0.2.1]\r\n");
    buf_reset(&out);
    e.client_address = v6;
    originating_ip_field(&e, &out);
    assert_string_equal(buf_str(&out), "X-Originating-IP: [2001:db8::1]\r\n");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_missing_is_added),
        cmocka_unit_test(what_is_there_counts_however_it_is_written),
        cmocka_unit_test(nothing_from_outside_ends_a_field),
        cmocka_unit_test(the_clients_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
