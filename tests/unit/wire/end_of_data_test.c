/* A1: only CRLF.CRLF ends a message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/wire/end_of_data.h"

struct result {
    char out[256];
    size_t len;
    size_t used;
    struct end_of_data eod;
};

/* Feeds BYTES cut at A and B (A <= B). */
static void feed_cut(struct span bytes, size_t a, size_t b, struct result *r)
{
    const size_t cuts[] = {0, a, b, bytes.len};
    *r = (struct result){0};
    end_of_data_init(&r->eod);
    for (size_t i = 0; i < 3; i++) {
        size_t n, piece = cuts[i + 1] - cuts[i];
        assert_true(r->len + piece <= sizeof r->out);
        size_t used = end_of_data_feed(&r->eod, span_of(bytes.p + cuts[i], piece), r->out + r->len, &n);
        assert_true(n <= used + 1);
        r->len += n;
        r->used += used;
        if (r->eod.state == END_OF_DATA_DONE)
            return;
        assert_int_equal(used, piece);
    }
}

#define BYTES(text)                                                                                          \
    {                                                                                                        \
        text, sizeof text - 1                                                                                \
    }

struct bytes {
    const char *p;
    size_t len;
};

static void test_A1_only_crlf_dot_crlf_ends_at_every_split(void **state)
{
    (void)state;
    /* What stands between "a message" and the smuggled commands. */
    static const struct bytes variants[] = {
        BYTES("\n.\n"),         BYTES("\n.\r\n"),      BYTES("\r\n.\n"),     BYTES("\r.\r"),
        BYTES("\r.\r\n"),       BYTES("\r\n.\r"),      BYTES("\n.\r"),       BYTES("\r.\n"),
        BYTES("\r\r\n.\n"),     BYTES("\r\n.\r\r\n"),  BYTES("\r\n\r.\r\n"), BYTES("\n\r.\r\n"),
        BYTES("\r\n.\0\r\n"),   BYTES("\r\n\0.\r\n"),  BYTES("\r\0\n.\r\n"), BYTES("\r\n.\r\0\n"),
        BYTES("\r\n.\r\n\r\n"), BYTES("\r\n. \r\n"),   BYTES("\r\n .\r\n"),  BYTES("\r\n..\r\n"),
        BYTES("\r\n.\t\r\n"),   BYTES("\r\n.\x0b\n"),  BYTES("\x85.\x85"),   BYTES("\r\n.\x8d\n"),
        BYTES("\xe2\x80\xa8."), BYTES("\r\n.\r\x0b\n")};
    static const char head[] = "a message", tail[] = "QUIT\r\n";
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        char text[128];
        size_t len = 0;
        memcpy(text, head, sizeof head - 1);
        len += sizeof head - 1;
        memcpy(text + len, variants[i].p, variants[i].len);
        len += variants[i].len;
        memcpy(text + len, tail, sizeof tail - 1);
        len += sizeof tail - 1;
        bool is_real = variants[i].len == 7 && memcmp(variants[i].p, "\r\n.\r\n\r\n", 7) == 0;
        for (size_t a = 0; a <= len; a++) {
            for (size_t b = a; b <= len; b++) {
                struct result r;
                feed_cut(span_of(text, len), a, b, &r);
                assert_int_equal(r.eod.state == END_OF_DATA_DONE, is_real);
                assert_int_equal(r.used, is_real ? sizeof head - 1 + 5 : len);
            }
        }
    }
}

static void test_A1_bare_cr_or_lf_is_remembered_and_swallowed(void **state)
{
    (void)state;
    static const struct {
        struct bytes in;
        bool bare, nul;
    } cases[] = {
        {BYTES("a\r\n.\r\n"), false, false},        {BYTES(".\r\n"), false, false},
        {BYTES("a\n.\r\nb\r\n.\r\n"), true, false}, {BYTES("a\rb\r\n.\r\n"), true, false},
        {BYTES("a\r\r\n.\r\n"), true, false},       {BYTES("\n\r\n.\r\n"), true, false},
        {BYTES(".\n\r\n.\r\n"), true, false},       {BYTES(".\rx\r\n.\r\n"), true, false},
        {BYTES(".\r\r\n.\r\n"), true, false},       {BYTES("a\0\r\n.\r\n"), false, true},
        {BYTES("a\r\n.\n\r\n.\r\n"), true, false},  {BYTES("\r\0\r\n.\r\n"), true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t a = 0; a <= cases[i].in.len; a++) {
            struct result r;
            feed_cut(span_of(cases[i].in.p, cases[i].in.len), a, a, &r);
            assert_int_equal(r.eod.state, END_OF_DATA_DONE);
            assert_int_equal(r.used, cases[i].in.len);
            assert_int_equal(r.eod.bare_line_end, cases[i].bare);
            assert_int_equal(r.eod.nul, cases[i].nul);
        }
    }
}

static void test_dots_are_unstuffed_at_every_split(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {".\r\n", ""},
        {"\r\n.\r\n", "\r\n"},
        {"a\r\n.\r\n", "a\r\n"},
        {"..\r\n.\r\n", ".\r\n"},
        {"...\r\n.\r\n", "..\r\n"},
        {"..a\r\nb.\r\n.c\r\n.\r\n", ".a\r\nb.\r\nc\r\n"},
        {"a..b\r\n..\r\n..\r\n.\r\n", "a..b\r\n.\r\n.\r\n"},
        {"\xc3\xbc\r\n.\r\n", "\xc3\xbc\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = strlen(cases[i].in);
        for (size_t a = 0; a <= len; a++) {
            for (size_t b = a; b <= len; b++) {
                struct result r;
                feed_cut(span_of(cases[i].in, len), a, b, &r);
                assert_int_equal(r.eod.state, END_OF_DATA_DONE);
                assert_int_equal(r.len, strlen(cases[i].out));
                assert_memory_equal(r.out, cases[i].out, r.len);
                assert_int_equal(r.eod.eight_bit, cases[i].in[0] == '\xc3');
            }
        }
    }
}

static void test_what_follows_the_end_is_left_alone(void **state)
{
    (void)state;
    struct result r;
    static const char in[] = "a\r\n.\r\n.\r\nMAIL FROM:<a@example.org>\r\n";
    feed_cut(span_str(in), 0, 0, &r);
    assert_int_equal(r.used, 6);
    size_t n = 1;
    assert_int_equal(end_of_data_feed(&r.eod, span_str("more"), r.out, &n), 0);
    assert_int_equal(n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A1_only_crlf_dot_crlf_ends_at_every_split),
        cmocka_unit_test(test_A1_bare_cr_or_lf_is_remembered_and_swallowed),
        cmocka_unit_test(test_dots_are_unstuffed_at_every_split),
        cmocka_unit_test(test_what_follows_the_end_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
