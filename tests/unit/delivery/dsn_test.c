#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/delivery/dsn.h"

static struct recipient make(struct lease_recipient *lease, const char *address, const char *status,
                             const char *text, const char *host)
{
    struct recipient r = {.lease = lease, .done = true};
    *lease = (struct lease_recipient){.address = (char *)(uintptr_t)address};
    outcome_local(&r.result, FAILURE_PERMANENT, status, "%s", text);
    r.host = (char *)(uintptr_t)host;
    return r;
}

static const char *write(struct recipient *const *recipients, size_t n, const char *to, const char *header,
                         struct buf *out)
{
    struct dsn dsn = {.id = "0123456789abcdefghij",
                      .hostname = "gw.example.net",
                      .to = to,
                      .received_ms = 1700000000000,
                      .now_ms = 1700000060000,
                      .recipients = recipients,
                      .n = n,
                      .header = span_str(header)};
    buf_init(out, 1 << 20);
    dsn_write(&dsn, out);
    assert_false(out->failed);
    return buf_str(out);
}

static void is_seven_bit_crlf(const struct buf *out)
{
    for (size_t i = 0; i < out->len; i++) {
        unsigned char c = out->data[i];
        assert_true(c < 0x7f && (c >= ' ' || c == '\t' || c == '\r' || c == '\n'));
        if (c == '\n')
            assert_true(i > 0 && out->data[i - 1] == '\r');
        if (c == '\r')
            assert_true(i + 1 < out->len && out->data[i + 1] == '\n');
    }
}

static void has_all_that_rfc3464_asks_for(void **state)
{
    (void)state;
    struct lease_recipient l[2];
    struct recipient a =
        make(&l[0], "alice@example.org", "5.1.1", "550 5.1.1 nobody here", "mx.example.org [192.0.2.1]:25");
    struct recipient b =
        make(&l[1], "bob@example.com", "5.4.4", "example.com: the host has no address", NULL);
    l[0].orcpt = (char[]){"rfc822;alice@example.org"};
    struct buf out;
    const char *text = write((struct recipient *const[]){&a, &b}, 2, "carol@example.net",
                             "From: carol@example.net\r\nSubject: hello\r\n", &out);
    static const char *const parts[] = {
        "From: Mail Delivery System <MAILER-DAEMON@gw.example.net>\r\n",
        "To: <carol@example.net>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=",
        "Content-Type: text/plain; charset=us-ascii\r\n",
        "There is no such address.",
        "Content-Type: message/delivery-status\r\n",
        "Reporting-MTA: dns; gw.example.net\r\nArrival-Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n\r\n",
        "Original-Recipient: rfc822;alice@example.org\r\n",
        "Final-Recipient: rfc822; alice@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n",
        "Remote-MTA: dns; mx.example.org\r\nDiagnostic-Code: smtp; 550 5.1.1 nobody here\r\n",
        "\r\n\r\nFinal-Recipient: rfc822; bob@example.com\r\nAction: failed\r\nStatus: 5.4.4\r\n",
        "Diagnostic-Code: x-sealgate; example.com: the host has no address\r\n",
        "Content-Type: text/rfc822-headers\r\n",
        "\r\n\r\nFrom: carol@example.net\r\nSubject: hello\r\n\r\n--=_",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(text, parts[i]))
            print_message("%s\n---\n%s", text, parts[i]);
        assert_non_null(strstr(text, parts[i]));
    }
    is_seven_bit_crlf(&out);
    buf_free(&out);
}

static void a2_the_original_header_is_made_safe(void **state)
{
    (void)state;
    struct lease_recipient l;
    struct recipient r = make(&l, "bob@example.com", "5.0.0", "554 no", NULL);
    struct buf out;
    char header[3000];
    memset(header, 'x', sizeof header);
    static const char front[] = "Subject: caf\xc3\xa9 \x1b[1m\r\n.\r\nX: a\rb\nY: c\nLong: ";
    memcpy(header, front, sizeof front - 1);
    header[sizeof header - 1] = '\0';
    const char *text = write((struct recipient *const[]){&r}, 1, "carol@example.net", header, &out);
    assert_non_null(strstr(text, "Subject: caf?? ?[1m\r\n"));
    assert_non_null(strstr(text, "X: a?b\r\nY: c\r\nLong: xxx"));
    is_seven_bit_crlf(&out);
    size_t longest = 0, at = 0;
    for (size_t i = 0; i < out.len; i++) {
        at = out.data[i] == '\n' ? 0 : at + 1;
        longest = at > longest ? at : longest;
    }
    assert_true(longest <= 999);
    buf_free(&out);
}

static void international_addresses(void **state)
{
    (void)state;
    struct lease_recipient l;
    struct recipient r = make(&l, "j\xc3\xb6rg@example.com", "5.6.7", "no SMTPUTF8", NULL);
    struct buf out;
    const char *text =
        write((struct recipient *const[]){&r}, 1, "\xe4\xbe\x8b@example.net", "Subject: x\r\n", &out);
    assert_non_null(strstr(text, "Final-Recipient: utf-8; j\\x{F6}rg@example.com\r\n"));
    assert_null(strstr(text, "\r\nTo: "));
    is_seven_bit_crlf(&out);
    buf_free(&out);
}

static void notify_is_obeyed(void **state)
{
    (void)state;
    static const struct {
        const char *notify;
        bool wanted;
    } cases[] = {{NULL, true},     {"FAILURE", true},  {"SUCCESS,FAILURE", true}, {"failure", true},
                 {"NEVER", false}, {"SUCCESS", false}, {"DELAY", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lease_recipient l = {.notify = (char *)(uintptr_t)cases[i].notify};
        struct recipient r = {.lease = &l};
        assert_int_equal(dsn_is_wanted(&r), cases[i].wanted);
    }
}

static void advice_fits_the_status(void **state)
{
    (void)state;
    static const struct {
        enum failure_class failure;
        const char *status, *says;
    } cases[] = {
        {FAILURE_PERMANENT, "5.1.1", "no such address"}, {FAILURE_PERMANENT, "5.1.10", "no mail at all"},
        {FAILURE_PERMANENT, "5.1.6", "not accepted"},    {FAILURE_PERMANENT, "5.7.26", "by its rules"},
        {FAILURE_PERMANENT, "5.0.0", "for good"},        {FAILURE_TEMPORARY, "4.4.7", "for as long as"},
        {FAILURE_RETURN, "5.7.1", "certificate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result r;
        outcome_local(&r, cases[i].failure, cases[i].status, "x");
        assert_non_null(strstr(dsn_advice(&r), cases[i].says));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_all_that_rfc3464_asks_for),
        cmocka_unit_test(a2_the_original_header_is_made_safe),
        cmocka_unit_test(international_addresses),
        cmocka_unit_test(notify_is_obeyed),
        cmocka_unit_test(advice_fits_the_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
