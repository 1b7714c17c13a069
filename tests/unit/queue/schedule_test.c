/* Retries: doubling, bounded, spread, and the last one at the end of life. */
#include "tests/unit/queue/database.h"

#include "gateway/queue/schedule.h"

#define MIDDLE 32768 /* no spread */

static const struct queue_settings settings = {.first_retry_ms = 5 * MINUTE, .last_retry_ms = 4 * HOUR};

static void test_doubles_up_to_the_last(void **state)
{
    (void)state;
    static const struct {
        int64_t attempts;
        int64_t delay;
    } table[] = {
        {1, 5 * MINUTE},   {2, 10 * MINUTE},  {3, 20 * MINUTE}, {4, 40 * MINUTE}, {5, 80 * MINUTE},
        {6, 160 * MINUTE}, {7, 240 * MINUTE}, {8, 4 * HOUR},    {1000, 4 * HOUR}, {INT32_MAX, 4 * HOUR},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(schedule_next(&settings, table[i].attempts, T0, T0 + 30 * DAY, MIDDLE),
                         T0 + table[i].delay);
}

static void test_spreads_by_a_tenth(void **state)
{
    (void)state;
    assert_int_equal(schedule_next(&settings, 1, T0, T0 + DAY, 0), T0 + 5 * MINUTE - MINUTE / 2);
    int64_t most = schedule_next(&settings, 1, T0, T0 + DAY, 65535);
    assert_in_range(most, T0 + 5 * MINUTE + MINUTE / 2 - 2, T0 + 5 * MINUTE + MINUTE / 2);
}

static void test_last_attempt_at_the_end_of_life(void **state)
{
    (void)state;
    assert_int_equal(schedule_next(&settings, 8, T0, T0 + HOUR, MIDDLE), T0 + HOUR);
    /* Delivery deferred once more although it is over: not a busy loop. */
    assert_int_equal(schedule_next(&settings, 8, T0, T0, MIDDLE), T0 + 4 * HOUR);
    assert_int_equal(schedule_next(&settings, 8, T0, T0 - 1, MIDDLE), T0 + 4 * HOUR);
}

static void test_never_at_once(void **state)
{
    (void)state;
    const struct queue_settings zero = {0};
    assert_true(schedule_next(&zero, 1, T0, T0 + DAY, 0) > T0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_last),
        cmocka_unit_test(test_spreads_by_a_tenth),
        cmocka_unit_test(test_last_attempt_at_the_end_of_life),
        cmocka_unit_test(test_never_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
