/* Retries: doubling, bounded, spread, and the last one at the end of life. */
#include "tests/unit/queue/database.h"

#include "gateway/queue/schedule.h"

#define MIDDLE 32768 /* no spread */

static const struct retry_policy policy = {.first_retry_ms = 5 * MINUTE, .last_retry_ms = 4 * HOUR};

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
        assert_int_equal(schedule_next(&policy, table[i].attempts, T0, T0 + 30 * DAY, MIDDLE),
                         T0 + table[i].delay);
}

static void test_spreads_by_a_tenth(void **state)
{
    (void)state;
    assert_int_equal(schedule_next(&policy, 1, T0, T0 + DAY, 0), T0 + 5 * MINUTE - MINUTE / 2);
    int64_t most = schedule_next(&policy, 1, T0, T0 + DAY, 65535);
    assert_in_range(most, T0 + 5 * MINUTE + MINUTE / 2 - 2, T0 + 5 * MINUTE + MINUTE / 2);
}

static void test_last_attempt_at_the_end_of_life(void **state)
{
    (void)state;
    assert_int_equal(schedule_next(&policy, 8, T0, T0 + HOUR, MIDDLE), T0 + HOUR);
    /* Delivery deferred once more although it is over: not a busy loop. */
    assert_int_equal(schedule_next(&policy, 8, T0, T0, MIDDLE), T0 + 4 * HOUR);
    assert_int_equal(schedule_next(&policy, 8, T0, T0 - 1, MIDDLE), T0 + 4 * HOUR);
}

static void test_never_at_once(void **state)
{
    (void)state;
    const struct retry_policy zero = {0};
    assert_true(schedule_next(&zero, 1, T0, T0 + DAY, 0) > T0);
}

static void test_a_domain_may_have_a_policy_of_its_own(void **state)
{
    (void)state;
    static const struct retry_policy policies[] = {
        {.domain = ".example.org", .first_retry_ms = 1},
        {.domain = "mail.example.org", .first_retry_ms = 2},
        {.domain = ".mail.example.org", .first_retry_ms = 3},
    };
    const struct queue_settings settings = {
        .retry = {.first_retry_ms = 9}, .retry_policies = policies, .n_retry_policies = 3};
    static const struct {
        const char *domain;
        int64_t first;
    } table[] = {
        {"example.org", 1},
        {"EXAMPLE.org", 1},
        {"a.example.org", 1},
        {"mail.example.org", 2},
        {"a.mail.example.org", 3},
        {"badexample.org", 9},
        {"example.net", 9},
        {"", 9},
        {"tls-optional:mail.example.org", 2},
        {"tls-optional:example.org", 1},
        {"tls-optional:example.net", 9},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(schedule_policy(&settings, table[i].domain)->first_retry_ms, table[i].first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_last),
        cmocka_unit_test(test_spreads_by_a_tenth),
        cmocka_unit_test(test_last_attempt_at_the_end_of_life),
        cmocka_unit_test(test_never_at_once),
        cmocka_unit_test(test_a_domain_may_have_a_policy_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
