#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "smime/content_type.h"

#define SPAN(literal)                                                                                        \
    {                                                                                                        \
        literal, sizeof(literal) - 1                                                                         \
    }

static void the_type_is_taken_off_the_front(void **state)
{
    (void)state;
    static const struct {
        const char *field, *type, *rest;
    } rows[] = {
        {"", "", ""},
        {" \r\n ", "", ""},
        {" multipart/signed; a=b", "multipart/signed", "; a=b"},
        {"\r\n multipart/signed", "multipart/signed", ""},
        {"a/b (comment); c=d", "a/b", " (comment); c=d"},
        {"; a=b", "", "; a=b"},
        {"\xe9/b", "", "\xe9/b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct span field = span_str(rows[i].field);
        struct span type = smime_content_type_take(&field);
        if (!span_eq(type, span_str(rows[i].type)) || !span_eq(field, span_str(rows[i].rest)))
            fail_msg("\"%s\": \"%.*s\", \"%.*s\"", rows[i].field, (int)type.len, type.p, (int)field.len,
                     field.p);
    }
}

static void parameters(void **state)
{
    (void)state;
    static const struct {
        struct span parameters;
        const char *value; /* of "x"; NULL: damaged */
    } rows[] = {
        {{NULL, 0}, ""},
        {SPAN("; a=b"), ""},
        {SPAN("; x=b"), "b"},
        {SPAN(" ;\r\n\tX = b ; y=c"), "b"},
        {SPAN("; x=b;"), "b"},
        {SPAN("; x=b; \r\n"), "b"},
        {SPAN("; x=\"a b\""), "a b"},
        {SPAN("; x=\"a\\\"b\\\\\""), "a\"b\\"},
        {SPAN("; x=\"\""), ""},
        {SPAN("; y=\"; x=no\"; x=b"), "b"},
        {SPAN("; x=application/pkcs7-signature"), "application/pkcs7-signature"},
        {SPAN("; x*0=a; x*1=b"), ""},
        {SPAN(";"), ""},
        {SPAN("; x"), NULL},
        {SPAN("; x="), NULL},
        {SPAN("; x=;"), NULL},
        {SPAN("; x=b c"), NULL},
        {SPAN("x=b"), NULL},
        {SPAN(" junk"), NULL},
        {SPAN(";; x=b"), NULL},
        {SPAN("; =b"), NULL},
        {SPAN("; =b; x=c"), NULL},
        {SPAN("; x=b (comment)"), NULL},
        {SPAN("; x=\"b"), NULL},
        {SPAN("; x=\"b\\"), NULL},
        {SPAN("; x=\"b\\\""), NULL},
        {SPAN("; x=\"b\"c"), NULL},
        {SPAN("; x=b; x=b"), NULL},
        {SPAN("; x=b; X=\"c\""), NULL},
        {SPAN("; x=\xe9"), NULL},
        {SPAN("; x=b\0; y=c"), NULL},
        {SPAN("; x=\"b\0c\""), NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out;
        buf_init(&out, SMIME_CONTENT_TYPE_MAX);
        bool good = smime_content_type_parameter(rows[i].parameters, "x", &out);
        if (good != (rows[i].value != NULL))
            fail_msg("%s: %s", rows[i].parameters.p, good ? "taken" : "refused");
        if (good && !span_eq(buf_span(&out), span_str(rows[i].value)))
            fail_msg("%s: \"%s\"", rows[i].parameters.p, buf_str(&out));
        buf_free(&out);
    }
}

static void a_value_has_a_bound(void **state)
{
    (void)state;
    char field[SMIME_CONTENT_TYPE_MAX + 10] = "; x=";
    struct buf out;
    memset(field + 4, 'a', sizeof field - 4);
    buf_init(&out, SMIME_CONTENT_TYPE_MAX);
    assert_false(smime_content_type_parameter(span_of(field, sizeof field), "x", &out));
    assert_true(smime_content_type_parameter(span_of(field, SMIME_CONTENT_TYPE_MAX), "x", &out));
    assert_int_equal(out.len, SMIME_CONTENT_TYPE_MAX - 4);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_type_is_taken_off_the_front),
        cmocka_unit_test(parameters),
        cmocka_unit_test(a_value_has_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
