/* buf, span, pack, id, clock, error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/id.h"
#include "base/pack.h"

static void test_buf_is_bounded_and_sticky(void **state)
{
    (void)state;
    struct buf b;
    struct error err;
    buf_init(&b, 10);
    buf_append(&b, "12345678", 8);
    assert_int_equal(buf_check(&b, "thing", &err), STATUS_OK);
    buf_append(&b, "123", 3);
    assert_int_equal(b.len, 8);
    buf_append(&b, "1", 1); /* would fit, but the failure is sticky */
    assert_int_equal(b.len, 8);
    assert_null(buf_str(&b));
    assert_int_equal(buf_check(&b, "thing", &err), STATUS_LIMIT);
    assert_non_null(strstr(err.text, "thing"));
    buf_reset(&b);
    buf_append(&b, "1234567890", 10);
    assert_string_equal(buf_str(&b), "1234567890");
    buf_free(&b);
}

static void test_buf_printf_at_the_bound(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 5);
    buf_printf(&b, "%s", "12345");
    assert_string_equal(buf_str(&b), "12345");
    buf_printf(&b, "%s", "6");
    assert_true(b.failed);
    buf_free(&b);
}

static void test_buf_consume(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100000);
    for (int i = 0; i < 5000; i++)
        buf_printf(&b, "%04d", i);
    buf_consume(&b, 4 * 4998);
    assert_string_equal(buf_str(&b), "49984999");
    /* What was consumed is wiped. */
    assert_int_equal(b.data[4 * 5000 - 1], 0);
    buf_consume(&b, 1000);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

static void test_pack_round_trip_and_every_cut(void **state)
{
    (void)state;
    struct buf b;
    struct unpack u;
    struct error err;
    buf_init(&b, 1000);
    pack_u32(&b, 7);
    pack_u64(&b, UINT64_MAX);
    pack_i64(&b, -5);
    pack_str(&b, "text");
    pack_str(&b, NULL);
    pack_str(&b, "");
    pack_span(&b, span_of("a\0b", 3));
    for (size_t cut = 0; cut <= b.len; cut++) {
        unpack_init(&u, span_of(b.data, cut));
        uint32_t v32 = unpack_u32(&u);
        uint64_t v64 = unpack_u64(&u);
        int64_t i64 = unpack_i64(&u);
        char *text = unpack_str(&u), *null = unpack_str(&u), *empty = unpack_str(&u);
        struct span bytes = unpack_span(&u);
        enum status st = unpack_done(&u, "test", &err);
        if (cut < b.len) {
            assert_int_equal(st, STATUS_INTERNAL);
        } else {
            assert_int_equal(st, STATUS_OK);
            assert_int_equal(v32, 7);
            assert_true(v64 == UINT64_MAX && i64 == -5);
            assert_string_equal(text, "text");
            assert_null(null);
            assert_string_equal(empty, "");
            assert_memory_equal(bytes.p, "a\0b", 3);
        }
        free(text);
        free(null);
        free(empty);
    }
    buf_append_char(&b, 'x');
    unpack_init(&u, buf_span(&b));
    unpack_u32(&u);
    assert_int_equal(unpack_done(&u, "left over", &err), STATUS_INTERNAL);
    buf_free(&b);
}

static void test_unpack_refuses_nul_and_overlong(void **state)
{
    (void)state;
    struct buf b;
    struct unpack u;
    char small[4];
    buf_init(&b, 100);
    pack_span(&b, span_of("a\0b", 3));
    unpack_init(&u, buf_span(&b));
    assert_null(unpack_str(&u));
    assert_true(u.failed);
    buf_reset(&b);
    pack_str(&b, "four");
    unpack_init(&u, buf_span(&b));
    unpack_str_to(&u, small, sizeof small);
    assert_true(u.failed);
    assert_string_equal(small, "");
    buf_free(&b);
}

static void test_hex(void **state)
{
    char text[11];

    (void)state;
    hex_encode("\x00\x0f\x7f\x80\xff", 5, text);
    assert_string_equal(text, "000f7f80ff");
    hex_encode("", 0, text);
    assert_string_equal(text, "");
}

/* A24 */
static void test_ids(void **state)
{
    (void)state;
    char a[ID_SIZE], b[ID_SIZE];
    id_make(a);
    id_make(b);
    assert_true(id_is_valid(a));
    assert_string_not_equal(a, b);
    static const char *const bad[] = {"",
                                      "../../../../etc/pass",
                                      "%2f%2f%2f%2f%2f%2f%2fab",
                                      "0123456789abcdefghiz",
                                      "0123456789abcdefghi",
                                      "0123456789abcdefghijk",
                                      "0123456789ABCDEFGHIJ"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(id_is_valid(bad[i]));
}

static void test_times(void **state)
{
    (void)state;
    char iso[CLOCK_ISO_SIZE], mail[CLOCK_RFC5322_SIZE];
    clock_iso(1795338611000, iso);
    clock_rfc5322(1795338611000, mail);
    assert_string_equal(iso, "2026-11-22T09:10:11Z");
    assert_string_equal(mail, "Sun, 22 Nov 2026 09:10:11 +0000");
}

static void test_error_prefix_and_cut(void **state)
{
    (void)state;
    struct error err;
    char lengthy[2 * ERROR_TEXT_MAX];
    memset(lengthy, 'x', sizeof lengthy - 1);
    lengthy[sizeof lengthy - 1] = '\0';
    assert_int_equal(error_set(&err, STATUS_INVALID, "%s", lengthy), STATUS_INVALID);
    assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
    assert_int_equal(error_prefix(&err, "file:%d", 12), STATUS_INVALID);
    assert_int_equal(strncmp(err.text, "file:12: xxx", 12), 0);
    error_set(&err, STATUS_DENIED, "first");
    error_set(&err, STATUS_LIMIT, "second: %s", err.text);
    assert_string_equal(err.text, "second: first");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_is_bounded_and_sticky),
        cmocka_unit_test(test_buf_printf_at_the_bound),
        cmocka_unit_test(test_buf_consume),
        cmocka_unit_test(test_pack_round_trip_and_every_cut),
        cmocka_unit_test(test_unpack_refuses_nul_and_overlong),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_error_prefix_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
