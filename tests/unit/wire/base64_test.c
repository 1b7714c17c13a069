#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/wire/base64.h"

/* RFC 4648 §10. */
static const struct {
    const char *bytes, *text;
} vectors[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"}};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct buf b;
        buf_init(&b, 100);
        base64_encode(span_str(vectors[i].bytes), &b);
        assert_string_equal(buf_str(&b), vectors[i].text);
        buf_reset(&b);
        assert_true(base64_decode(span_str(vectors[i].text), &b));
        assert_string_equal(buf_str(&b), vectors[i].bytes);
        buf_free(&b);
    }
}

static void test_every_byte_comes_back(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 256; len++) {
        unsigned char bytes[256];
        struct buf text, back;
        for (size_t i = 0; i < len; i++)
            bytes[i] = (unsigned char)(i * 7 + len);
        buf_init(&text, 400);
        buf_init(&back, 400);
        base64_encode(span_of(bytes, len), &text);
        assert_int_equal(text.len, (len + 2) / 3 * 4);
        assert_true(base64_decode(buf_span(&text), &back));
        assert_true(span_eq(buf_span(&back), span_of(bytes, len)));
        buf_free(&text);
        buf_free(&back);
    }
}

static void test_A6_what_is_no_base64(void **state)
{
    (void)state;
    static const char *const wrong[] = {"=",       "==",           "====",   "A",     "AA",       "AAA",
                                        "A===",    "AA=A",         "=AAA",   "AAAA=", "Zg=",      "Zh==",
                                        "Zm9=",    "Zm9vZg==Zg==", "Zm9v\n", "Zm 9",  "Zm9v\r\n", "Zm-_",
                                        "Zm9\xc3", "Zm9vZg",       "*"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct buf b;
        buf_init(&b, 100);
        if (base64_decode(span_str(wrong[i]), &b))
            fail_msg("\"%s\" was taken", wrong[i]);
        buf_free(&b);
    }
    struct buf b;
    buf_init(&b, 100);
    assert_false(base64_decode(span_of("Zm\0v", 4), &b));
    buf_free(&b);
}

static void test_what_does_not_fit(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    assert_true(base64_decode(span_str("Zm9vYmFy"), &b));
    assert_true(b.failed);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_every_byte_comes_back),
        cmocka_unit_test(test_A6_what_is_no_base64),
        cmocka_unit_test(test_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
