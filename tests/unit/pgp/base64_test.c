/* Base64 and CRC24 of ASCII armor. */
#include "tests/unit/pgp/fixture.h"

#include "pgp/base64.h"

static bool decode(const char *text, size_t piece, struct buf *out)
{
    struct pgp_base64 decoder;
    size_t len = strlen(text);

    buf_init(out, 1000);
    pgp_base64_start(&decoder, out);
    for (size_t i = 0; i < len; i += piece)
        if (!pgp_base64_feed(&decoder, span_of(text + i, len - i < piece ? len - i : piece)))
            return false;
    return pgp_base64_end(&decoder);
}

static void known_texts_decode_in_any_pieces(void **state)
{
    /* RFC 4648 §10 */
    static const struct {
        const char *text, *data;
    } cases[] = {{"", ""},
                 {"Zg==", "f"},
                 {"Zm8=", "fo"},
                 {"Zm9v", "foo"},
                 {"Zm9vYg==", "foob"},
                 {"Zm9vYmE=", "fooba"},
                 {"Zm9vYmFy", "foobar"},
                 {"+/+/", "\xfb\xff\xbf"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece < 9; piece++) {
            struct buf out;

            assert_true(decode(cases[i].text, piece, &out));
            assert_true(span_eq(buf_span(&out), span_str(cases[i].data)));
            buf_free(&out);
        }
    }
}

static void other_texts_are_refused(void **state)
{
    static const char *const cases[] = {
        "Z",    "Zg",   "Zg=",   "Zm8",      "Zh==",  "Zm9=",   "Zg===", "=",
        "====", "Z===", "Zm9v=", "Zg==Zg==", "Zm 9v", "Zm9v\n", "Zm-_",  "Zg=a"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;

        if (decode(cases[i], 100, &out))
            fail_msg("%s", cases[i]);
        buf_free(&out);
    }
}

static void the_bound_of_the_buffer_holds(void **state)
{
    struct pgp_base64 decoder;
    struct buf out;

    (void)state;
    buf_init(&out, 2);
    pgp_base64_start(&decoder, &out);
    assert_false(pgp_base64_feed(&decoder, span_str("Zm9v")) && pgp_base64_end(&decoder));
    buf_free(&out);
}

static void crc_of_known_texts(void **state)
{
    (void)state;
    /* The check value of CRC-24/OPENPGP, and the initial value of RFC 4880 §6.1. */
    assert_int_equal(pgp_crc24(span_str("123456789")), 0x21cf02);
    assert_int_equal(pgp_crc24(span_str("")), 0xb704ce);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_texts_decode_in_any_pieces),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(the_bound_of_the_buffer_holds),
        cmocka_unit_test(crc_of_known_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
