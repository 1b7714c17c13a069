/* The packet walker: framing of old and new packets (RFC 4880 §4.2). */
#include "tests/unit/pgp/fixture.h"

#include "pgp/packet.h"

#define X16 "xxxxxxxxxxxxxxxx"
#define X256 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16 X16
#define X512 X256 X256

/* The bytes of a literal, without its NUL. */
#define BYTES(s) s, sizeof(s) - 1

static void headers_are_read(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        unsigned tag;
        size_t body_len, whole_len;
        bool partial;
    } cases[] = {
        {BYTES("\xcd\x03"
               "abc"),
         13, 3, 5, false},
        {BYTES("\xcd\x00"), 13, 0, 2, false},
        {BYTES("\xcd\x03"
               "abcd"),
         13, 3, 5, false},
        {BYTES("\xcd\xc0\x40" X256), 13, 256, 259, false},
        {BYTES("\xcd\xff\x00\x00\x00\x03"
               "abc"),
         13, 3, 9, false},
        {BYTES("\xb4\x03"
               "abc"),
         13, 3, 5, false},
        {BYTES("\xb5\x00\x03"
               "abc"),
         13, 3, 6, false},
        {BYTES("\xb6\x00\x00\x00\x03"
               "abc"),
         13, 3, 8, false},
        {BYTES("\xd2\xe9" X512 "\x03"
               "abc"),
         18, 515, 518, true},
        {BYTES("\xd2\xe9" X512 "\x00"), 18, 512, 515, true},
        {BYTES("\xd2\xe9" X512 "\xe0"
               "a\xe1"
               "bc\x01"
               "d"),
         18, 516, 521, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span rest = span_of(cases[i].bytes, cases[i].len);
        struct pgp_packet packet;
        struct error err;

        if (pgp_packet_next(&rest, &packet, &err) != STATUS_OK)
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(packet.tag, cases[i].tag);
        assert_int_equal(packet.body_len, cases[i].body_len);
        assert_int_equal(packet.whole.len, cases[i].whole_len);
        assert_int_equal(packet.partial, cases[i].partial);
        assert_int_equal(rest.len, cases[i].len - cases[i].whole_len);
    }
}

static void A14_damaged_headers_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } cases[] = {
        {BYTES(""), "missing"},
        {BYTES("\x4d\x00"), "no packet"},
        {BYTES("\xc0\x00"), "tag 0"},
        {BYTES("\x80\x00"), "tag 0"},
        {BYTES("\xcd"), "longer"},
        {BYTES("\xcd\x03"
               "ab"),
         "longer"},
        {BYTES("\xcd\xc0"), "longer"},
        {BYTES("\xcd\xff\x00\x00\x00"), "longer"},
        {BYTES("\xcd\xff\xff\xff\xff\xff"), "longer"},
        {BYTES("\xb4"), "longer"},
        {BYTES("\xb5\x00"), "longer"},
        {BYTES("\xb6\xff\xff\xff\xff"
               "a"),
         "longer"},
        {BYTES("\xb7"
               "abc"),
         "indeterminate"},
        {BYTES("\xcd\xe9" X512 "\x00"), "may not come in parts"},
        {BYTES("\xd2\xe8" X256 "\x00"), "512"},
        {BYTES("\xd2\xe9" X512), "longer"},
        {BYTES("\xd2\xe9" X512 "\x03"
               "ab"),
         "longer"},
        {BYTES("\xd2\xfe"
               "abc"),
         "longer"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span rest = span_of(cases[i].bytes, cases[i].len);
        struct pgp_packet packet;
        struct error err = {0};

        if (pgp_packet_next(&rest, &packet, &err) != STATUS_INVALID || !strstr(err.text, cases[i].why))
            fail_msg("case %zu: %s", i, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read),
        cmocka_unit_test(A14_damaged_headers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
