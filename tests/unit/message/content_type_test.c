#include "gateway/message/content_type.h"
#include "tests/unit/message/table.h"

#define EIGHT "a=1; b=1; c=1; d=1; e=1; f=1; g=1; h=1; "
#define MORE "a1=1; b1=1; c1=1; d1=1; e1=1; f1=1; g1=1; h1=1; "

static void reads_what_all_readers_read_alike(void **state)
{
    (void)state;
    static const struct {
        const char *value, *type, *subtype, *parameter, *is; /* IS: the value of PARAMETER */
    } rows[] = {
        {"text/plain", "text", "plain", "charset", ""},
        {" TEXT/Plain ", "TEXT", "Plain", "charset", ""},
        {" text/plain; charset=utf-8", "text", "plain", "CHARSET", "utf-8"},
        {" text/plain;\r\n\tcharset=\"utf-8\"", "text", "plain", "charset", "utf-8"},
        {" text/plain ; charset = utf-8 ; x=y", "text", "plain", "charset", "utf-8"},
        {" text/plain; charset=utf-8;", "text", "plain", "charset", "utf-8"},
        {" text/plain; charset=utf-8; \r\n ", "text", "plain", "charset", "utf-8"},
        {" text/plain; x=\"a;b=c\"; charset=utf-8", "text", "plain", "b", ""},
        {" text/plain; x=\"a\\\"; charset=no\"; charset=utf-8", "text", "plain", "charset", "utf-8"},
        {" text/plain; x=\"\"", "text", "plain", "x", ""},
        {" text/plain; x=\"a\\\\\"; y=z", "text", "plain", "x", "a\\\\"},
        {" multipart/mixed; boundary=\"=_ '()+,-./:?\"", "multipart", "mixed", "boundary", "=_ '()+,-./:?"},
        {" a/b; " EIGHT MORE "z=1", "a", "b", "z", "1"},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct content_type type;
        struct span value = span_str(rows[i].value);
        assert_says(content_type_read(value, &type), true, rows[i].value);
        assert_span_is(type.type, rows[i].type, rows[i].value);
        assert_span_is(type.subtype, rows[i].subtype, rows[i].value);
        assert_span_is(content_type_parameter(&type, rows[i].parameter), rows[i].is, rows[i].value);
        assert_true(type.end.p >= value.p && type.end.p <= value.p + value.len);
        assert_int_equal(type.end.len, 0);
    }
}

static void refuses_all_else(void **state)
{
    (void)state;
    static const struct span rows[] = {
        {"", 0},
        SPAN(" "),
        SPAN("text"),
        SPAN("text/"),
        SPAN("/plain"),
        SPAN("text /plain"),
        SPAN("text/ plain"),
        SPAN("text/plain/x"),
        SPAN("text/plain charset=utf-8"),
        SPAN("text/plain, text/html"),
        SPAN("text/plain (plain); charset=utf-8"),
        SPAN("text/plain; charset=utf-8 (always)"),
        SPAN("text/plain;; charset=utf-8"),
        SPAN("text/plain; charset"),
        SPAN("text/plain; charset="),
        SPAN("text/plain; =utf-8"),
        SPAN("text/plain; charset=utf-8 x"),
        SPAN("text/plain; charset=\"utf-8"),
        SPAN("text/plain; charset=\"utf-8\\"),
        SPAN("text/plain; charset=\"utf-8\\\""),
        SPAN("text/plain; charset=\"utf-8\"x"),
        SPAN("text/plain; charset=utf-8; charset=utf-8"),
        SPAN("text/plain; charset=utf-8; CHARSET=latin1"),
        /* RFC 2231 */
        SPAN("text/plain; charset*=utf-8''x"),
        SPAN("text/plain; charset*0=utf; charset*1=-8"),
        SPAN("text/plain; charset*0*=utf''x"),
        /* not ASCII, or not text */
        SPAN("t\xe9xt/plain"),
        SPAN("text/plain; x=\xe9"),
        SPAN("text/plain; x=\"\xe9\""),
        SPAN("text/plain; x=\"\\\xe9\""),
        SPAN("text/plain; x=\"a\x7f\""),
        SPAN("text/plain; x=\"a\0b\""),
        SPAN("text/plain; x=\"a\\\0b\""),
        SPAN("text/pl\0ain"),
        SPAN("text/plain\0; x=y"),
        SPAN("a/b; " EIGHT MORE "aa=1; ab=1; ac=1; ad=1; ae=1; af=1; ag=1; ah=1; ba=1; bb=1; bc=1; bd=1; "
             "be=1; bf=1; bg=1; bh=1; z=1"),
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct content_type type;
        assert_says(content_type_read(rows[i], &type), false, rows[i].p);
    }
}

static void parameters_and_the_end_lie_where_they_say(void **state)
{
    (void)state;
    struct content_type type;
    assert_true(content_type_read(span_str(" a/b ; c=d ;\r\n e=\"f\" ; "), &type));
    assert_int_equal(type.n, 2);
    assert_span_is(type.parameters[0].whole, "; c=d", "first");
    assert_span_is(type.parameters[1].whole, ";\r\n e=\"f\"", "second");
    assert_ptr_equal(type.end.p, type.parameters[1].whole.p + type.parameters[1].whole.len);
    assert_true(content_type_read(span_str(" a/b ; "), &type));
    assert_ptr_equal(type.end.p, type.subtype.p + type.subtype.len);
}

static void the_field_must_stand_once(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool good, found;
    } rows[] = {
        {"", true, false},
        {"To: a\r\nX-Content-Type: a/b\r\n", true, false},
        {"To: a\r\nContent-Type: a/b\r\n", true, true},
        {"content-type : a/b\r\n", true, true},
        {"Content-Type: a/b\r\nContent-Type: a/b\r\n", false, true},
        {"Content-Type: a/b\r\nCONTENT-TYPE : c/d\r\n", false, true},
        {"Content-Type:\r\n", false, true},
        {"Content-Type: a/b", true, true},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct header_field field;
        struct content_type type;
        bool found;
        assert_says(content_type_find(span_str(rows[i].header), &field, &type, &found), rows[i].good,
                    rows[i].header);
        assert_says(found, rows[i].found, rows[i].header);
        if (rows[i].good && rows[i].found)
            assert_true(content_type_is(&type, "A", "B") && !content_type_is(&type, "a", "bb"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_all_readers_read_alike),
        cmocka_unit_test(refuses_all_else),
        cmocka_unit_test(parameters_and_the_end_lie_where_they_say),
        cmocka_unit_test(the_field_must_stand_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
