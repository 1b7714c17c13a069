#include <glib.h>

#include "gateway/message/inspect.h"
#include "gateway/message/legacy_display.h"
#include "tests/unit/message/table.h"

#define PLAIN "Content-Type: text/plain\r\n"
#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n"
#define SHOWN "Subject: x\r\n\r\n"

/* What legacy_display_find makes of MESSAGE; free with legacy_display_free. */
static void find(struct span message, enum protect_policy policy, struct message_parts *parts,
                 struct legacy_display *display)
{
    struct content_type type;
    struct header_field field;
    bool found;
    message_split(message, parts);
    const struct protect_order order = {
        .parts = parts, .encrypted = true, .policy = policy, .legacy_display = true};
    assert_true(content_type_find(parts->header, &field, &type, &found));
    legacy_display_find(&order, found ? &type : NULL, display);
}

static void text_is_shown_in_front(void **state)
{
    (void)state;
    static const struct {
        const char *message, *text, *before; /* BEFORE: the body up to where TEXT goes */
        bool at_root;
    } rows[] = {
        {"Subject: x\r\n\r\nbody", SHOWN, "", true},
        {"Subject: x\r\n", SHOWN, "", true},
        {"Subject: x\r\n" PLAIN "\r\nbody", SHOWN, "", true},
        {"Subject: x\r\nSUBJECT : y\r\n\r\nbody", "Subject: x\r\nSUBJECT: y\r\n\r\n", "", true},
        {"Subject: a\r\n b\r\n\r\n", "Subject: a b\r\n\r\n", "", true},
        {"Subject:\r\n\r\n", "Subject: \r\n\r\n", "", true},
        {"Subject: =?utf-8?q?x=0D=0A=0D=0AHi?=\r\n\r\n", "Subject: x    Hi\r\n\r\n", "", true},
        /* charsets */
        {"Subject: =?utf-8?q?=C3=BC?=\r\nContent-Type: text/plain; charset=UTF-8\r\n"
         "Content-Transfer-Encoding: 8bit\r\n\r\n",
         "Subject: \xc3\xbc\r\n\r\n", "", true},
        {"Subject: x\r\nContent-Type: text/plain; charset=windows-1252\r\n\r\n", SHOWN, "", true},
        {"Subject: =?utf-8?q?=C3=BC?=\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
         "Subject: =C3=BC\r\n\r\n", "", true},
        /* base64: whole groups of three bytes */
        {"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==", "U3ViamVjdDogIHgNCg0K\r\n", "", true},
        {"Subject: xyz\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==", NULL, "", true},
        {"Subject: xy\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==", NULL, "", true},
        /* multipart */
        {"Subject: x\r\n" MIXED "\r\n--b\r\n" PLAIN "\r\nbody\r\n--b--\r\n", SHOWN, "--b\r\n" PLAIN "\r\n",
         false},
        {"Subject: x\r\n" MIXED "\r\npreamble\r\n --b\r\n" PLAIN "\r\n--bb\r\n--b \r\n" PLAIN
         "\r\nbody\r\n--b--\r\n",
         SHOWN, "preamble\r\n --b\r\n" PLAIN "\r\n--bb\r\n--b \r\n" PLAIN "\r\n", false},
        {"Subject: x\r\nContent-Type: multipart/alternative; "
         "boundary=\"=_'()+,./:?\"\r\n\r\n--=_'()+,./:?\r\n" PLAIN
         "\r\nbody\r\n--=_'()+,./:?\r\nContent-Type: text/html\r\n\r\n<p>\r\n--=_'()+,./:?--\r\n",
         SHOWN, "--=_'()+,./:?\r\n" PLAIN "\r\n", false},
        {"Subject: x\r\n" MIXED
         "\r\n--b\r\nContent-Type: multipart/related; boundary=b2\r\n\r\n--b2\r\n" PLAIN
         "\r\nbody\r\n--b2--\r\n--b--\r\n",
         SHOWN, "--b\r\nContent-Type: multipart/related; boundary=b2\r\n\r\n--b2\r\n" PLAIN "\r\n", false},
        {"Subject: x\r\n" MIXED "\r\n--b\r\n" PLAIN "Content-Disposition: inline\r\n\r\nbody\r\n--b--\r\n",
         SHOWN, "--b\r\n" PLAIN "Content-Disposition: inline\r\n\r\n", false},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct message_parts parts;
        struct legacy_display display;
        find(span_str(rows[i].message), PROTECT_HCP_BASELINE, &parts, &display);
        assert_says(display.n > 0, true, rows[i].message);
        if (rows[i].text)
            assert_span_is(buf_span(&display.text), rows[i].text, rows[i].message);
        else
            assert_null(memchr(display.text.data, '=', display.text.len));
        assert_says(display.at_root, rows[i].at_root, rows[i].message);
        if (rows[i].before)
            assert_span_is(span_of(parts.body.p, (size_t)(display.body.p - parts.body.p)), rows[i].before,
                           rows[i].message);
        legacy_display_free(&display);
    }
}

/* Not one byte of what was submitted means anything else: then nothing is shown. */
static void nothing_is_shown_where_it_has_no_place(void **state)
{
    (void)state;
    static const char *const rows[] = {
        /* nothing is hidden */
        "",
        "To: a\r\n\r\nbody",
        "X-Subject: x\r\n\r\nbody",
        "X: x\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==",
        /* no text */
        "Subject: x\r\nContent-Type: text/html\r\n\r\n<p>",
        "Subject: x\r\nContent-Type: application/octet-stream\r\n\r\n",
        "Subject: x\r\nContent-Type: message/rfc822\r\n\r\n",
        "Subject: x\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n" PLAIN
        "\r\nbody\r\n--b--\r\n",
        "Subject: x\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n" PLAIN
        "\r\nbody\r\n--b--\r\n",
        "Subject: x\r\nContent-Type: multipart/x; boundary=b\r\n\r\n--b\r\n" PLAIN "\r\nbody\r\n--b--\r\n",
        "Subject: x\r\n" MIXED "\r\n--b\r\nContent-Type: text/html\r\n\r\nbody\r\n--b\r\n" PLAIN
        "\r\nbody\r\n--b--\r\n",
        "Subject: x\r\n" MIXED "\r\n--b\r\nContent-Type: multipart/signed; boundary=c\r\n\r\n--c\r\n" PLAIN
        "\r\nbody\r\n--c--\r\n--b--\r\n",
        /* an attachment */
        "Subject: x\r\nContent-Disposition: attachment\r\n\r\nbody",
        "Subject: x\r\nContent-Type: text/plain; name=log.txt\r\n\r\nbody",
        "Subject: x\r\n" MIXED "\r\n--b\r\n" PLAIN
        "Content-Disposition: attachment; filename=log.txt\r\n\r\nbody\r\n--b--\r\n",
        "Subject: x\r\n" MIXED "\r\n--b\r\nContent-Disposition: inline; filename=log.txt\r\n" PLAIN
        "\r\nbody\r\n--b--\r\n",
        "Subject: x\r\n" MIXED "\r\n--b\r\nContent-Type: text/plain; name=log.txt\r\n\r\nbody\r\n--b--\r\n",
        /* charsets and encodings that have no place for it */
        "Subject: =?utf-8?q?=C3=BC?=\r\n\r\nbody",
        "Subject: =?utf-8?q?=C3=BC?=\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nbody",
        "Subject: =?utf-8?q?=C3=BC?=\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n",
        "Subject: x\r\nContent-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        "Subject: x\r\nContent-Type: text/plain; charset=utf16le\r\nContent-Transfer-Encoding: "
        "base64\r\n\r\n",
        "Subject: x\r\nContent-Type: text/plain; charset=iso-10646-ucs-2\r\nContent-Transfer-Encoding: "
        "base64\r\n\r\n",
        "Subject: x\r\nContent-Type: text/plain; charset=ebcdic-us\r\nContent-Transfer-Encoding: "
        "base64\r\n\r\n",
        "Subject: x\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n",
        "Subject: x\r\nContent-Type: text/plain; charset=hz-gb-2312\r\n\r\n",
        "Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\n",
        "Subject: x\r\nContent-Transfer-Encoding: uuencode\r\n\r\n",
        "Subject: x\r\nContent-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
        /* multiparts that readers could cut differently */
        "Subject: x\r\nContent-Type: multipart/mixed\r\n\r\n--b\r\n" PLAIN "\r\nbody\r\n--b--\r\n",
        "Subject: x\r\nContent-Type: multipart/mixed; boundary=\"\\b\"\r\n\r\n--b\r\n" PLAIN
        "\r\nbody\r\n--b--\r\n",
        "Subject: x\r\n" MIXED "\r\n",
        "Subject: x\r\n" MIXED "\r\n--c\r\n" PLAIN "\r\nbody\r\n--c--\r\n",
        "Subject: x\r\n" MIXED "\r\n--b--\r\n--b\r\n" PLAIN "\r\nbody\r\n--b--\r\n",
        "Subject: x\r\n" MIXED "\r\n--b\r\n" PLAIN "\r\nbody\r\n",
        "Subject: x\r\n" MIXED "\r\n--b\r\n" PLAIN "--b\r\n\r\nbody\r\n--b--\r\n",
        "Subject: x\r\n" MIXED "\r\n--b\r\n" PLAIN "--b--\r\n\r\nepilogue\r\n",
        "Subject: x\r\n" MIXED "\r\n--b\r\n" PLAIN PLAIN "\r\nbody\r\n--b--\r\n",
        "Subject: x\r\n" MIXED "\r\n--b\r\n\r\nbody\r\n--b--\r\n",
        "Subject: x\r\n" MIXED
        "\r\n--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--b\r\n--c\r\n" PLAIN
        "\r\nbody\r\n--c--\r\n--b--\r\n",
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct message_parts parts;
        struct legacy_display display;
        find(span_str(rows[i]), PROTECT_HCP_BASELINE, &parts, &display);
        assert_says(display.n > 0, false, rows[i]);
        legacy_display_free(&display);
    }
}

static void nothing_is_shown_where_nothing_is_hidden(void **state)
{
    (void)state;
    struct message_parts parts;
    struct legacy_display display;
    find(span_str("Subject: x\r\n\r\n"), PROTECT_HCP_NONE, &parts, &display);
    assert_int_equal(display.n, 0);
    legacy_display_free(&display);
}

/* Names and zone of date, as the policy shy hides them; a base64 group is filled up behind the first colon.
 */
static void what_shy_hides_is_shown_too(void **state)
{
    (void)state;
    static const struct {
        const char *message, *shown;
    } rows[] = {
        {"To: A <a@b.example>\r\n\r\n", "To: A <a@b.example>\r\n\r\n"},
        {"To: A <a@b.example>\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==",
         "To:  A <a@b.example>\r\n\r\n"},
        {"To:A <a@b>\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==", "To: A <a@b>\r\n\r\n"},
        {"Date: Thu, 26 Nov 2026 10:00:00 +0100\r\nSubject: x\r\nContent-Transfer-Encoding: "
         "base64\r\n\r\nQQ==",
         "Date:  Thu, 26 Nov 2026 10:00:00 +0100\r\nSubject: x\r\n\r\n"},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct message_parts parts;
        struct legacy_display display;
        find(span_str(rows[i].message), PROTECT_HCP_SHY, &parts, &display);
        assert_says(display.n > 0, true, rows[i].message);
        size_t len = display.text.len;
        char *text = g_strndup((const char *)display.text.data, len);
        if (strstr(rows[i].message, "base64"))
            g_base64_decode_inplace(text, &len);
        assert_span_is(span_of(text, len), rows[i].shown, rows[i].message);
        g_free(text);
        legacy_display_free(&display);
    }
}

/* Deeper than anybody nests, and larger than anybody writes. */
static void there_are_bounds(void **state)
{
    (void)state;
    struct message_parts parts;
    struct legacy_display display;
    struct buf message;
    buf_init(&message, 4u << 20);
    buf_append_str(&message, "Subject: x\r\n");
    for (int i = 0; i < 100; i++)
        buf_printf(&message, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
    buf_append_str(&message, PLAIN "\r\n");
    for (int i = 100; i-- > 0;)
        buf_printf(&message, "\r\n--b%d--\r\n", i);
    find(buf_span(&message), PROTECT_HCP_BASELINE, &parts, &display);
    assert_int_equal(display.n, 0);
    legacy_display_free(&display);

    /* Every length in front of base64, also one over the bound, ends. */
    for (size_t len = 1048560; len < 1048580; len++) {
        buf_reset(&message);
        buf_append_str(&message, "Content-Transfer-Encoding: base64\r\nSubject: ");
        for (size_t i = 0; i < len; i++)
            buf_append_char(&message, 'x');
        buf_append_str(&message, "\r\n\r\nQQ==\r\n");
        find(buf_span(&message), PROTECT_HCP_BASELINE, &parts, &display);
        assert_true(display.n == 0 || display.text.len > 0);
        legacy_display_free(&display);
    }
    buf_free(&message);
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
        cmocka_unit_test(text_is_shown_in_front),
        cmocka_unit_test(nothing_is_shown_where_it_has_no_place),
        cmocka_unit_test(nothing_is_shown_where_nothing_is_hidden),
        cmocka_unit_test(what_shy_hides_is_shown_too),
        cmocka_unit_test(there_are_bounds),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
