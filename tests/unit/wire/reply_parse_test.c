#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/wire/reply_parse.h"

static const struct {
    const char *input;
    enum status want;
    bool done;
    size_t consumed;
    int code;
    const char *enhanced;
    const char *text;
} cases[] = {
    {"250 OK\r\n", STATUS_OK, true, 8, 250, "", "250 OK"},
    {"250\r\n", STATUS_OK, true, 5, 250, "", "250"},
    {"250 OK\n", STATUS_OK, true, 7, 250, "", "250 OK"},
    {"250 OK\r\n354 next\r\n", STATUS_OK, true, 8, 250, "", "250 OK"},
    {"250-mx.example.org\r\n250-SIZE 1000\r\n250 DSN\r\n", STATUS_OK, true, 44, 250, "",
     "250 mx.example.org SIZE 1000 DSN"},
    {"550 5.1.1 no such user\r\n", STATUS_OK, true, 24, 550, "5.1.1", "550 5.1.1 no such user"},
    {"550-5.1.1 no\r\n550 5.1.1 user\r\n", STATUS_OK, true, 30, 550, "5.1.1", "550 5.1.1 no 5.1.1 user"},
    {"451 4.7.500\r\n", STATUS_OK, true, 13, 451, "4.7.500", "451 4.7.500"},
    /* The class must be the reply's own (RFC 2034 §4). */
    {"450 5.1.1 odd\r\n", STATUS_OK, true, 15, 450, "", "450 5.1.1 odd"},
    {"250 2.0.0000 x\r\n", STATUS_OK, true, 16, 250, "", "250 2.0.0000 x"},
    {"250 2.0.0x\r\n", STATUS_OK, true, 12, 250, "", "250 2.0.0x"},
    {"354 3.0.0 go\r\n", STATUS_OK, true, 14, 354, "", "354 3.0.0 go"},
    /* Not whole yet. */
    {"", STATUS_OK, false, 0, 0, "", NULL},
    {"250 O", STATUS_OK, false, 0, 0, "", NULL},
    {"250-one\r\n250 tw", STATUS_OK, false, 9, 250, "", NULL},
    /* A22: control characters are shown, not passed. */
    {"550 \x1b[31m\a\xff\tx\ry\r\n", STATUS_OK, true, 17, 550, "", "550 \\x1b[31m\\x07\\xff\\x09x\\x0dy"},
    /* No replies. */
    {"hello\r\n", STATUS_INVALID, false, 0, 0, "", NULL},
    {"\r\n", STATUS_INVALID, false, 0, 0, "", NULL},
    {"25\r\n", STATUS_INVALID, false, 0, 0, "", NULL},
    {"150 x\r\n", STATUS_INVALID, false, 0, 0, "", NULL},
    {"650 x\r\n", STATUS_INVALID, false, 0, 0, "", NULL},
    {"2500 x\r\n", STATUS_INVALID, false, 0, 0, "", NULL},
    {"250x\r\n", STATUS_INVALID, false, 0, 0, "", NULL},
    {" 250 x\r\n", STATUS_INVALID, false, 0, 0, "", NULL},
    {"2\xb2"
     "0 x\r\n",
     STATUS_INVALID, false, 0, 0, "", NULL},
    {"250-one\r\n550 two\r\n", STATUS_INVALID, false, 9, 0, "", NULL},
    {"250-one\r\nHTTP/1.1 200\r\n", STATUS_INVALID, false, 9, 0, "", NULL},
};

static void replies(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reply_parser p;
        struct error err;
        size_t consumed;
        bool done;
        char text[REPLY_TEXT_MAX + 1];
        reply_parse_start(&p);
        enum status st = reply_parse(&p, span_str(cases[i].input), &consumed, &done, &err);
        if (st != cases[i].want)
            print_message("case %zu\n", i);
        assert_int_equal(st, cases[i].want);
        if (st != STATUS_OK)
            continue;
        assert_int_equal(done, cases[i].done);
        assert_int_equal(consumed, cases[i].consumed);
        if (!done)
            continue;
        reply_parse_text(&p, text);
        assert_int_equal(p.code, cases[i].code);
        assert_string_equal(p.enhanced, cases[i].enhanced);
        assert_string_equal(text, cases[i].text);
    }
}

static void byte_by_byte_is_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (!cases[i].done)
            continue;
        struct reply_parser p;
        struct error err;
        size_t at = 0, consumed;
        bool done = false;
        char text[REPLY_TEXT_MAX + 1];
        reply_parse_start(&p);
        for (size_t end = 1; !done; end++) {
            assert_true(end <= strlen(cases[i].input));
            assert_int_equal(reply_parse(&p, span_of(cases[i].input + at, end - at), &consumed, &done, &err),
                             STATUS_OK);
            at += consumed;
        }
        assert_int_equal(at, cases[i].consumed);
        reply_parse_text(&p, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void a22_endless_lines(void **state)
{
    (void)state;
    struct reply_parser p;
    struct error err;
    size_t consumed, lines = 0;
    bool done;
    enum status st;
    reply_parse_start(&p);
    do
        st = reply_parse(&p, span_str("250-and so on\r\n"), &consumed, &done, &err);
    while (st == STATUS_OK && ++lines < 100000);
    assert_int_equal(st, STATUS_INVALID);
    assert_int_equal(lines, REPLY_LINES_MAX - 1);
}

static void a22_endless_line(void **state)
{
    (void)state;
    struct error err;
    size_t consumed;
    bool done;
    for (size_t len = REPLY_LINE_MAX - 2; len < REPLY_LINE_MAX + 2; len++) {
        struct reply_parser p;
        char *line = malloc(len);
        memset(line, 'x', len);
        memcpy(line, "250 ", 4);
        reply_parse_start(&p);
        assert_int_equal(reply_parse(&p, span_of(line, len), &consumed, &done, &err),
                         len < REPLY_LINE_MAX ? STATUS_OK : STATUS_INVALID);
        line[len - 1] = '\n';
        reply_parse_start(&p);
        assert_int_equal(reply_parse(&p, span_of(line, len), &consumed, &done, &err),
                         len <= REPLY_LINE_MAX ? STATUS_OK : STATUS_INVALID);
        free(line);
    }
}

static void a22_much_text_is_cut(void **state)
{
    (void)state;
    struct reply_parser p;
    struct error err;
    char line[1024], text[REPLY_TEXT_MAX + 1];
    size_t consumed;
    bool done;
    memset(line, 1, sizeof line);
    memcpy(line, "250-", 4);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    reply_parse_start(&p);
    for (int i = 0; i < 100; i++)
        assert_int_equal(reply_parse(&p, span_of(line, sizeof line), &consumed, &done, &err), STATUS_OK);
    assert_int_equal(reply_parse(&p, span_str("250 x\r\n"), &consumed, &done, &err), STATUS_OK);
    assert_true(done);
    assert_int_equal(p.len, REPLY_KEPT_MAX);
    reply_parse_text(&p, text);
    assert_true(strlen(text) <= REPLY_TEXT_MAX);
    for (const char *c = text; *c; c++)
        assert_true(*c >= ' ' && *c < 0x7f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies),
        cmocka_unit_test(byte_by_byte_is_the_same),
        cmocka_unit_test(a22_endless_lines),
        cmocka_unit_test(a22_endless_line),
        cmocka_unit_test(a22_much_text_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
