/* Command lines: strict CRLF, limits, any splits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/wire/line.h"

struct fed {
    char input[2 * LINE_SWALLOW_MAX];
    size_t len;
    struct line_reader reader;
};

/* Feeds BYTES in pieces of STEP; the first event that is not LINE_MORE, or LINE_MORE at the end. */
static enum line_event feed(struct fed *fed, struct span bytes, size_t step, char *line, size_t line_size)
{
    struct span got;
    size_t used;
    for (size_t at = 0; at < bytes.len; at += step) {
        size_t n = bytes.len - at < step ? bytes.len - at : step;
        memcpy(fed->input + fed->len, bytes.p + at, n);
        fed->len += n;
        enum line_event event = line_read(&fed->reader, span_of(fed->input, fed->len), 0, &got, &used);
        assert_true(used <= fed->len);
        if (event == LINE_WHOLE) {
            assert_true(got.len < line_size);
            memcpy(line, got.p, got.len);
            line[got.len] = '\0';
        }
        memmove(fed->input, fed->input + used, fed->len - used);
        fed->len -= used;
        if (event != LINE_MORE)
            return event;
    }
    return LINE_MORE;
}

#define CASE(text)                                                                                           \
    {                                                                                                        \
        text, sizeof text - 1                                                                                \
    }

static void test_A1_lines_and_bad_ends_at_every_split(void **state)
{
    (void)state;
    static const struct {
        struct {
            const char *p;
            size_t len;
        } in;
        enum line_event event;
        const char *line;
    } cases[] = {
        {CASE("NOOP\r\n"), LINE_WHOLE, "NOOP"},
        {CASE("\r\n"), LINE_WHOLE, ""},
        {CASE("MAIL FROM:<a@example.org>\r\n"), LINE_WHOLE, "MAIL FROM:<a@example.org>"},
        {CASE("NOOP\n"), LINE_BAD_END, NULL},
        {CASE("\n"), LINE_BAD_END, NULL},
        {CASE("NOOP\n\r"), LINE_BAD_END, NULL},
        {CASE("NOOP\rX\r\n"), LINE_BAD_END, NULL},
        {CASE("NOOP\r\r\n"), LINE_BAD_END, NULL},
        {CASE("MAIL FROM:<a@b>\nRCPT TO:<c@d>\r\n"), LINE_BAD_END, NULL},
        {CASE("NO\0OP\r\n"), LINE_NUL, NULL},
        {CASE("NOOP\r\0\n"), LINE_BAD_END, NULL},
        {CASE("BDAT 86 LAST\r\n"), LINE_WHOLE, "BDAT 86 LAST"},
        {CASE("bdat 86\0 LAST\r\n"), LINE_NO_CHUNK, NULL},
        {CASE("NOOP"), LINE_MORE, NULL},
        {CASE("NOOP\r"), LINE_MORE, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t step = 1; step <= cases[i].in.len; step++) {
            struct fed *fed = calloc(1, sizeof *fed);
            char line[64] = "";
            enum line_event event =
                feed(fed, span_of(cases[i].in.p, cases[i].in.len), step, line, sizeof line);
            assert_int_equal(event, cases[i].event);
            if (cases[i].line)
                assert_string_equal(line, cases[i].line);
            free(fed);
        }
    }
}

/* HEAD, then filler up to LEN bytes with the CRLF. */
static char *long_line(const char *head, size_t len)
{
    char *line = malloc(len + 1);
    assert_non_null(line);
    memset(line, 'x', len);
    memcpy(line, head, strlen(head));
    memcpy(line + len - 2, "\r\n", 3);
    return line;
}

static void test_limits_by_verb(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        size_t max;
    } cases[] = {{"NOOP ", 512}, {"mail FROM:", 1192},   {"RCPT TO:", 1048},
                 {"BDAT ", 512}, {"AUTH PLAIN ", 12288}, {"AUTHENTICATE", 512}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t over = 0; over < 3; over++) {
            static const size_t steps[] = {1, 7, 100000};
            for (size_t j = 0; j < 3; j++) {
                struct fed *fed = calloc(1, sizeof *fed);
                char *line = long_line(cases[i].head, cases[i].max + over);
                char got[LINE_AUTH_MAX];
                enum line_event event = feed(fed, span_str(line), steps[j], got, sizeof got);
                bool chunk = strncmp(cases[i].head, "BDAT", 4) == 0;
                assert_int_equal(event, !over ? LINE_WHOLE : chunk ? LINE_NO_CHUNK : LINE_TOO_LONG);
                assert_int_equal(fed->len, 0);
                /* The next line is a line again. */
                assert_int_equal(feed(fed, span_str("QUIT\r\n"), 6, got, sizeof got), LINE_WHOLE);
                assert_string_equal(got, "QUIT");
                free(line);
                free(fed);
            }
        }
    }
}

static void test_A17_endless_line(void **state)
{
    (void)state;
    struct fed *fed = calloc(1, sizeof *fed);
    char piece[1000], got[8];
    size_t fed_bytes = 0;
    enum line_event event = LINE_MORE;
    memset(piece, 'a', sizeof piece);
    while (event == LINE_MORE && fed_bytes < (1u << 20)) {
        event = feed(fed, span_of(piece, sizeof piece), sizeof piece, got, sizeof got);
        fed_bytes += sizeof piece;
        assert_true(fed->len <= LINE_MAIL_MAX); /* what must be kept stays bounded */
    }
    assert_int_equal(event, LINE_FLOOD);
    assert_true(fed_bytes < 2 * LINE_SWALLOW_MAX);
    free(fed);
}

/* A long line whose CR and LF come apart is still one line. */
static void test_cr_at_the_edge_of_a_swallowed_piece(void **state)
{
    (void)state;
    struct fed *fed = calloc(1, sizeof *fed);
    char *line = long_line("NOOP ", 700);
    char got[8];
    assert_int_equal(feed(fed, span_of(line, 699), 699, got, sizeof got), LINE_MORE);
    assert_int_equal(feed(fed, span_str("\nQUIT\r\n"), 7, got, sizeof got), LINE_TOO_LONG);
    assert_int_equal(fed->len, 6);
    free(line);
    free(fed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A1_lines_and_bad_ends_at_every_split),
        cmocka_unit_test(test_limits_by_verb),
        cmocka_unit_test(test_A17_endless_line),
        cmocka_unit_test(test_cr_at_the_edge_of_a_swallowed_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
