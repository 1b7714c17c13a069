/* Writing replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/wire/reply.h"

static void test_lines_and_codes(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *enhanced, *text, *out;
    } cases[] = {
        {250, "2.0.0", "OK", "250 2.0.0 OK\r\n"},
        {220, NULL, "mail.example.org ESMTP", "220 mail.example.org ESMTP\r\n"},
        {334, NULL, "", "334 \r\n"},
        {250, NULL, "a\nb\nc", "250-a\r\n250-b\r\n250 c\r\n"},
        {214, "2.0.0", "a\nb", "214-2.0.0 a\r\n214 2.0.0 b\r\n"}, /* RFC 2034 §4: on every line */
        {550, "5.7.1", "x\r\x01\x7f\xc3\xbc", "550 5.7.1 x?????\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        buf_init(&out, 1000);
        reply_format(&out, cases[i].code, cases[i].enhanced, cases[i].text);
        assert_string_equal(buf_str(&out), cases[i].out);
        buf_free(&out);
    }
}

static void test_long_texts_go_on_in_the_next_line(void **state)
{
    (void)state;
    char text[2001];
    struct buf out;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    buf_init(&out, 8000);
    reply_format(&out, 550, "5.7.1", text);
    size_t count = 0, x = 0;
    const char *line = buf_str(&out);
    while (*line) {
        const char *end = strstr(line, "\r\n");
        assert_non_null(end);
        assert_true(end + 2 - line <= REPLY_LINE_MAX);
        assert_int_equal(line[3], end[2] ? '-' : ' ');
        for (const char *p = line; p < end; p++)
            x += *p == 'x';
        line = end + 2;
        count++;
    }
    assert_int_equal(x, 2000);
    assert_int_equal(count, 5);
    buf_free(&out);
}

static void test_A9_no_text_makes_a_second_reply(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        char text[] = "a?250 b";
        struct buf out;
        text[1] = (char)c;
        buf_init(&out, 1000);
        reply_format(&out, 550, NULL, c == '\n' ? "a 250 b" : text);
        const char *s = buf_str(&out);
        assert_ptr_equal(strchr(s, '\r'), s + strlen(s) - 2);
        assert_ptr_equal(strchr(s, '\n'), s + strlen(s) - 1);
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_codes),
        cmocka_unit_test(test_long_texts_go_on_in_the_next_line),
        cmocka_unit_test(test_A9_no_text_makes_a_second_reply),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
