#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/message/header.h"

static void assert_span(struct span s, const char *expected)
{
    if (!span_eq(s, span_str(expected)))
        fail_msg("\"%.*s\" instead of \"%s\"", (int)s.len, s.p, expected);
}

static void splits_at_the_first_empty_line(void **state)
{
    (void)state;
    static const struct {
        const char *message, *header, *separator, *body;
    } rows[] = {
        {"A: 1\r\nB: 2\r\n\r\nbody\r\n", "A: 1\r\nB: 2\r\n", "\r\n", "body\r\n"},
        {"A: 1\r\n\r\n\r\nbody", "A: 1\r\n", "\r\n", "\r\nbody"},
        {"\r\nbody", "", "\r\n", "body"},
        {"\r\n", "", "\r\n", ""},
        {"A: 1\r\n", "A: 1\r\n", "", ""},
        {"A: 1\r\n\r\n", "A: 1\r\n", "\r\n", ""},
        {"A: 1", "A: 1", "", ""},
        {"", "", "", ""},
        /* A line of white space folds, it does not end the header (RFC 5322 §4.2). */
        {"A: 1\r\n \r\nB: 2\r\n\r\nx", "A: 1\r\n \r\nB: 2\r\n", "\r\n", "x"},
        /* Bare LF and CR do not get here; were they to, an empty line is what a lenient reader takes for one.
         */
        {"A: 1\n\nB: 2\r\n", "A: 1\n", "\n", "B: 2\r\n"},
        {"A: 1\r\rB: 2\r\n\r\nx", "A: 1\r\rB: 2\r\n", "\r\n", "x"},
        {"A: 1\r\n\rB: 2\r\n\r\nx", "A: 1\r\n\rB: 2\r\n", "\r\n", "x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct message_parts parts;
        message_split(span_str(rows[i].message), &parts);
        assert_span(parts.header, rows[i].header);
        assert_span(parts.separator, rows[i].separator);
        assert_span(parts.body, rows[i].body);
        assert_ptr_equal(parts.header.p, rows[i].message);
        assert_ptr_equal(parts.separator.p, parts.header.p + parts.header.len);
        assert_ptr_equal(parts.body.p, parts.separator.p + parts.separator.len);
    }
}

static void names_and_values(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *name, *value;
    } rows[] = {
        {"Subject: hello\r\n", "Subject", " hello"},
        {"Subject:hello\r\n", "Subject", "hello"},
        {"Subject:\r\n", "Subject", ""},
        {"Subject: a\r\n b\r\n\tc\r\n", "Subject", " a\r\n b\r\n\tc"},
        {"Subject: a:b\r\n", "Subject", " a:b"},
        {"Subject : x\r\n", "Subject", " x"}, /* RFC 5322 §4.5.8 */
        {"Subject\t \t: x\r\n", "Subject", " x"},
        {"X-!#$%&'*+^_`|~.9: x\r\n", "X-!#$%&'*+^_`|~.9", " x"},
        {"Subject: x", "Subject", " x"},
        {"no colon\r\n", "", ""},
        {": no name\r\n", "", ""},
        {" : x\r\n", "", ""},
        {"Sub ject: x\r\n", "", ""},
        {" Subject: x\r\n", "", ""},
        {"Subj\x01"
         "ect: x\r\n",
         "", ""},
        {"Subj\xc3\xa9t: x\r\n", "", ""},
        {"Subject\r: x\r\n", "", ""},
        {"Folded\r\n : x\r\n", "", ""}, /* no colon on its first line */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span at = span_str(rows[i].raw);
        struct header_field field;
        assert_true(header_next(&at, &field));
        assert_span(field.raw, rows[i].raw);
        assert_span(field.name, rows[i].name);
        assert_span(field.value, rows[i].value);
        assert_false(header_next(&at, &field));
    }
}

static void every_byte_is_in_one_field(void **state)
{
    (void)state;
    const char header[] = " first\r\nA: 1\r\n 2\r\ngarbage\r\n\tmore\r\nB:\r\n\r\nC: 3\nD: 4\r\nE";
    struct span at = span_str(header);
    struct header_field field;
    size_t n = 0, bytes = 0;
    while (header_next(&at, &field)) {
        assert_ptr_equal(field.raw.p, header + bytes);
        bytes += field.raw.len;
        n++;
    }
    assert_int_equal(bytes, sizeof header - 1);
    assert_int_equal(n, 8);
}

static void finds_the_nth(void **state)
{
    (void)state;
    struct span header = span_str("To: a\r\nX: b\r\nto: c\r\nTO : d\r\nTo-Do: e\r\n");
    struct header_field field;
    assert_true(header_find(header, "To", 0, &field));
    assert_span(field.value, " a");
    assert_true(header_find(header, "to", 1, &field));
    assert_span(field.value, " c");
    assert_true(header_find(header, "tO", 2, &field));
    assert_span(field.value, " d");
    assert_false(header_find(header, "To", 3, &field));
    assert_false(header_find(header, "", 0, &field));
    assert_false(header_find(span_of(NULL, 0), "To", 0, &field));
}

static void unfolds(void **state)
{
    (void)state;
    static const struct {
        const char *value, *text;
    } rows[] = {
        {" hello", "hello"},        {" a\r\n b", "a b"}, {" a\r\n\tb \r\n  c ", "a\tb   c"},
        {"\r\n x\r\n", "x"},        {" \r\n \r\n", ""},  {"", ""},
        {" \xff\x01 ", "\xff\x01"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf b;
        buf_init(&b, 100);
        header_unfold(span_str(rows[i].value), &b);
        assert_string_equal(buf_str(&b), rows[i].text);
        buf_free(&b);
    }
}

static void fields_are_appended_as_lines(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    header_append(span_str("A: 1\r\n"), &b);
    header_append(span_str("B: 2\n"), &b); /* another line end would end the header */
    header_append(span_str("C: 3"), &b);
    assert_string_equal(buf_str(&b), "A: 1\r\nB: 2\nC: 3\r\n");
    buf_free(&b);
}

static void lines_keep_their_ends(void **state)
{
    (void)state;
    struct span at = span_str("a\r\nb\n\r\nc");
    assert_span(message_line(&at), "a\r\n");
    assert_span(message_line(&at), "b\n");
    struct span empty = message_line(&at);
    assert_true(message_line_is_empty(empty));
    struct span last = message_line(&at);
    assert_span(last, "c");
    assert_false(message_line_is_empty(last));
    assert_span(message_line(&at), "");
    assert_false(message_line_is_empty(span_str("\r")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_at_the_first_empty_line),
        cmocka_unit_test(names_and_values),
        cmocka_unit_test(every_byte_is_in_one_field),
        cmocka_unit_test(finds_the_nth),
        cmocka_unit_test(unfolds),
        cmocka_unit_test(fields_are_appended_as_lines),
        cmocka_unit_test(lines_keep_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
