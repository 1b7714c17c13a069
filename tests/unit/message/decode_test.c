#include "base/buf.h"
#include "gateway/message/decode.h"
#include "gateway/message/inspect.h"
#include "tests/unit/message/table.h"

static void decodes_as_readers_do(void **state)
{
    (void)state;
    static const struct {
        struct span value;
        const char *text;
    } rows[] = {
        {{NULL, 0}, ""},
        {SPAN(" \r\n "), ""},
        {SPAN(" plain text "), "plain text"},
        {SPAN(" a\r\n b"), "a b"},
        {SPAN(" a\0b"), "a b"},
        {SPAN("=?utf-8?q?gr=C3=BC=C3=9F?="), "grüß"},
        {SPAN("=?UTF-8?B?Z3LDvMOf?="), "grüß"},
        {SPAN("=?iso-8859-1?Q?gr=FC=DF_dich?="), "grüß dich"},
        {SPAN("=?utf-8*de?q?=C3=BC?="), "ü"},
        {SPAN("a =?utf-8?q?b?= c"), "a b c"},
        {SPAN("gr\xc3\xbc\xc3\x9f"), "grüß"},
        /* White space between encoded-words is not shown (RFC 2047 §6.2). */
        {SPAN("=?utf-8?q?[con?= =?utf-8?q?fid]?="), "[confid]"},
        {SPAN("=?utf-8?q?[con?=\r\n\t=?utf-8?b?ZmlkXQ==?="), "[confid]"},
        {SPAN("=?utf-8?q?[con?= =?iso-8859-1?q?fid]?="), "[confid]"},
        /* A character in two words, which §5 (3) forbids and readers join. */
        {SPAN("=?utf-8?q?=E2=82?= =?utf-8?q?=AC?="), "€"},
        {SPAN("=?utf-8?b?4oI=?= =?utf-8?b?rA==?="), "€"},
        {SPAN("=?utf-8?b?4oI=?=\r\n =?UTF-8?q?=AC?="), "€"},
        {SPAN("=?utf-8?q?=E2=82?=\r\n =?utf-8*en?b?rA==?="), "€"},
        /* Padding that is missing. */
        {SPAN("=?utf-8?b?W2NvbmZpZGVudGlhbF0?="), "[confidential]"},
        {SPAN("=?utf-8?b?W2NvbmZp?= =?utf-8?b?ZGVudGlhbF0?= x"), "[confidential] x"},
        {SPAN("=?utf-8?b?4oKs?= =?utf-8?b?YQ?="), "€a"},
        /* Stateful charsets begin anew in each word (§5 (3)). */
        {SPAN("=?iso-2022-jp?b?GyRCJEYkOSRIGyhC?= =?iso-2022-jp?b?GyRCJEYkOSRIGyhC?="), "てすとてすと"},
        {SPAN("=?utf-8?q?=00[x]?="), "?[x]"},
        {SPAN("=?utf-8?b?AFt4XQ==?="), "?[x]"},
        {SPAN("a=?utf-8?q?b?=c=?utf-8?q?d?="), "abcd"},
        {SPAN("=?utf-8?q?a b?="), "a b"},
        {SPAN("=?utf-8?q?a=5?= =?utf-8?q?=ZZ=?="), "a=5=ZZ="},
        {SPAN("a =?utf-8?q?\?= b"), "a  b"},
        {SPAN("=?nonsense?q?a?="), "a"},
        {SPAN("=?utf-16be?b?AFsAeABd?="), "[x]"},
        /* What is no encoded-word stays. */
        {SPAN("=?utf-8?q?x"), "=?utf-8?q?x"},
        {SPAN("=?utf-8?z?x?="), "=?utf-8?z?x?="},
        {SPAN("=? ?="), "=? ?="},
        {SPAN("1 =? 2 ?= 3"), "1 =? 2 ?= 3"},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        char *text = header_decode(rows[i].value);
        assert_span_is(span_str(text), rows[i].text, rows[i].value.p ? rows[i].value.p : "");
        free(text);
    }
}

/* A field of 100,000 bytes, of any of these over and over, is valid text in no time. */
static void long_fields_are_decoded_in_linear_time(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "=?utf-8?q?a?= ", "=?", "=?utf-8?b?", "?=", "=?utf-8?q?", "\xe2\x82"};
    for (size_t i = 0; i < N_OF(pieces); i++) {
        struct buf b;
        buf_init(&b, 200000);
        while (b.len < 100000)
            buf_append_str(&b, pieces[i]);
        free(header_decode(buf_span(&b)));
        buf_free(&b);
    }
}

static int begin(void **state)
{
    (void)state;
    message_inspect_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_as_readers_do),
        cmocka_unit_test(long_fields_are_decoded_in_linear_time),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
