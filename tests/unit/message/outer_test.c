#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/message/outer.h"
#include "gateway/message/protect_outer.h"

#define RECEIVED "Received: here\r\n"
#define OUTPUT_MAX (1u << 20)

static struct message_parts parts_of(const char *message)
{
    struct message_parts parts;
    message_split(span_str(message), &parts);
    return parts;
}

/* The outside under a policy that hides nothing, and what is told of it. */
static enum status outer_of(const struct message_parts *parts, bool smtputf8, struct buf *out,
                            struct error *err)
{
    const struct protect_order order = {
        .parts = parts, .front = span_str(RECEIVED), .smtputf8 = smtputf8, .encrypted = true};
    struct buf told;
    buf_init(&told, OUTPUT_MAX);
    enum status status = protect_outer(&order, out, &told, err);
    buf_free(&told);
    return status;
}

static void assert_outer(const char *message, bool smtputf8, const char *expected)
{
    struct message_parts parts = parts_of(message);
    struct buf out;
    buf_init(&out, OUTPUT_MAX);
    struct error err;
    assert_int_equal(outer_of(&parts, smtputf8, &out, &err), STATUS_OK);
    assert_string_equal(buf_str(&out), expected);
    buf_free(&out);
}

/* What is left of MESSAGE without blind fields; a separator is added where there is none. */
static void assert_kept(const char *message, const char *expected)
{
    struct message_parts parts = parts_of(message);
    struct buf out, wanted;
    buf_init(&out, OUTPUT_MAX);
    buf_init(&wanted, OUTPUT_MAX);
    buf_append_str(&wanted, expected);
    if (parts.separator.len == 0)
        buf_append_str(&wanted, wanted.len > 0 && wanted.data[wanted.len - 1] != '\n' ? "\r\n\r\n" : "\r\n");
    clear_message(&parts, span_of(NULL, 0), &out);
    assert_string_equal(buf_str(&out), buf_str(&wanted));
    buf_free(&out);
    buf_free(&wanted);
}

#define TRICK(bcc) "To: bob@example.com\r\n" bcc "Subject: x\r\n\r\nBcc: this is body\r\n"
#define PLAIN "To: bob@example.com\r\nSubject: x\r\n"

static void A10_no_way_to_write_bcc_gets_out(void **state)
{
    (void)state;
    static const char *const tricks[] = {
        TRICK("Bcc: carol@example.net\r\n"),
        TRICK("BCC: carol@example.net\r\n"),
        TRICK("bcc:carol@example.net\r\n"),
        TRICK("bcc : carol@example.net\r\n"),
        TRICK("Bcc\t : carol@example.net\r\n"),
        TRICK("Bcc:\r\n carol@example.net\r\n"),
        TRICK("Bcc: carol@example.net,\r\n\tdave@example.net,\r\n erin@example.net\r\n"),
        TRICK("Bcc: carol@example.net\r\n \r\n dave@example.net\r\n"),
        TRICK("Bcc:\r\n"),
        TRICK("Bcc: carol@example.net\r\nBcc: dave@example.net\r\nbCc: erin@example.net\r\n"),
        TRICK("Resent-Bcc: carol@example.net\r\n"),
        TRICK("resent-BCC : carol@example.net\r\n"),
        /* What is no field, but some reader may take for one. */
        TRICK("\xc2\xa0"
              "Bcc: carol@example.net\r\n"),
        TRICK("B\x01"
              "cc: carol@example.net\r\n"),
        TRICK("B cc: carol@example.net\r\n"),
        TRICK("Bcc\xe2\x80\x8b: carol@example.net\r\n"),
        TRICK("Resent Bcc: carol@example.net\r\n"),
    };
    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++) {
        assert_kept(tricks[i], PLAIN "\r\nBcc: this is body\r\n");
        assert_outer(tricks[i], false, RECEIVED PLAIN);
    }
}

static void A10_bcc_at_the_edges(void **state)
{
    (void)state;
    assert_kept("Bcc: carol@example.net\r\n\r\nx", "\r\nx");
    assert_kept("Bcc: carol@example.net", "");
    assert_kept(" Bcc: carol@example.net\r\nTo: b\r\n\r\n", "To: b\r\n\r\n");
    assert_kept("garbage\r\nBcc: carol@example.net\r\nTo: b\r\n", "garbage\r\nTo: b\r\n");
    assert_kept("garbage\r\n Bcc: carol@example.net\r\nTo: b\r\n", "To: b\r\n");
    assert_kept("X: y\nBcc: carol@example.net\r\n\r\n", "X: y\n\r\n"); /* behind a bare LF */
    assert_outer("X: y\nBcc: carol@example.net\r\nTo: b\r\n\r\n", false, RECEIVED "To: b\r\n");
}

/* Fields that only look similar, and folded text, stay. */
static void bcc_look_alikes_stay_inside(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "X-Bcc: 1\r\n\r\n",
        "Bcc-Note: 1\r\n\r\n",
        "Subject: about\r\n bcc: what it means\r\n\r\n",
        "a line of text that mentions bcc: here\r\n\r\n",
        "bcc\r\n\r\n",
        "To: b\r\n\r\nBcc: body\r\n",
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        assert_kept(messages[i], messages[i]);
}

static void inside_stands_every_other_byte(void **state)
{
    (void)state;
    static const char *const messages[] = {
        "",
        "\r\n",
        "Subject: x\r\n",
        "MIME-Version: 1.0\r\ncontent-TYPE : text/plain;\r\n\tcharset=utf-8\r\n\r\n\r\n\xff\x01 \r\n.\r\n",
        "garbage\r\n: x\r\nReceived: a\r\nSubject: =?utf-8?q?=C3?=\r\n\r\nbody without end",
    };
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        assert_kept(messages[i], messages[i]);
}

static void nul_bytes_are_kept(void **state)
{
    (void)state;
    static const char message[] = "X: a\0b\r\n\r\nc\0d";
    struct message_parts parts;
    message_split(span_of(message, sizeof message - 1), &parts);
    struct buf out;
    buf_init(&out, OUTPUT_MAX);
    clear_message(&parts, span_of(NULL, 0), &out);
    assert_int_equal(out.len, sizeof message - 1);
    assert_memory_equal(out.data, message, out.len);
    buf_free(&out);
}

static void outside_stands_what_threading_needs(void **state)
{
    (void)state;
    static const char message[] =
        "Received: from elsewhere\r\nReturn-Path: <a@b>\r\nX-Mailer: secret\r\n"
        "Subject: one\r\n two\r\nfrom: a@example.org\r\nSENDER: b@example.org\r\nReply-To: c@example.org\r\n"
        "To: d@example.com\r\nCc: e@example.com\r\nDate: now\r\nMessage-ID: <1@x>\r\nIn-Reply-To: <0@x>\r\n"
        "References: <0@x>\r\n <-1@x>\r\nAuto-Submitted: no\r\nList-Id: <l.example.org>\r\n"
        "List-Unsubscribe: <mailto:x@y>\r\nResent-From: f@example.org\r\nResent-To: g@example.com\r\n"
        "Resent-Bcc: hidden@example.com\r\nTLS-Required: No\r\nMIME-Version: 1.0\r\nContent-Type: "
        "text/plain\r\n"
        "Content-Transfer-Encoding: 8bit\r\nComments: c\r\nKeywords: k\r\nAutocrypt: a\r\n"
        "Disposition-Notification-To: a@example.org\r\nListless: x\r\n\r\nbody\r\n";
    assert_outer(message, false,
                 RECEIVED
                 "Subject: one\r\n two\r\nfrom: a@example.org\r\nSENDER: b@example.org\r\n"
                 "Reply-To: c@example.org\r\nTo: d@example.com\r\nCc: e@example.com\r\nDate: now\r\n"
                 "Message-ID: <1@x>\r\nIn-Reply-To: <0@x>\r\nReferences: <0@x>\r\n <-1@x>\r\n"
                 "Auto-Submitted: no\r\nList-Id: <l.example.org>\r\nList-Unsubscribe: <mailto:x@y>\r\n"
                 "Resent-From: f@example.org\r\nResent-To: g@example.com\r\nTLS-Required: No\r\n");
}

static void A2_only_whole_lines_go_outside(void **state)
{
    (void)state;
    assert_outer("From: a\rX-Evil: 1\r\nTo: b\r\n\r\n", false, RECEIVED "To: b\r\n");
    assert_outer("From: a\nX-Evil: 1\r\nTo: b\r\n\r\n", false, RECEIVED "To: b\r\n");
    assert_outer("garbage\r\nFrom\r\nTo: b\r\n: x\r\n\r\n", false, RECEIVED "To: b\r\n");
    assert_outer("To: b\r\nSubject: without end", false, RECEIVED "To: b\r\nSubject: without end\r\n");
    assert_outer("To: b\r\nSubject: x\r", false, RECEIVED "To: b\r\n");

    static const char message[] = "Subject: a\0b\r\nTo: b\r\n\r\n";
    struct message_parts parts;
    message_split(span_of(message, sizeof message - 1), &parts);
    struct buf out;
    struct error err;
    buf_init(&out, OUTPUT_MAX);
    assert_int_equal(outer_of(&parts, false, &out, &err), STATUS_OK);
    assert_string_equal(buf_str(&out), RECEIVED "To: b\r\n");
    buf_free(&out);
}

static void outside_ascii_needs_smtputf8(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        bool smtputf8;
        enum status status;
    } rows[] = {
        {"Subject: gr\xc3\xbc\xc3\x9f\r\n\r\n", false, STATUS_INVALID},
        {"Subject: gr\xc3\xbc\xc3\x9f\r\n\r\n", true, STATUS_OK},
        {"Subject: gr\xfc\xdf\r\n\r\n", true, STATUS_INVALID}, /* Latin-1: no UTF-8 (RFC 6532 §3.2) */
        {"To: b\r\nFrom: \xc3\xbc@example.org\r\n\r\n", false, STATUS_INVALID},
        /* What stays inside does not matter. */
        {"X-Note: \xc3\xbc\r\nTo: b\r\n\r\n\xc3\xbc", false, STATUS_OK},
        {"Subj\xc3\xbc: x\r\n\r\n", false, STATUS_OK},
        {"Bcc: \xc3\xbc@example.org\r\n\r\n", false, STATUS_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message_parts parts = parts_of(rows[i].message);
        struct buf out;
        buf_init(&out, OUTPUT_MAX);
        struct error err = {0};
        assert_int_equal(outer_of(&parts, rows[i].smtputf8, &out, &err), rows[i].status);
        if (rows[i].status != STATUS_OK)
            assert_int_equal(err.status, STATUS_INVALID);
        buf_free(&out);
    }
}

static void too_small_a_buffer_is_told(void **state)
{
    (void)state;
    struct message_parts parts = parts_of("Subject: a long one\r\n\r\n");
    struct buf out;
    struct error err;
    buf_init(&out, 20);
    assert_int_equal(outer_of(&parts, false, &out, &err), STATUS_LIMIT);
    buf_free(&out);
}

static void a_clear_message_is_the_same_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *message, *clear;
    } rows[] = {
        {"To: b\r\nBcc: c\r\nX: \xff\r\n\r\nbody", RECEIVED "To: b\r\nX: \xff\r\n\r\nbody"},
        {"To: b\r\n", RECEIVED "To: b\r\n\r\n"},
        {"To: b", RECEIVED "To: b\r\n\r\n"},
        {"Bcc: c\r\n", RECEIVED "\r\n"},
        {"\r\nbody\r\n", RECEIVED "\r\nbody\r\n"},
        {"", RECEIVED "\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message_parts parts = parts_of(rows[i].message);
        struct buf out;
        buf_init(&out, OUTPUT_MAX);
        clear_message(&parts, span_str(RECEIVED), &out);
        assert_string_equal(buf_str(&out), rows[i].clear);
        buf_free(&out);
    }
}

/* RFC 9788 §3: a confidentiality policy is for what is encrypted. */
static void signed_alone_nothing_is_hidden(void **state)
{
    (void)state;
    static const char header[] =
        "From: A <a@example.org>\r\nDate: Thu, 1 Jan 2026 12:00:00 +0200\r\nSubject: x\r\n";
    static const enum protect_policy policies[] = {PROTECT_HCP_NONE, PROTECT_HCP_BASELINE, PROTECT_HCP_SHY};
    struct message_parts parts = parts_of(header);
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        const struct protect_order order = {.parts = &parts, .policy = policies[i]};
        struct buf out, told;
        struct error err;
        buf_init(&out, OUTPUT_MAX);
        buf_init(&told, OUTPUT_MAX);
        assert_int_equal(protect_outer(&order, &out, &told, &err), STATUS_OK);
        assert_string_equal(buf_str(&out), header);
        buf_free(&out);
        buf_free(&told);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(A10_no_way_to_write_bcc_gets_out),
        cmocka_unit_test(A10_bcc_at_the_edges),
        cmocka_unit_test(bcc_look_alikes_stay_inside),
        cmocka_unit_test(inside_stands_every_other_byte),
        cmocka_unit_test(nul_bytes_are_kept),
        cmocka_unit_test(outside_stands_what_threading_needs),
        cmocka_unit_test(A2_only_whole_lines_go_outside),
        cmocka_unit_test(outside_ascii_needs_smtputf8),
        cmocka_unit_test(too_small_a_buffer_is_told),
        cmocka_unit_test(a_clear_message_is_the_same_bytes),
        cmocka_unit_test(signed_alone_nothing_is_hidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
