/* What auth asks of passwords: packed, it comes out again; cut, lengthened or damaged it is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jobs/password_job.h"

static enum status unpack_check(struct span bytes)
{
    static const struct password_check wiped = {0};
    struct password_check check;
    struct error err;
    enum status st = password_check_unpack(bytes, &check, &err);
    if (st == STATUS_OK) {
        assert_string_equal(check.user, "alice");
        assert_string_equal(check.password, "s3cret \xc3\xa4");
        assert_string_equal(check.client_address, "192.0.2.1");
        password_check_wipe(&check);
    }
    assert_memory_equal(&check, &wiped, sizeof check);
    return st;
}

static enum status unpack_result(struct span bytes)
{
    struct password_result result;
    struct error err;
    enum status st = password_result_unpack(bytes, &result, &err);
    if (st == STATUS_OK) {
        assert_int_equal(result.verdict, PASSWORD_OK);
        assert_string_equal(result.user, "Alice");
        assert_int_equal(result.n_addresses, 2);
        assert_string_equal(result.addresses[0], "alice@example.org");
        assert_string_equal(result.addresses[1], "a@example.net");
        assert_string_equal(result.why, "");
    } else {
        assert_int_equal(result.verdict, PASSWORD_UNAVAILABLE);
        assert_string_equal(result.user, "");
        assert_null(result.addresses);
        assert_int_equal(result.n_addresses, 0);
    }
    password_result_free(&result);
    return st;
}

static void pack_check(struct buf *b)
{
    struct password_check check = {
        .user = "alice", .password = "s3cret \xc3\xa4", .client_address = "192.0.2.1"};
    password_check_pack(b, &check);
}

static void pack_result(struct buf *b)
{
    char one[] = "alice@example.org", two[] = "a@example.net", *addresses[] = {one, two};
    struct password_result result = {
        .verdict = PASSWORD_OK, .user = "Alice", .addresses = addresses, .n_addresses = 2};
    password_result_pack(b, &result);
}

static void round_trip(void (*pack)(struct buf *), enum status (*unpack)(struct span))
{
    struct buf b;
    buf_init(&b, 10000);
    pack(&b);
    assert_int_equal(unpack(buf_span(&b)), STATUS_OK);
    for (size_t len = 0; len < b.len; len++)
        assert_int_equal(unpack(span_of(b.data, len)), STATUS_INTERNAL);
    buf_append_char(&b, 0);
    assert_int_equal(unpack(buf_span(&b)), STATUS_INTERNAL);
    buf_free(&b);
}

static void test_round_trips(void **state)
{
    (void)state;
    round_trip(pack_check, unpack_check);
    round_trip(pack_result, unpack_result);
}

/* A verdict of no kind, a name too long, more addresses than anybody has: never "right password". */
static void test_damaged_results_are_unavailable(void **state)
{
    (void)state;
    char name[PASSWORD_USER_MAX + 1] = {0};
    memset(name, 'a', sizeof name - 1);
    for (int i = 0; i < 4; i++) {
        struct buf b;
        buf_init(&b, 10000);
        pack_u32(&b, i == 0 ? 0 : i == 1 ? PASSWORD_UNAVAILABLE + 1 : PASSWORD_OK);
        pack_str(&b, i == 2 ? name : "alice");
        pack_u32(&b, i == 3 ? PASSWORD_ADDRESSES_MAX + 1 : 0);
        for (int n = 0; i == 3 && n < PASSWORD_ADDRESSES_MAX + 1; n++)
            pack_str(&b, "");
        pack_str(&b, "");
        assert_int_equal(unpack_result(buf_span(&b)), STATUS_INTERNAL);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trips),
                                       cmocka_unit_test(test_damaged_results_are_unavailable)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
