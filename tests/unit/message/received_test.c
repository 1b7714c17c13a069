#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/message/outer.h"

#define ID "0123456789abcdefghij"

static struct envelope envelope_with(const char *helo, const char *client)
{
    struct envelope e;
    envelope_init(&e);
    memcpy(e.id, ID, sizeof ID);
    e.received_ms = 1795338611000; /* 2026-11-22 09:10:11 UTC */
    e.helo = (char *)(uintptr_t)helo;
    e.client_address = (char *)(uintptr_t)client;
    e.user = (char *)(uintptr_t) "alice";
    e.tls_version = (char *)(uintptr_t) "TLSv1.3";
    e.tls_cipher = (char *)(uintptr_t) "TLS_AES_256_GCM_SHA384";
    return e;
}

/* RFC 3848, RFC 6531 §4.3; there is no name for HELO over TLS. */
static void says_by_which_protocol(void **state)
{
    (void)state;
    static const struct {
        const char *user;
        bool plain_smtp, smtputf8;
        const char *with;
    } cases[] = {
        {"alice", false, false, " with ESMTPSA"}, {"alice", false, true, " with UTF8SMTPSA"},
        {"alice", true, false, " with ESMTPSA"},  {"", false, false, " with ESMTPS"},
        {"", false, true, " with UTF8SMTPS"},     {"", true, false, " with SMTP"},
        {NULL, false, false, " with ESMTPS"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct envelope e = envelope_with("x", "192.0.2.1");
        struct buf out;
        buf_init(&out, 4096);
        e.user = (char *)(uintptr_t)cases[i].user;
        e.plain_smtp = cases[i].plain_smtp;
        e.smtputf8 = cases[i].smtputf8;
        received_field(&e, "m", &out);
        const char *with = strstr(buf_str(&out), cases[i].with);
        if (!with || !strchr(" \r", with[strlen(cases[i].with)]))
            fail_msg("%s: %s", cases[i].with, buf_str(&out));
        buf_free(&out);
    }
}

static void says_who_how_and_when(void **state)
{
    (void)state;
    struct envelope e = envelope_with("laptop.example.org", "192.0.2.1");
    struct buf out;
    buf_init(&out, 4096);
    received_field(&e, "mail.example.com", &out);
    assert_string_equal(buf_str(&out),
                        "Received: from laptop.example.org ([192.0.2.1]) by mail.example.com\r\n"
                        "\twith ESMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
                        "\tid " ID "; Sun, 22 Nov 2026 09:10:11 +0000\r\n");
    buf_reset(&out);
    e = envelope_with("[IPv6:2001:db8::1]", "2001:db8::1");
    e.smtputf8 = true;
    received_field(&e, "mail.example.com", &out);
    assert_string_equal(buf_str(&out),
                        "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1]) by mail.example.com\r\n"
                        "\twith UTF8SMTPSA (TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
                        "\tid " ID "; Sun, 22 Nov 2026 09:10:11 +0000\r\n");
    buf_free(&out);
}

/* One field: CRLF only before a TAB, printable ASCII, comments closed where we closed them. */
static void assert_one_field(struct buf *out)
{
    struct span at = buf_span(out);
    struct header_field field;
    assert_true(header_next(&at, &field));
    assert_int_equal(at.len, 0);
    assert_true(span_is(field.name, "Received"));
    size_t column = 0, opened = 0, closed = 0, semicolons = 0;
    for (size_t i = 0; i < field.raw.len; i++) {
        char c = field.raw.p[i];
        column = c == '\n' ? 0 : column + 1;
        assert_true(column < 998);
        assert_true((c >= ' ' && c <= '~') || c == '\r' || c == '\n' || c == '\t');
        opened += c == '(';
        closed += c == ')';
        semicolons += c == ';';
        if (c == '\r')
            assert_int_equal(field.raw.p[i + 1], '\n');
    }
    assert_int_equal(opened, 2);
    assert_int_equal(closed, 2);
    assert_int_equal(semicolons, 1);
}

static void A9_nothing_from_outside_ends_the_field(void **state)
{
    (void)state;
    char huge[5000];
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    const char *const bad[] = {"evil\r\nBcc: x@example.com",
                               "a) by evil (b",
                               "a;b",
                               "a\\",
                               "\"a",
                               "a b\tc",
                               "\xc3\xbc.example",
                               "\x01\x7f",
                               "",
                               NULL,
                               "a\r",
                               huge,
                               "<x@y>"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct envelope e = envelope_with(bad[i], bad[i]);
        e.tls_version = e.helo;
        e.tls_cipher = e.helo;
        struct buf out;
        buf_init(&out, 4096);
        received_field(&e, "mail.example.com", &out);
        assert_non_null(buf_str(&out));
        assert_one_field(&out);
        buf_free(&out);
    }
}

static void names_no_recipient_and_no_user(void **state)
{
    (void)state;
    struct envelope e = envelope_with("laptop.example.org", "192.0.2.1");
    e.user = (char *)(uintptr_t) "secretuser";
    e.reverse_path = (char *)(uintptr_t) "alice@example.org";
    struct envelope_recipient bob = {.address = (char *)(uintptr_t) "bob@example.com"};
    e.recipients = &bob;
    e.n_recipients = 1;
    struct buf out;
    buf_init(&out, 4096);
    received_field(&e, "mail.example.com", &out);
    assert_null(strstr(buf_str(&out), "bob"));
    assert_null(strstr(buf_str(&out), "alice"));
    assert_null(strstr(buf_str(&out), "secretuser"));
    assert_null(strstr(buf_str(&out), " for "));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_who_how_and_when),
        cmocka_unit_test(says_by_which_protocol),
        cmocka_unit_test(A9_nothing_from_outside_ends_the_field),
        cmocka_unit_test(names_no_recipient_and_no_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
