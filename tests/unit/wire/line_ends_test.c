/* Line ends of a message: checked, or normalised; at every split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/wire/end_of_data.h"
#include "gateway/wire/line_ends.h"
#include "gateway/wire/normalize.h"

static const struct {
    const char *in, *normal;
    bool bare;
} cases[] = {
    {"", "", false},
    {"a", "a", false},
    {"a\r\n", "a\r\n", false},
    {"\r\n\r\n", "\r\n\r\n", false},
    {"a\nb", "a\r\nb", true},
    {"a\rb", "a\r\nb", true},
    {"\n", "\r\n", true},
    {"\r", "\r\n", true},
    {"\n\n", "\r\n\r\n", true},
    {"\r\r", "\r\n\r\n", true},
    {"\n\r", "\r\n\r\n", true},
    {"\r\r\n", "\r\n\r\n", true},
    {"\r\n\n", "\r\n\r\n", true},
    {"\n\r\n", "\r\n\r\n", true},
    {"a\r\n.\nb", "a\r\n.\r\nb", true},
    {"..\r..\n", "..\r\n..\r\n", true},
};

#define N_CASES (sizeof cases / sizeof *cases)

static void test_A1_bare_line_ends_are_seen_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CASES; i++) {
        struct span in = span_str(cases[i].in);
        for (size_t cut = 0; cut <= in.len; cut++) {
            struct line_ends ends = {0};
            line_ends_check(&ends, span_of(in.p, cut));
            line_ends_check(&ends, span_of(in.p + cut, in.len - cut));
            line_ends_finish(&ends);
            assert_int_equal(ends.bare, cases[i].bare);
            assert_false(ends.nul);
            assert_false(ends.eight_bit);
        }
    }
}

static void test_nul_and_eight_bits(void **state)
{
    (void)state;
    struct line_ends ends = {0};
    line_ends_check(&ends, span_of("a\0b", 3));
    assert_true(ends.nul);
    assert_false(ends.eight_bit);
    line_ends_check(&ends, span_str("\xc3\xbc"));
    assert_true(ends.eight_bit);
    assert_false(ends.bare);
}

static void test_normalised_at_every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CASES; i++) {
        struct span in = span_str(cases[i].in);
        for (size_t cut = 0; cut <= in.len; cut++) {
            struct normalizer n = {0};
            char out[64];
            size_t len = normalize_feed(&n, span_of(in.p, cut), out);
            assert_true(len <= NORMALIZE_ROOM(cut));
            len += normalize_feed(&n, span_of(in.p + cut, in.len - cut), out + len);
            len += normalize_finish(&n, out + len);
            assert_true(span_eq(span_of(out, len), span_str(cases[i].normal)));
            assert_int_equal(normalize_finish(&n, out), 0);
        }
    }
}

/* Behind DATA, where the end is CRLF.CRLF and nothing else whatever becomes of the line ends. */
static void test_A1_normalised_behind_data(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } data[] = {
        {"a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
        {"a\r.\rb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
        {"a\n.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"},
        {"a\r\n.\nb\r\n.\r\n", "a\r\n\r\nb\r\n"}, /* a dot behind CRLF is un-stuffed */
        {"a\r\n.\rb\r\n.\r\n", "a\r\n\r\nb\r\n"}, /* the CR behind it is not lost */
        {"a\r\n.\r\rb\r\n.\r\n", "a\r\n\r\n\r\nb\r\n"},
        {"a\r\n.\r\r\n.\r\n", "a\r\n\r\n\r\n"},
        {"a\n..b\r\n.\r\n", "a\r\n..b\r\n"}, /* one behind a bare LF is not */
        {"\n\r\n.\r\n", "\r\n\r\n"},
        {".\r\n", ""},
    };
    for (size_t i = 0; i < sizeof data / sizeof *data; i++) {
        struct span in = span_str(data[i].in);
        for (size_t cut = 0; cut < in.len; cut++) {
            struct end_of_data eod;
            struct normalizer n = {0};
            char message[64], out[128];
            size_t len = 0;
            end_of_data_init(&eod);
            const struct span pieces[] = {span_of(in.p, cut), span_of(in.p + cut, in.len - cut)};
            for (int j = 0; j < 2; j++) {
                size_t got = 0;
                size_t used = end_of_data_feed(&eod, pieces[j], message, &got);
                assert_int_equal(used, pieces[j].len);
                assert_true(got <= used + 1);
                len += normalize_feed(&n, span_of(message, got), out + len);
            }
            assert_int_equal(eod.state, END_OF_DATA_DONE);
            len += normalize_finish(&n, out + len);
            if (!span_eq(span_of(out, len), span_str(data[i].out)))
                fail_msg("case %zu, cut %zu: %.*s", i, cut, (int)len, out);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A1_bare_line_ends_are_seen_at_every_split),
        cmocka_unit_test(test_nul_and_eight_bits),
        cmocka_unit_test(test_normalised_at_every_split),
        cmocka_unit_test(test_A1_normalised_behind_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
