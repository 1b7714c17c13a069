#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/wire/dot_stuff.h"

static const struct {
    const char *in;
    const char *out; /* NULL: refused */
} cases[] = {
    {"", ".\r\n"},
    {"a\r\n", "a\r\n.\r\n"},
    {"a", "a\r\n.\r\n"}, /* a last line without CRLF gets one */
    {".", "..\r\n.\r\n"},
    {".\r\n", "..\r\n.\r\n"},
    {"..\r\n", "...\r\n.\r\n"},
    {"a.\r\n.b\r\n", "a.\r\n..b\r\n.\r\n"},
    {"\r\n.\r\n", "\r\n..\r\n.\r\n"},
    {"\r\n", "\r\n.\r\n"},
    {"a\r\n.\r\nMAIL FROM:<x>\r\n", "a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n"},
    {"a\n", NULL},
    {"a\r", NULL},
    {"\n.\n", NULL},
    {"a\n.\r\n", NULL},
    {"a\r.\r\n", NULL},
    {"a\r\r\n", NULL},
    {"a\n\r\n", NULL},
    {"\r", NULL},
    {"\n", NULL},
};

/* Cut into two pieces at every place. */
static void a2_no_bare_cr_or_lf_goes_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = strlen(cases[i].in);
        struct error err;
        assert_int_equal(dot_stuff_check(span_str(cases[i].in), &err),
                         cases[i].out ? STATUS_OK : STATUS_INVALID);
        for (size_t cut = 0; cut <= len; cut++) {
            struct dot_stuffer s;
            struct buf out;
            buf_init(&out, 1000);
            dot_stuff_start(&s);
            enum status st = dot_stuff(&s, span_of(cases[i].in, cut), &out, &err);
            if (st == STATUS_OK)
                st = dot_stuff(&s, span_of(cases[i].in + cut, len - cut), &out, &err);
            if (st == STATUS_OK)
                st = dot_stuff_end(&s, &out, &err);
            assert_int_equal(st, cases[i].out ? STATUS_OK : STATUS_INVALID);
            if (cases[i].out)
                assert_string_equal(buf_str(&out), cases[i].out);
            buf_free(&out);
        }
    }
}

/* Any text of CRLF lines: un-stuffing gives the original, and the end is found only at the end. */
static void a2_unstuffing_gives_the_original(void **state)
{
    (void)state;
    static const char *const bits[] = {".", "..", "x", "\r\n", "\r\n.", "\r\n..\r\n"};
    srand(1);
    for (int round = 0; round < 2000; round++) {
        struct buf in, out, back;
        struct dot_stuffer s;
        struct error err;
        buf_init(&in, 1000);
        buf_init(&out, 2000);
        buf_init(&back, 2000);
        for (int n = rand() % 12; n > 0; n--)
            buf_append_str(&in, bits[(unsigned)rand() % 6]);
        buf_append_str(&in, "\r\n");
        dot_stuff_start(&s);
        assert_int_equal(dot_stuff(&s, buf_span(&in), &out, &err), STATUS_OK);
        assert_int_equal(dot_stuff_end(&s, &out, &err), STATUS_OK);
        const char *at = buf_str(&out);
        while (strncmp(at, ".\r\n", 3) != 0) {
            const char *end = strstr(at, "\r\n");
            assert_non_null(end);
            size_t skip = at[0] == '.';
            buf_append(&back, at + skip, (size_t)(end - at) + 2 - skip);
            at = end + 2;
        }
        assert_string_equal(at, ".\r\n");
        assert_int_equal(back.len, in.len);
        assert_memory_equal(back.data, in.data, in.len);
        buf_free(&in);
        buf_free(&out);
        buf_free(&back);
    }
}

static void a_full_buffer_is_told(void **state)
{
    (void)state;
    struct dot_stuffer s;
    struct buf out;
    struct error err;
    buf_init(&out, 4);
    dot_stuff_start(&s);
    assert_int_equal(dot_stuff(&s, span_str("abc"), &out, &err), STATUS_OK);
    assert_int_equal(dot_stuff(&s, span_str("def"), &out, &err), STATUS_LIMIT);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a2_no_bare_cr_or_lf_goes_out),
        cmocka_unit_test(a2_unstuffing_gives_the_original),
        cmocka_unit_test(a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
