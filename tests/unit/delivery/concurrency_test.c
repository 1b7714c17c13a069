#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/delivery/concurrency.h"

static void succeed(struct concurrency *c, unsigned times)
{
    while (times-- > 0)
        concurrency_succeeded(c);
}

static void it_grows_with_success_up_to_the_maximum(void **state)
{
    (void)state;
    struct concurrency c;
    concurrency_init(&c, 7);
    assert_int_equal(c.limit, 5);
    succeed(&c, 4);
    assert_int_equal(c.limit, 5);
    succeed(&c, 1);
    assert_int_equal(c.limit, 6);
    succeed(&c, 6);
    assert_int_equal(c.limit, 7);
    succeed(&c, 1000);
    assert_int_equal(c.limit, 7);
}

static void it_shrinks_to_what_works(void **state)
{
    (void)state;
    struct concurrency c;
    concurrency_init(&c, 10);
    succeed(&c, 4);
    concurrency_failed(&c, 3);
    assert_int_equal(c.limit, 3);
    concurrency_failed(&c, 3); /* all that are allowed work, and one failed: one fewer */
    assert_int_equal(c.limit, 2);
    concurrency_failed(&c, 0);
    assert_int_equal(c.limit, 1);
    concurrency_failed(&c, 5);
    assert_int_equal(c.limit, 1);
    succeed(&c, 1);
    assert_int_equal(c.limit, 2);
}

static void a_small_maximum_is_kept(void **state)
{
    (void)state;
    struct concurrency c;
    concurrency_init(&c, 1);
    succeed(&c, 10);
    assert_int_equal(c.limit, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_with_success_up_to_the_maximum),
        cmocka_unit_test(it_shrinks_to_what_works),
        cmocka_unit_test(a_small_maximum_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
