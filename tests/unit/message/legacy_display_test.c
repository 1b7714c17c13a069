#include <glib.h>

#include "gateway/message/inspect.h"
#include "gateway/message/legacy_display.h"
#include "tests/unit/message/table.h"

#define PLAIN "Content-Type: text/plain\r\n"
#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n"
#define SHOWN "Subject: x\r\n\r\n"

#define MARKED ";\r\n hp-legacy-display=\"1\"\r\n"
#define PLAIN_MARKED "Content-Type: text/plain" MARKED
#define HTML "Content-Type: text/html\r\n"
#define HTML_MARKED "Content-Type: text/html" MARKED
#define DIV(lines) "<div class=\"header-protection-legacy-display\">\r\n<pre>" lines "</pre>\r\n</div>"
#define X_DIV "\r\n" DIV("Subject: x")

/* What legacy_display_find makes of MESSAGE; free with legacy_display_free. */
static void find(struct span message, enum protect_policy policy, struct message_parts *parts,
                 struct legacy_display *display)
{
    message_split(message, parts);
    const struct protect_order order = {
        .parts = parts, .encrypted = true, .policy = policy, .legacy_display = true};
    legacy_display_find(&order, display);
}

/* The body with all edits. */
static void edit(const struct message_parts *parts, const struct legacy_display *display,
                 struct buf *body_out)
{
    struct span at = parts->body, text = buf_span(&display->text);
    buf_init(body_out, at.len + text.len);
    for (size_t i = 0; i < display->n; i++) {
        const struct legacy_edit *e = &display->edits[i];
        assert_true(e->cut.p >= at.p);
        buf_append(body_out, at.p, (size_t)(e->cut.p - at.p));
        buf_append(body_out, text.p, e->len);
        span_skip(&text, e->len);
        span_skip(&at, (size_t)(e->cut.p + e->cut.len - at.p));
    }
    assert_int_equal(text.len, 0);
    buf_append_span(body_out, at);
}

static void assert_edited(const char *message, const char *expected)
{
    struct message_parts parts;
    struct legacy_display display;
    struct buf body;
    find(span_str(message), PROTECT_HCP_BASELINE, &parts, &display);
    edit(&parts, &display, &body);
    assert_says(display.n > 0, true, message);
    assert_span_is(buf_span(&body), expected, message);
    assert_says(display.at_root, !strstr(message, "multipart/"), message);
    buf_free(&body);
    legacy_display_free(&display);
}

static void text_is_shown_in_front(void **state)
{
    (void)state;
    static const struct {
        const char *message, *body;
    } rows[] = {
        {"Subject: x\r\n\r\nbody", SHOWN "body"},
        {"Subject: x\r\n", SHOWN},
        {"Subject: x\r\n" PLAIN "\r\nbody", SHOWN "body"},
        {"Subject: x\r\nSUBJECT : y\r\n\r\nbody", "Subject: x\r\nSUBJECT: y\r\n\r\nbody"},
        {"Subject: a\r\n b\r\n\r\n", "Subject: a b\r\n\r\n"},
        {"Subject:\r\n\r\n", "Subject: \r\n\r\n"},
        {"Subject: =?utf-8?q?x=0D=0A=0D=0AHi?=\r\n\r\n", "Subject: x    Hi\r\n\r\n"},
        /* charsets */
        {"Subject: =?utf-8?q?=C3=BC?=\r\nContent-Type: text/plain; charset=UTF-8\r\n"
         "Content-Transfer-Encoding: 8bit\r\n\r\n",
         "Subject: \xc3\xbc\r\n\r\n"},
        {"Subject: x\r\nContent-Type: text/plain; charset=windows-1252\r\n\r\n", SHOWN},
        {"Subject: =?utf-8?q?=C3=BC?=\r\nContent-Type: text/plain; charset=utf-8\r\n"
         "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
         "Subject: =C3=BC\r\n\r\n"},
        /* base64: whole groups of three bytes */
        {"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==", "U3ViamVjdDogIHgNCg0K\r\nQQ=="},
        /* multipart */
        {"Subject: x\r\n" MIXED "\r\n--b\r\n" PLAIN "\r\nbody\r\n--b--\r\n",
         "--b\r\n" PLAIN_MARKED "\r\n" SHOWN "body\r\n--b--\r\n"},
        {"Subject: x\r\n" MIXED "\r\npreamble\r\n --b\r\n" PLAIN "\r\n--bb\r\n--b \r\n" PLAIN
         "\r\nbody\r\n--b--\r\n",
         "preamble\r\n --b\r\n" PLAIN "\r\n--bb\r\n--b \r\n" PLAIN_MARKED "\r\n" SHOWN "body\r\n--b--\r\n"},
        {"Subject: x\r\nContent-Type: multipart/alternative; "
         "boundary=\"=_'()+,./:?\"\r\n\r\n--=_'()+,./:?\r\n" PLAIN "\r\nbody\r\n--=_'()+,./:?--\r\n",
         "--=_'()+,./:?\r\n" PLAIN_MARKED "\r\n" SHOWN "body\r\n--=_'()+,./:?--\r\n"},
        {"Subject: x\r\n" MIXED
         "\r\n--b\r\nContent-Type: multipart/related; boundary=b2\r\n\r\n--b2\r\n" PLAIN
         "\r\nbody\r\n--b2--\r\n--b--\r\n",
         "--b\r\nContent-Type: multipart/related; boundary=b2\r\n\r\n--b2\r\n" PLAIN_MARKED "\r\n" SHOWN
         "body\r\n--b2--\r\n--b--\r\n"},
        {"Subject: x\r\n" MIXED "\r\n--b\r\n" PLAIN "Content-Disposition: inline\r\n\r\nbody\r\n--b--\r\n",
         "--b\r\n" PLAIN_MARKED "Content-Disposition: inline\r\n\r\n" SHOWN "body\r\n--b--\r\n"},
        {"Subject: x\r\n" MIXED "\r\n--b\r\n" PLAIN "\r\nbody\r\n--b\r\n" PLAIN "\r\nmore\r\n--b--\r\n",
         "--b\r\n" PLAIN_MARKED "\r\n" SHOWN "body\r\n--b\r\n" PLAIN "\r\nmore\r\n--b--\r\n"},
        /* every part of an alternative, and of what it cannot change, none */
        {"Subject: x\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n" PLAIN
         "\r\nbody\r\n--b\r\n" HTML "\r\n<body><p>\r\n--b--\r\n",
         "--b\r\n" PLAIN_MARKED "\r\n" SHOWN "body\r\n--b\r\n" HTML_MARKED "\r\n<body>" X_DIV
         "<p>\r\n--b--\r\n"},
        {"Subject: x\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: "
         "text/plain; charset=utf-16\r\n\r\nbody\r\n--b\r\n" HTML
         "\r\n<body><p>\r\n--b\r\nContent-Type: text/calendar\r\n\r\nx\r\n--b--\r\n",
         "--b\r\nContent-Type: text/plain; charset=utf-16\r\n\r\nbody\r\n--b\r\n" HTML_MARKED
         "\r\n<body>" X_DIV "<p>\r\n--b\r\nContent-Type: text/calendar\r\n\r\nx\r\n--b--\r\n"},
        /* the root of what is related */
        {"Subject: x\r\nContent-Type: multipart/related; boundary=b; start=\"<2@c>\"\r\n\r\n--b\r\n" PLAIN
         "\r\n1\r\n--b\r\n" HTML "Content-ID: <2@c>\r\n\r\n<body>\r\n--b--\r\n",
         "--b\r\n" PLAIN "\r\n1\r\n--b\r\n" HTML_MARKED "Content-ID: <2@c>\r\n\r\n<body>" X_DIV
         "\r\n--b--\r\n"},
        {"Subject: x\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\n" HTML
         "\r\n<body>\r\n--b\r\n" HTML "\r\n<body>\r\n--b--\r\n",
         "--b\r\n" HTML_MARKED "\r\n<body>" X_DIV "\r\n--b\r\n" HTML "\r\n<body>\r\n--b--\r\n"},
    };
    for (size_t i = 0; i < N_OF(rows); i++)
        assert_edited(rows[i].message, rows[i].body);
}

static void html_shows_it_where_its_body_begins(void **state)
{
    (void)state;
    static const struct {
        const char *header, *body, *edited;
    } rows[] = {
        {"", "<html><head><title></title></head><body>\r\n<p>\r\nHi\r\n",
         "<html><head><title></title></head><body>" X_DIV "\r\n<p>\r\nHi\r\n"},
        {"", "<p>Hi", DIV("Subject: x") "\r\n<p>Hi"},
        {"", "", DIV("Subject: x") "\r\n"},
        {"Subject: <a href=\"'&\r\n", "<body>",
         "<body>\r\n" DIV("Subject: x\r\nSubject: &#60;a href=&#34;&#39;&#38;")},
        /* all characters in each charset, 7bit too */
        {"Subject: =?utf-8?q?=C3=BC=F0=9F=93=AB=01?=\r\n", "<body>",
         "<body>\r\n" DIV("Subject: x\r\nSubject: &#252;&#128235;&#1;")},
        /* the text may end within a line, and the line be as long as before */
        {"Content-Transfer-Encoding: quoted-printable\r\n",
         "<body style=3D\"color:red\">1234567890123456789012345678901234567890123456=\r\n7 =3D",
         "<body style=3D\"color:red\">\r\n<div class=3D\"header-protection-legacy-display\">\r\n"
         "<pre>Subject: x</pre>\r\n</div>=\r\n1234567890123456789012345678901234567890123456=\r\n7 =3D"},
        {"Content-Transfer-Encoding: quoted-printable\r\n", "<=62ody=3E\r\nHi",
         "<=62ody=3E\r\n<div class=3D\"header-protection-legacy-display\">\r\n"
         "<pre>Subject: x</pre>\r\n</div>=\r\n\r\nHi"},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct buf message;
        buf_init(&message, 4096);
        buf_printf(&message, "Subject: x\r\nContent-Type: text/html; charset=iso-8859-1\r\n%s\r\n%s",
                   rows[i].header, rows[i].body);
        assert_edited(buf_str(&message), rows[i].edited);
        buf_free(&message);
    }
}

/* In base64 at each offset in a group, with each end and any width of line: decoded, it is the same and the
 * element. */
static void html_in_base64(void **state)
{
    (void)state;
    for (size_t width = 3; width <= 80; width += 7) {
        for (size_t n = 0; n < 36; n++) {
            struct message_parts parts;
            struct legacy_display display;
            struct buf message, body;
            char *html = g_strdup_printf("%*s<body>%.*s", (int)(n % 6), "", (int)(n / 6), "<p>Hi");
            char *base64 = g_base64_encode((const guchar *)html, strlen(html));
            buf_init(&message, 4096);
            buf_printf(&message, "Subject: x\r\n" HTML "Content-Transfer-Encoding: base64\r\n\r\n");
            for (size_t i = 0; i < strlen(base64); i += width)
                buf_printf(&message, "%.*s\r\n", (int)width, base64 + i);
            find(buf_span(&message), PROTECT_HCP_BASELINE, &parts, &display);
            edit(&parts, &display, &body);
            gsize len;
            char *decoded = (char *)g_base64_decode(buf_str(&body), &len);
            char *element = g_strstr_len(decoded, (gssize)len, "\r\n<div");
            assert_non_null(element);
            size_t pads = strspn(decoded + n % 6 + 6, " ");
            assert_ptr_equal(element, decoded + n % 6 + 6 + pads);
            assert_in_range(pads, 0, 2);
            assert_span_is(span_of(element, strlen(X_DIV)), X_DIV, html);
            assert_span_is(
                span_of(element + strlen(X_DIV), len - (size_t)(element + strlen(X_DIV) - decoded)),
                html + n % 6 + 6, html);
            for (struct span at = buf_span(&body); at.len > 0;)
                assert_in_range(message_line(&at).len, 3, 82);
            g_free(html);
            g_free(base64);
            g_free(decoded);
            buf_free(&message);
            buf_free(&body);
            legacy_display_free(&display);
        }
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
        "Subject: x\r\nContent-Type: application/octet-stream\r\n\r\n",
        "Subject: x\r\nContent-Type: message/rfc822\r\n\r\n",
        "Subject: x\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n" PLAIN
        "\r\nbody\r\n--b--\r\n",
        "Subject: x\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n" PLAIN
        "\r\nbody\r\n--b--\r\n",
        "Subject: x\r\nContent-Type: multipart/x; boundary=b\r\n\r\n--b\r\n" PLAIN "\r\nbody\r\n--b--\r\n",
        "Subject: x\r\n" MIXED "\r\n--b\r\nContent-Type: image/png\r\n\r\nbody\r\n--b\r\n" PLAIN
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
        "Subject: x\r\n" MIXED "\r\n--b\r\nContent-Type: multipart/mixed; boundary=c\r\nContent-Disposition: "
        "attachment\r\n\r\n--c\r\n" PLAIN "\r\nbody\r\n--c--\r\n--b--\r\n",
        "Subject: x\r\n" HTML "Content-Disposition: attachment\r\n\r\n<body>",
        /* the root that is named is not there, or there are two */
        "Subject: x\r\nContent-Type: multipart/related; boundary=b; start=\"<2@c>\"\r\n\r\n--b\r\n" PLAIN
        "\r\n1\r\n--b--\r\n",
        "Subject: x\r\nContent-Type: multipart/related; boundary=b; start=\"<2@c>\"\r\n\r\n--b\r\n" PLAIN
        "Content-ID: <2@c>\r\nContent-ID: <3@c>\r\n\r\n1\r\n--b--\r\n",
        /* HTML whose body readers may see elsewhere */
        "Subject: x\r\n" HTML "\r\n<body class=\"",
        "Subject: x\r\nContent-Type: text/html; charset=utf-16le\r\n\r\n<body>",
        "Subject: x\r\n" HTML "Content-Transfer-Encoding: base64\r\n\r\nPGJvZ!Hk+",
        "Subject: x\r\n" HTML "Content-Transfer-Encoding: binary\r\n\r\n<body>",
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
    /* A line that no message may have, a head that nobody reads to its end, and what would pass for a
     * boundary. */
    static const struct {
        const char *head, *after;
        size_t n;
    } rows[] = {
        {"Subject: ", "\r\n\r\n", 990},
        {"Subject: x\r\n" HTML "\r\n<style>", "</style><body>", 1u << 20},
        {"Subject: x\r\n" HTML "\r\n", "<body>", (1u << 20)},
        {"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
         "quoted-printable\r\nSubject: ",
         "--b\r\n\r\n", 66},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        buf_reset(&message);
        buf_append_str(&message, rows[i].head);
        for (size_t n = 0; n < rows[i].n; n++)
            buf_append_char(&message, i == 2 ? ' ' : 'x');
        buf_append_str(&message, rows[i].after);
        find(buf_span(&message), PROTECT_HCP_BASELINE, &parts, &display);
        assert_says(display.n > 0, false, rows[i].after);
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
        cmocka_unit_test(html_shows_it_where_its_body_begins),
        cmocka_unit_test(html_in_base64),
        cmocka_unit_test(nothing_is_shown_where_it_has_no_place),
        cmocka_unit_test(nothing_is_shown_where_nothing_is_hidden),
        cmocka_unit_test(what_shy_hides_is_shown_too),
        cmocka_unit_test(there_are_bounds),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
