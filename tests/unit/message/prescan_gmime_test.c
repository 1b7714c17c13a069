/* prescan over-counts, never under-counts: GMime never makes more of a message than prescan let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "gateway/message/prescan.h"
#include "tests/unit/message/gmime_size.h"

#define ROUNDS 15000

/* Pieces that, put together at random, make well-formed and malformed structures. */
static const char *const pieces[] = {
    "Content-Type: multipart/mixed; boundary=a\r\n",
    "Content-Type: multipart/mixed; boundary=\"b c\"\r\n",
    "Content-Type: multipart/digest;\r\n boundary=c\r\n",
    "content-type : MULTIPART/alternative; charset=x; Boundary =\ta ; x=y\r\n",
    "Content-Type: multipart/mixed; boundary*=us-ascii''a\r\n",
    "Content-Type: multipart/mixed; boundary*0=\"b\"; boundary*1=\" c\"\r\n",
    "Content-Type: multipart/mixed; boundary=\"\\a\"\r\n",
    "Content-Type: multipart/mixed; boundary=\"=?us-ascii?q?a?=\"\r\n",
    "Content-Type: multipart/mixed; boundary=a; boundary=c\r\n",
    "Content-Type: multipart/mixed; x=\"boundary=c\"\r\n",
    "Content-Type: multipart/mixed (c); (d) boundary (e) = (f) a\r\n",
    "Content-Type: (c) multipart / (d) digest; boundary=a\r\n",
    "Content-Type: multipart/mixed; boundary=a--\r\n",
    "Content-Type: multipart/mixed; boundary=\"\"\r\n",
    "Content-Type: multipart/mixed; boundary=\"a\r\n",
    "Content-Type: multipart/mixed; boundary=\"a \"\r\n",
    "Content-Type: multipart/mixed; =; boundary=a\r\n",
    "Content-Type: multipart; boundary=a\r\n",
    "Content-Type: multipart/mixed\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: message / global; x=y\r\n",
    "Content-Type: message/(x)news\r\n",
    "Content-Type: text/plain\r\n",
    "Content-Type: nonsense\r\n",
    "Content-Type:\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: Quoted-Printable \r\n",
    "Content-Transfer-Encoding: 7bit\r\n",
    "Content-Transfer-Encoding:\r\n base64\r\n",
    "Subject: x\r\n",
    " folded: y\r\n",
    "garbage\r\n",
    "From someone\r\n",
    ": x\r\n",
    "\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "--a\r\n",
    "--a\r\n",
    "--a \t\r\n",
    "--a\n",
    "--a--\r\n",
    "--a----\r\n",
    "--b c\r\n",
    "--b c--\r\n",
    "--c\r\n",
    "--c--  \r\n",
    "--\r\n",
    "--x\r\n",
    "----\r\n",
    "text\r\n",
    "--a",
};

static unsigned next(uint64_t *seed, unsigned bound)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*seed >> 33) % bound;
}

static void assert_bounded(struct span message, const struct prescan_limits *limits)
{
    if (prescan_message(message, limits, NULL) != STATUS_OK)
        return;
    struct gmime_size size = gmime_size_of(message);
    if (size.parts > limits->parts_max || size.depth > limits->depth_max)
        fail_msg("GMime: %u parts, depth %u; prescan let through with %u and %u:\n%.*s", size.parts,
                 size.depth, limits->parts_max, limits->depth_max, (int)message.len, message.p);
}

/* The tightest limits that still let it through. */
static void tighten(struct span message, struct prescan_limits *limits)
{
    while (limits->parts_max > 0) {
        limits->parts_max--;
        if (prescan_message(message, limits, NULL) != STATUS_OK) {
            limits->parts_max++;
            break;
        }
    }
    while (limits->depth_max > 0) {
        limits->depth_max--;
        if (prescan_message(message, limits, NULL) != STATUS_OK) {
            limits->depth_max++;
            break;
        }
    }
}

static void A16_gmime_never_makes_more_of_it(void **state)
{
    (void)state;
    g_mime_init();
    uint64_t seed = 20261122;
    unsigned with_parts = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct buf message;
        buf_init(&message, 4000); /* below GMime's read buffer, which has boundary effects of its own */
        unsigned n = 2 + next(&seed, 30);
        for (unsigned i = 0; i < n; i++)
            buf_append_str(&message, pieces[next(&seed, sizeof pieces / sizeof pieces[0])]);
        assert_false(message.failed);
        struct prescan_limits limits = {
            .header_max = 4000, .parts_max = 60, .depth_max = 40, .field_max = 4000, .fields_max = 100};
        assert_int_equal(prescan_message(buf_span(&message), &limits, NULL), STATUS_OK);
        tighten(buf_span(&message), &limits);
        with_parts += limits.parts_max > 2;
        assert_bounded(buf_span(&message), &limits);
        buf_free(&message);
    }
    assert_in_range(with_parts, ROUNDS / 10, ROUNDS); /* the test looked at something */
}

/* Found by the fuzzer: each was once counted too low. */
static void A16_what_once_was_counted_too_low(void **state)
{
    (void)state;
#define DIGEST "Content-Type: multipart/digest; boundary=a\r\n\r\n"
#define MESSAGE "Content-Type: message/rfc822\r\n"
    static const char *const messages[] = {
        /* A type without subtype, which is none: a message, in a digest. */
        DIGEST
        "--a\r\n\r\n\r\n--a\r\nContent-Type: multipart boundary=a\r\n\r\n\r\n--a\r\n\r\n\r\n--a\r\n\r\n",
        /* "--" within a header, once something was unclear. */
        "Content-Type:\r\n" MESSAGE "\r\n" MESSAGE "--\r\n\r\n" MESSAGE "\r\n" MESSAGE "\r\n" MESSAGE
        "\r\nA: b\r\n",
        /* A header that a boundary ends, and whose own boundary is the same, but encoded. */
        "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"
        "Content-Type: multipart/mixed; boundary*=us-ascii''a\r\n--a\r\n" MESSAGE "\r\n" MESSAGE
        "\r\nA: b\r\n",
    };
    g_mime_init();
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
        struct prescan_limits limits = {
            .header_max = 4000, .parts_max = 60, .depth_max = 40, .field_max = 4000, .fields_max = 100};
        tighten(span_str(messages[i]), &limits);
        assert_bounded(span_str(messages[i]), &limits);
        assert_in_range(gmime_size_of(span_str(messages[i])).depth, 2, 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(A16_what_once_was_counted_too_low),
        cmocka_unit_test(A16_gmime_never_makes_more_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
