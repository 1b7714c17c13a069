#include "gateway/message/inspect.h"
#include "gateway/message/protect.h"
#include "tests/unit/message/table.h"

#define CIPHER ";\r\n hp=\"cipher\"; protected-headers=\"v1\"\r\n"
#define CLEAR ";\r\n hp=\"clear\"; protected-headers=\"v1\"\r\n"
#define BASIC "From: A B <a@b>\r\nSubject: x\r\n"
#define HIDDEN "From: A B <a@b>\r\nSubject: [...]\r\n"
#define DIV "\r\n<div class=\"header-protection-legacy-display\">\r\n<pre>Subject: x</pre>\r\n</div>"
#define TOLD "HP-Outer: From: A B <a@b>\r\nHP-Outer: Subject: [...]\r\n"

static enum status protect(struct protect_order *order, struct span message, struct protected *made,
                           struct buf *payload)
{
    struct message_parts parts;
    struct error err;
    message_split(message, &parts);
    order->parts = &parts;
    enum status st = protect_message(order, made, &err);
    order->parts = NULL;
    buf_init(payload, 1u << 24);
    for (size_t i = 0; st == STATUS_OK && i < made->n_pieces; i++)
        buf_append_span(payload, made->pieces[i]);
    return st;
}

static void payloads_and_what_stands_outside(void **state)
{
    (void)state;
    static const struct {
        const char *message, *payload, *outer;
        bool display;
    } rows[] = {
        {"", "Content-Type: text/plain" CIPHER "\r\n", "", false},
        {"\r\nbody", "Content-Type: text/plain" CIPHER "\r\nbody", "", false},
        {BASIC, BASIC "Content-Type: text/plain" CIPHER TOLD "\r\n", HIDDEN, false},
        {"Subject: x", "Subject: x\r\nContent-Type: text/plain" CIPHER "HP-Outer: Subject: [...]\r\n\r\n",
         "Subject: [...]\r\n", false},
        {BASIC "Content-Type: text/html; charset=utf-8;\r\n\r\n<p>",
         BASIC "Content-Type: text/html; charset=utf-8" CIPHER TOLD "\r\n<p>", HIDDEN, false},
        {"Content-Type: text/html\r\n" BASIC "\r\n", "Content-Type: text/html" CIPHER BASIC TOLD "\r\n",
         HIDDEN, false},
        /* what others said of their protection is no longer true */
        {"HP-Outer: Subject: y\r\nContent-Type: a/b; hp=\"clear\"; "
         "c=d;\r\n\tHP-Legacy-Display=1;protected-headers=v1\r\n" BASIC "\r\n",
         "Content-Type: a/b; c=d" CIPHER BASIC TOLD "\r\n", HIDDEN, false},
        {"Content-Type: a/b;\r\n hp=clear\r\n ;\r\n c=d\r\n\r\n",
         "Content-Type: a/b\r\n ;\r\n c=d" CIPHER "\r\n", "", false},
        /* Bcc, however it is written, and fields for the recipients alone */
        {"Bcc: h\r\nBCC : h\r\nResent-Bcc:\r\n h\r\nB\x01"
         "cc: h\r\n" BASIC "Keywords: k\r\nThread-Topic: x\r\n\r\n",
         BASIC "Keywords: k\r\nThread-Topic: x\r\nContent-Type: text/plain" CIPHER TOLD "\r\n", HIDDEN,
         false},
        {"Subject: x\r\n y\r\nSUBJECT : z\r\n\r\n",
         "Subject: x\r\n y\r\nSUBJECT : z\r\nContent-Type: text/plain" CIPHER
         "HP-Outer: Subject: [...]\r\nHP-Outer: Subject: [...]\r\n\r\n",
         "Subject: [...]\r\nSubject: [...]\r\n", false},
        {"Resent-To: c@d\r\nResent-Subject: x\r\nResent-Comments: y\r\n\r\n",
         "Resent-To: c@d\r\nResent-Subject: x\r\nResent-Comments: y\r\nContent-Type: text/plain" CIPHER
         "HP-Outer: Resent-To: c@d\r\n\r\n",
         "Resent-To: c@d\r\n", false},
        /* legacy display */
        {BASIC "\r\nbody",
         BASIC "Content-Type: text/plain;\r\n hp=\"cipher\"; protected-headers=\"v1\"; "
               "hp-legacy-display=\"1\"\r\n" TOLD "\r\nSubject: x\r\n\r\nbody",
         HIDDEN, true},
        {BASIC "Content-Type: multipart/mixed; boundary=b\r\n\r\nbefore\r\n--b\r\nX: 1\r\nContent-Type: "
               "text/plain; hp=\"x\"\r\nY: 2\r\n"
               "\r\nbody\r\n--b--\r\n",
         BASIC "Content-Type: multipart/mixed; boundary=b" CIPHER TOLD
               "\r\nbefore\r\n--b\r\nX: 1\r\nContent-Type: text/plain;\r\n"
               " hp-legacy-display=\"1\"\r\nY: 2\r\n\r\nSubject: x\r\n\r\nbody\r\n--b--\r\n",
         HIDDEN, true},
        {BASIC "Content-Type: text/html\r\n\r\n<html><body>\r\n<p>",
         BASIC "Content-Type: text/html;\r\n hp=\"cipher\"; protected-headers=\"v1\"; "
               "hp-legacy-display=\"1\"\r\n" TOLD "\r\n<html><body>" DIV "\r\n<p>",
         HIDDEN, true},
        {BASIC
         "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: "
         "text/plain; hp=\"x\"\r\n\r\nbody\r\n--b\r\nContent-Type: text/html\r\n\r\n<body>\r\n--b--\r\n",
         BASIC
         "Content-Type: multipart/alternative; boundary=b" CIPHER TOLD
         "\r\n--b\r\nContent-Type: text/plain;\r\n hp-legacy-display=\"1\"\r\n\r\nSubject: x\r\n\r\nbody"
         "\r\n--b\r\nContent-Type: text/html;\r\n hp-legacy-display=\"1\"\r\n\r\n<body>" DIV "\r\n--b--\r\n",
         HIDDEN, true},
        {BASIC "Content-Type: image/png\r\n\r\nx", BASIC "Content-Type: image/png" CIPHER TOLD "\r\nx",
         HIDDEN, true},
        /* what is signed inside stays as it is */
        {BASIC "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nbody"
               "\r\n--b\r\nContent-Type: text/html\r\n\r\n<body>\r\n--b--\r\n",
         BASIC
         "Content-Type: multipart/signed; boundary=b" CIPHER TOLD
         "\r\n--b\r\nContent-Type: text/plain\r\n\r\nbody\r\n--b\r\nContent-Type: text/html\r\n\r\n<body>"
         "\r\n--b--\r\n",
         HIDDEN, true},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct protect_order order = {
            .encrypted = true, .policy = PROTECT_HCP_BASELINE, .legacy_display = rows[i].display};
        struct protected made;
        struct buf payload;
        assert_int_equal(protect(&order, span_str(rows[i].message), &made, &payload), STATUS_OK);
        assert_span_is(buf_span(&payload), rows[i].payload, rows[i].message);
        assert_span_is(buf_span(&made.outer), rows[i].outer, rows[i].message);
        protected_free(&made);
        buf_free(&payload);
    }
}

/* Signed alone, the outside is as submitted, whatever the policy, and says nothing of itself. */
static void signed_alone_nothing_is_hidden(void **state)
{
    (void)state;
    static const char message[] =
        "Bcc: h\r\n" BASIC "Keywords: k\r\nMIME-Version: 1.0\r\nContent-Language: de\r\nno field\r\n\r\nbody";
    for (int policy = PROTECT_HCP_NONE; policy <= PROTECT_HCP_SHY; policy++) {
        struct protect_order order = {.policy = (enum protect_policy)policy, .legacy_display = true};
        struct protected made;
        struct buf payload;
        assert_int_equal(protect(&order, span_str(message), &made, &payload), STATUS_OK);
        assert_span_is(buf_span(&payload),
                       BASIC "Keywords: k\r\nMIME-Version: 1.0\r\nContent-Language: de\r\nno "
                             "field\r\nContent-Type: text/plain" CLEAR "\r\nbody",
                       "payload");
        assert_span_is(buf_span(&made.outer), BASIC "Keywords: k\r\n", "outer");
        protected_free(&made);
        buf_free(&payload);
    }
}

/* Where the Content-Type cannot be extended, the entity is the one part of another. */
static void what_cannot_be_extended_is_wrapped(void **state)
{
    (void)state;
    static const char *const types[] = {"Content-Type: text/plain (x)\r\n",
                                        "Content-Type: a/b\r\ncontent-type : c/d\r\n", "Content-Type:\r\n",
                                        "Content-Type: a/b; c*0=d\r\n"};
    for (size_t i = 0; i < N_OF(types); i++) {
        struct protect_order order = {
            .encrypted = true, .policy = PROTECT_HCP_BASELINE, .legacy_display = true};
        struct protected made;
        struct buf message, payload, inner;
        struct message_parts parts;
        struct header_field field;
        buf_init(&message, 1000);
        buf_init(&inner, 1000);
        buf_printf(&message, "%s" BASIC "Content-Language: de\r\n\r\n--body", types[i]);
        assert_int_equal(protect(&order, buf_span(&message), &made, &payload), STATUS_OK);
        message_split(buf_span(&payload), &parts);
        assert_true(header_find(parts.header, "Content-Type", 0, &field));
        assert_true(span_starts(field.value, " multipart/mixed; boundary=\"=_"));
        assert_false(header_find(parts.header, "Content-Type", 1, &field));
        assert_true(header_find(parts.header, "Subject", 0, &field));
        buf_printf(&inner, "\r\n%sContent-Language: de\r\n\r\n--body\r\n--=_", types[i]);
        assert_non_null(memmem(parts.body.p, parts.body.len, inner.data, inner.len));
        assert_span_is(buf_span(&made.outer), HIDDEN, types[i]);
        protected_free(&made);
        buf_free(&message);
        buf_free(&payload);
        buf_free(&inner);
    }
}

static void policies_hide_what_they_say(void **state)
{
    (void)state;
    static const struct {
        const char *field, *none, *shy;
    } rows[] = {
        {"Subject: x\r\n", "Subject: x\r\n", "Subject: [...]\r\n"},
        {"From: A B <a@b>\r\n", "From: A B <a@b>\r\n", "From: a@b\r\n"},
        {"To: =?utf-8?q?=C3=BC?= <a@b>,\r\n c@d (C), Group: \"e f\"@g, H <h@[192.0.2.1]>;\r\n", NULL,
         "To: a@b, c@d, \"e f\"@g, h@[192.0.2.1]\r\n"},
        {"Cc: undisclosed-recipients:;\r\n", "Cc: undisclosed-recipients:;\r\n", ""},
        {"Cc: Secret Name\r\n", "Cc: Secret Name\r\n", ""},
        {"From: Not <an address\r\n", "From: Not <an address\r\n", "From: Not <an address\r\n"},
        {"Resent-From: A <a@b>\r\n", "Resent-From: A <a@b>\r\n", "Resent-From: a@b\r\n"},
        {"Date: Thu, 01 Jan 2026 00:30:00 +0200 (CEST)\r\n", NULL,
         "Date: Wed, 31 Dec 2025 22:30:00 +0000\r\n"},
        {"Date: yesterday\r\n", "Date: yesterday\r\n", ""},
        {"Date: Fri, 31 Dec 99999999 00:00:00 +0000\r\n", NULL, NULL},
        {"Message-ID: <x@y>\r\n", "Message-ID: <x@y>\r\n", "Message-ID: <x@y>\r\n"},
        {"Comments: x\r\n", "", ""},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        for (int policy = PROTECT_HCP_NONE; policy <= PROTECT_HCP_SHY; policy++) {
            struct protect_order order = {.encrypted = true, .policy = (enum protect_policy)policy};
            const char *expected = policy == PROTECT_HCP_NONE  ? rows[i].none
                                   : policy == PROTECT_HCP_SHY ? rows[i].shy
                                                               : NULL;
            struct protected made;
            struct buf payload;
            assert_int_equal(protect(&order, span_str(rows[i].field), &made, &payload), STATUS_OK);
            if (expected)
                assert_span_is(buf_span(&made.outer), expected, rows[i].field);
            protected_free(&made);
            buf_free(&payload);
        }
    }
}

/* Names of many recipients are folded, and told of as they stand. */
static void long_lists_are_folded(void **state)
{
    (void)state;
    struct protect_order order = {.encrypted = true, .policy = PROTECT_HCP_SHY};
    struct protected made;
    struct buf message, payload;
    buf_init(&message, 100000);
    buf_append_str(&message, "To: ");
    for (int i = 0; i < 200; i++)
        buf_printf(&message, "%sName %d <someone%d@example.org>", i ? ",\r\n " : "", i, i);
    buf_append_str(&message, "\r\n\r\n");
    assert_int_equal(protect(&order, buf_span(&message), &made, &payload), STATUS_OK);
    for (struct span at = buf_span(&made.outer); at.len > 0;)
        assert_in_range(message_line(&at).len, 1, 80);
    assert_non_null(
        strstr(buf_str(&payload), "\r\nHP-Outer: To: someone0@example.org, someone1@example.org,"));
    assert_null(strstr(buf_str(&made.outer), "Name"));
    protected_free(&made);
    buf_free(&message);
    buf_free(&payload);
}

/* RFC 6532: of what stands outside, and only of that. */
static void bytes_outside_ascii(void **state)
{
    (void)state;
    static const struct {
        const char *message;
        bool smtputf8;
        enum status status;
    } rows[] = {
        {"To: \xc3\xbc <a@b>\r\n", false, STATUS_INVALID}, {"To: \xc3\xbc <a@b>\r\n", true, STATUS_OK},
        {"To: \xfc <a@b>\r\n", true, STATUS_INVALID},      {"Subject: \xfc\r\n", false, STATUS_OK},
        {"Comments: \xfc\r\n", false, STATUS_OK},          {"\r\n\xfc", false, STATUS_OK},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct protect_order order = {
            .encrypted = true, .policy = PROTECT_HCP_BASELINE, .smtputf8 = rows[i].smtputf8};
        struct protected made;
        struct buf payload;
        enum status st = protect(&order, span_str(rows[i].message), &made, &payload);
        assert_says(st == rows[i].status, true, rows[i].message);
        protected_free(&made);
        buf_free(&payload);
    }
}

/* What the gateway adds stands in front outside, and once inside. */
static void missing_fields_and_trace(void **state)
{
    (void)state;
    struct protect_order order = {.encrypted = true,
                                  .policy = PROTECT_HCP_BASELINE,
                                  .missing = span_str("Message-ID: <m@h>\r\n"),
                                  .front = span_str("Received: x\r\nMessage-ID: <m@h>\r\n")};
    struct protected made;
    struct buf payload;
    assert_int_equal(protect(&order, span_str("Subject: x\r\n\r\nbody"), &made, &payload), STATUS_OK);
    assert_span_is(buf_span(&made.outer), "Received: x\r\nMessage-ID: <m@h>\r\nSubject: [...]\r\n", "outer");
    assert_span_is(buf_span(&payload),
                   "Message-ID: <m@h>\r\nSubject: x\r\nContent-Type: text/plain" CIPHER
                   "HP-Outer: Message-ID: <m@h>\r\nHP-Outer: Subject: [...]\r\n\r\nbody",
                   "payload");
    protected_free(&made);
    buf_free(&payload);
}

static int begin(void **state)
{
    (void)state;
    message_inspect_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(payloads_and_what_stands_outside),
        cmocka_unit_test(signed_alone_nothing_is_hidden),
        cmocka_unit_test(what_cannot_be_extended_is_wrapped),
        cmocka_unit_test(policies_hide_what_they_say),
        cmocka_unit_test(long_lists_are_folded),
        cmocka_unit_test(bytes_outside_ascii),
        cmocka_unit_test(missing_fields_and_trace),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
