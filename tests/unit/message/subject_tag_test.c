#include <glib.h>

#include "gateway/message/decode.h"
#include "gateway/message/inspect.h"
#include "gateway/message/subject_tag.h"
#include "tests/unit/message/table.h"

#define TAG "[confidential]"

static const char *const tags[] = {TAG, "[intern]"};

static void strip(struct span header, struct buf *out)
{
    struct error err;
    buf_init(out, SUBJECT_STRIP_GROWTH * header.len + 1024);
    assert_int_equal(subject_strip_tags(header, tags, N_OF(tags), out, &err), STATUS_OK);
}

static void headers_without_their_tags(void **state)
{
    (void)state;
    static const struct {
        const char *header, *stripped;
    } rows[] = {
        {"", ""},
        {"To: " TAG "\r\n", "To: " TAG "\r\n"},
        /* without a tag, not a byte is different */
        {"Subject: a  b\r\n\tc\r\n", "Subject: a  b\r\n\tc\r\n"},
        {"SUBJECT : =?utf-8?q?=C3=BC?= \xfc\r\n", "SUBJECT : =?utf-8?q?=C3=BC?= \xfc\r\n"},
        {"Subject: x", "Subject: x"},
        {"Subject:\r\n", "Subject:\r\n"},
        {"X-Subject: " TAG "\r\n", "X-Subject: " TAG "\r\n"},
        /* once, and the white space around it */
        {"Subject: " TAG " x\r\n", "Subject: x\r\n"},
        {"subject: x " TAG "\r\n", "subject: x\r\n"},
        {"Subject : x" TAG "y\r\n", "Subject: xy\r\n"},
        {"Subject: x " TAG " y\r\n", "Subject: x y\r\n"},
        {"Subject: " TAG "\r\n", "Subject: \r\n"},
        {"Subject: " TAG, "Subject: \r\n"},
        {"Subject: a  b " TAG " c  d\r\n", "Subject: a  b c  d\r\n"},
        {"Subject: [Confi\r\n dential] x\r\n", "Subject: [Confi\r\n dential] x\r\n"},
        {"Subject: x\r\n [CONFIDENTIAL]\r\n y\r\n", "Subject: x y\r\n"},
        {"To: a\r\nSubject: " TAG " x\r\nCc: b\r\n", "To: a\r\nSubject: x\r\nCc: b\r\n"},
        /* several, repeated, nested */
        {"Subject: [intern] " TAG " x\r\n", "Subject: x\r\n"},
        {"Subject: " TAG TAG " x " TAG "\r\n", "Subject: x\r\n"},
        {"Subject: " TAG " a\r\nSubject: b\r\nSubject: c [intern]\r\n",
         "Subject: a\r\nSubject: b\r\nSubject: c\r\n"},
        {"Subject: [confi" TAG "dential] x\r\n", "Subject: x\r\n"},
        {"Subject: [confi[intern]dential] x\r\n", "Subject: x\r\n"},
        {"Subject: [int[confi[intern]dential]ern] x\r\n", "Subject: x\r\n"},
        /* disguised */
        {"Subject: =?utf-8?q?[confidential]_x?=\r\n", "Subject: x\r\n"},
        {"Subject: =?utf-8?b?W2NvbmZpZGVudGlhbF0?= x\r\n", "Subject: x\r\n"},
        {"Subject: =?utf-8?q?[confi?=\r\n =?iso-8859-1?q?dential]?= x\r\n", "Subject: x\r\n"},
        {"Subject: \xef\xbc\xbb\xef\xbd\x83onfidential] x\r\n", "Subject: x\r\n"},
        {"Subject: \u202e[con\u200bfi\u00addential]\u202c x\r\n", "Subject: =?UTF-8?B?4oCuIHg=?=\r\n"},
        {"Subject: [C\u039f\u039dFIDENTIAL] x\r\n", "Subject: x\r\n"},
        /* what is left is the same text as before */
        {"Subject: =?iso-8859-1?q?[intern]_gr=FC=DFe?=\r\n", "Subject: =?UTF-8?B?Z3LDvMOfZQ==?=\r\n"},
        {"Subject: [intern] gr\xc3\xbc\xc3\x9f\r\n", "Subject: =?UTF-8?B?Z3LDvMOf?=\r\n"},
        {"Subject: [intern] =?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=\r\n",
         "Subject: =?UTF-8?B?PT91dGYtOD9xP3g/PQ==?=\r\n"},
        {"Subject: [intern] =?utf-8?q?x=0D=0ABcc:_y=00?=\r\n", NULL},
        {"Subject: [intern] =?utf-8?q?x=0D=0A=0D=0Ay?=\r\n", "Subject: x    y\r\n"},
    };
    for (size_t i = 0; i < N_OF(rows); i++) {
        struct buf out;
        strip(span_str(rows[i].header), &out);
        if (rows[i].stripped)
            assert_span_is(buf_span(&out), rows[i].stripped, rows[i].header);
        else
            assert_null(strstr(buf_str(&out), "\nBcc"));
        buf_free(&out);
    }
}

/* Over-long subjects, words and characters: one Subject field of whole lines that says the same. */
static void long_subjects_are_folded(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "a",  "word ",          "\u20ac", "\u20ac ", "\U0001f600x", "a\u0301",
        "=?", "=?utf-8?q?x?= ", "?=",     "\xfc",    "\xff\xfe"};
    for (size_t i = 0; i < N_OF(pieces); i++) {
        GString *text = g_string_new(NULL);
        while (text->len < 4000)
            g_string_append(text, pieces[i]);
        g_strchomp(text->str);
        g_string_truncate(text, strlen(text->str));
        char *header = g_strdup_printf("Subject: %s %s\r\n", TAG, text->str);
        struct buf out;
        struct header_field field;
        char *before = header_decode(span_str(text->str));
        strip(span_str(header), &out);
        struct span at = buf_span(&out);
        assert_true(header_next(&at, &field) && at.len == 0);
        char *after = header_decode(field.value);
        assert_string_equal(after, before);
        for (at = field.raw; at.len > 0;) {
            struct span line = message_line(&at);
            assert_in_range(line.len, 3, 1000);
            for (size_t c = 0; c < line.len; c++)
                assert_in_range(line.p[c], 1, 0x7e);
            assert_memory_equal(line.p + line.len - 2, "\r\n", 2);
            assert_true(memmem(line.p, line.len, "=?UTF-8", 7) == NULL || line.len <= 78);
        }
        free(before);
        free(after);
        buf_free(&out);
        g_free(header);
        g_string_free(text, TRUE);
    }
}

/* However deep they stand, none is left, and it takes no time. */
static void nested_tags_are_gone_in_linear_time(void **state)
{
    (void)state;
    GString *header = g_string_new("Subject: x ");
    struct buf out;
    for (size_t i = 0; i < 10000; i++)
        g_string_append(header, i % 2 ? "[inte" : "[confi");
    for (size_t i = 10000; i > 0; i--)
        g_string_append(header, i % 2 ? "dential]" : "rn]");
    g_string_append(header, "\r\n");
    strip(span_of(header->str, header->len), &out);
    assert_string_equal(buf_str(&out), "Subject: x\r\n");
    buf_free(&out);
    g_string_free(header, TRUE);
}

static void a_full_buffer_is_an_error(void **state)
{
    (void)state;
    struct buf out;
    struct error err;
    buf_init(&out, 10);
    assert_int_equal(subject_strip_tags(span_str("Subject: [intern] a b c\r\n"), tags, 2, &out, &err),
                     STATUS_LIMIT);
    buf_free(&out);
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
        cmocka_unit_test(headers_without_their_tags),
        cmocka_unit_test(long_subjects_are_folded),
        cmocka_unit_test(nested_tags_are_gone_in_linear_time),
        cmocka_unit_test(a_full_buffer_is_an_error),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
