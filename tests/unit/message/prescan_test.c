#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/buf.h"
#include "gateway/message/prescan.h"

static const struct prescan_limits usual = {
    .header_max = 262144, .parts_max = 1000, .depth_max = 50, .field_max = 65536, .fields_max = 1000};

/* Parts and depth that a message is taken for: the smallest limits that let it through. */
static unsigned least(struct span message, bool parts)
{
    for (unsigned n = 0; n < 100; n++) {
        struct prescan_limits limits = usual;
        *(parts ? &limits.parts_max : &limits.depth_max) = n;
        if (prescan_message(message, &limits, NULL) == STATUS_OK)
            return n;
    }
    return 100;
}

#define MIXED(b) "Content-Type: multipart/mixed; boundary=" b "\r\n\r\n"
#define TEXT "Content-Type: text/plain\r\n\r\ntext\r\n"

static void counts_parts_and_depth(void **state)
{
    (void)state;
    static const struct {
        const char *what, *message;
        unsigned parts, depth;
    } rows[] = {
        {"nothing", "", 0, 0},
        {"no body", "Subject: x\r\n", 0, 0},
        {"text with dashes", "Subject: x\r\n\r\n-- \r\n--x\r\n----\r\n", 0, 0},
        {"one multipart", MIXED("a") "--a\r\n" TEXT "--a\r\n" TEXT "--a--\r\n", 2, 1},
        {"quoted boundary", MIXED("\"a b\"") "--a b\r\n" TEXT "--a b--\r\n", 1, 1},
        {"folded", "Content-Type: multipart/mixed;\r\n\tcharset=x;\r\n boundary=\"a\"\r\n\r\n--a\r\n" TEXT, 1,
         1},
        {"odd case and blanks", "CONTENT-type : MultiPart/Mixed; BOUNDARY = a\r\n\r\n--a \t\r\n" TEXT, 1, 1},
        {"no boundary", "Content-Type: multipart/mixed\r\n\r\n--a\r\n--b\r\n", 0, 1},
        {"not multipart", "Content-Type: text/plain; boundary=a\r\n\r\n--a\r\n--a\r\n", 0, 0},
        {"other lines with dashes", MIXED("a") "--a\r\n" TEXT "--ab\r\n--\r\n---a\r\n --a\r\n--a--b\r\n", 1,
         1},
        {"after the end", MIXED("a") "--a\r\n" TEXT "--a--\r\n--a\r\n--a\r\n", 1, 1},
        {"two levels", MIXED("a") "--a\r\n" MIXED("b") "--b\r\n" TEXT "--b--\r\n--a--\r\n", 2, 2},
        {"inner left open", MIXED("a") "--a\r\n" MIXED("b") "--b\r\n" TEXT "--a\r\n" TEXT "--b\r\n--a--\r\n",
         3, 2},
        {"siblings", MIXED("a") "--a\r\n" MIXED("b") "--b--\r\n--a\r\n" MIXED("c") "--c--\r\n--a--\r\n", 2,
         2},
        {"a message inside", "Content-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nx", 1, 1},
        {"a message in a message",
         "Content-Type: message/rfc822\r\n\r\nContent-Type: message/global\r\n\r\nA: b\r\n", 2, 2},
        {"a message with parts", "Content-Type: message/rfc822\r\n\r\n" MIXED("a") "--a\r\n" TEXT, 2, 2},
        {"a message in base64",
         "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA", 0, 0},
        {"said twice",
         "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n"
         "Content-Transfer-Encoding: base64\r\n\r\nAAAA",
         1, 1},
        {"digest",
         "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: y\r\n\r\n--a\r\n\r\nX: z\r\n",
         4, 2},
        {"typed in a digest", "Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n" TEXT "--a--\r\n", 1,
         1},
        {"header without end", MIXED("a") "--a\r\nA: b\r\n--a\r\nA: b\r\n--a--\r\n", 2, 1},
        {"multipart without end of header",
         MIXED("a") "--a\r\nContent-Type: multipart/mixed; boundary=a\r\n--a\r\n" TEXT, 2, 2},
        {"bare LF", "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a\n\ny\n", 2, 1},
        /* Whatever is unclear counts as the worst. */
        {"two types",
         "Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n--x\r\n", 2, 1},
        {"two boundaries", MIXED("a; boundary=b") "--b\r\n--c\r\n", 2, 1},
        {"RFC 2231", "Content-Type: multipart/mixed; boundary*=us-ascii''a\r\n\r\n--a\r\n--x\r\n", 2, 1},
        {"RFC 2231 in pieces",
         "Content-Type: multipart/mixed; boundary*0=a; boundary*1=b\r\n\r\n--ab\r\n--x\r\n", 2, 1},
        {"escaped", MIXED("\"a\\b\"") "--ab\r\n--x\r\n", 2, 1},
        {"encoded-word", MIXED("\"=?us-ascii?q?a?=\"") "--a\r\n--x\r\n", 2, 1},
        {"comment", "Content-Type: multipart/mixed; boundary(x)=a\r\n\r\n--a\r\n--x\r\n", 2, 1},
        {"comment before the type", "Content-Type: (x)multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\n--x\r\n",
         3, 2},
        {"empty boundary", MIXED("\"\"") "--\r\n--x\r\n", 2, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span message = span_str(rows[i].message);
        unsigned parts = least(message, true), depth = least(message, false);
        if (parts != rows[i].parts || depth != rows[i].depth)
            fail_msg("%s: %u parts and depth %u instead of %u and %u", rows[i].what, parts, depth,
                     rows[i].parts, rows[i].depth);
    }
}

/* ---- A16 ---- */

static void repeat(struct buf *b, const char *text, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        buf_append_str(b, text);
}

static int64_t cpu_ms(void)
{
    return (int64_t)clock() * 1000 / CLOCKS_PER_SEC;
}

static void assert_refused(struct buf *message, const struct prescan_limits *limits, const char *word)
{
    struct error err = {0};
    assert_non_null(buf_str(message));
    assert_int_equal(prescan_message(buf_span(message), limits, &err), STATUS_LIMIT);
    if (!strstr(err.text, word))
        fail_msg("\"%s\" does not say \"%s\"", err.text, word);
    buf_free(message);
}

static void A16_200000_parts(void **state)
{
    (void)state;
    struct buf message;
    buf_init(&message, 1u << 24);
    buf_append_str(&message, MIXED("a"));
    repeat(&message, "--a\r\n\r\nx\r\n", 200000);
    assert_refused(&message, &usual, "more than 1000 MIME parts");
}

static void A16_depth_10000(void **state)
{
    (void)state;
    struct buf message;
    buf_init(&message, 1u << 24);
    for (unsigned i = 0; i < 10000; i++)
        buf_printf(&message, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i, i);
    assert_refused(&message, &usual, "nested deeper than 50");

    buf_init(&message, 1u << 24);
    repeat(&message, "Content-Type: message/rfc822\r\n\r\n", 10000);
    assert_refused(&message, &usual, "nested deeper than 50");
}

static void A16_a_megabyte_of_header(void **state)
{
    (void)state;
    struct buf message;
    buf_init(&message, 1u << 24);
    repeat(&message, "X-Filler: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n",
           12500);
    struct prescan_limits limits = usual;
    limits.fields_max = 1000000;
    assert_refused(&message, &limits, "a header larger than 262144 bytes");

    buf_init(&message, 1u << 24);
    repeat(&message, "A:\r\n", 1001);
    assert_refused(&message, &usual, "more than 1000 fields");

    buf_init(&message, 1u << 24);
    buf_append_str(&message, "Subject: x\r\n");
    repeat(&message, " folded and folded again\r\n", 40000);
    assert_refused(&message, &usual, "a header field larger than 65536 bytes");

    buf_init(&message, 1u << 24);
    repeat(&message, "x", 1u << 20); /* one line without any end */
    assert_refused(&message, &usual, "larger than");

    buf_init(&message, 1u << 24);
    buf_append_str(&message, MIXED("a") "--a\r\n" TEXT "--a\r\n");
    repeat(&message, "garbage\r\n", 1001);
    assert_refused(&message, &usual, "more than 1000 fields");
}

/* Twice the message, about twice the time, with as many boundaries open as may be and every line a near miss.
 */
static int64_t time_of_near_misses(unsigned lines)
{
    struct buf message;
    buf_init(&message, 1u << 28);
    char boundary[71];
    memset(boundary, 'b', 70);
    boundary[70] = '\0';
    for (unsigned i = 0; i < 49; i++) {
        snprintf(boundary + 68, sizeof boundary - 68, "%02u", i);
        buf_printf(&message, "Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n", boundary,
                   boundary);
    }
    buf_append_str(&message, "\r\n");
    snprintf(boundary + 68, sizeof boundary - 68, "xx");
    for (unsigned i = 0; i < lines; i++)
        buf_printf(&message, "--%s\r\n", boundary);
    assert_false(message.failed);
    int64_t start = cpu_ms();
    assert_int_equal(prescan_message(buf_span(&message), &usual, NULL), STATUS_OK);
    int64_t spent = cpu_ms() - start;
    buf_free(&message);
    return spent;
}

static void A16_time_is_linear(void **state)
{
    (void)state;
    int64_t once = time_of_near_misses(100000);
    int64_t four_times = time_of_near_misses(400000);
    if (four_times > 12 * once + 100)
        fail_msg("%lld ms, four times as much: %lld ms", (long long)once, (long long)four_times);
}

static void A16_a_long_content_type_is_read_in_linear_time(void **state)
{
    (void)state;
    struct prescan_limits limits = usual;
    limits.header_max = limits.field_max = 1u << 24;
    struct buf message;
    buf_init(&message, 1u << 24);
    buf_append_str(&message, "Content-Type: multipart/mixed");
    repeat(&message, ";\r\n boundar=\"boundary\"", 300000);
    buf_append_str(&message, "\r\n\r\n");
    int64_t start = cpu_ms();
    assert_int_equal(prescan_message(buf_span(&message), &limits, NULL), STATUS_OK);
    assert_in_range(cpu_ms() - start, 0, 2000);
    buf_free(&message);
}

static void zero_limits_let_plain_text_through(void **state)
{
    (void)state;
    struct prescan_limits limits = usual;
    limits.parts_max = 0;
    limits.depth_max = 0;
    assert_int_equal(prescan_message(span_str("Subject: x\r\n\r\n--a\r\n"), &limits, NULL), STATUS_OK);
    assert_int_equal(prescan_message(span_str(MIXED("a")), &limits, NULL), STATUS_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_parts_and_depth),
        cmocka_unit_test(A16_200000_parts),
        cmocka_unit_test(A16_depth_10000),
        cmocka_unit_test(A16_a_megabyte_of_header),
        cmocka_unit_test(A16_time_is_linear),
        cmocka_unit_test(A16_a_long_content_type_is_read_in_linear_time),
        cmocka_unit_test(zero_limits_let_plain_text_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
