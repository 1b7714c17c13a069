/* The window never lets more than the limit pass in any of its length, and says truly when it is free. */
#include "tests/unit/guard/fixture.h"

#include "gateway/guard/window.h"

static int64_t sum_at(struct window *w, int64_t now)
{
    window_move(w, HOUR, now);
    return window_sum(w);
}

static void test_counts_for_the_window_and_a_twelfth_at_most(void **state)
{
    (void)state;
    for (int64_t offset = 0; offset < 5 * MINUTE; offset += 7 * SECOND) {
        struct window w = {0};
        window_move(&w, HOUR, T0 + offset);
        window_add(&w);
        assert_int_equal(sum_at(&w, T0 + offset + HOUR), 1);
        assert_int_equal(sum_at(&w, T0 + offset + HOUR + 5 * MINUTE), 0);
    }
}

/* Whoever sends whenever it is allowed: the worst that can be done. */
static void test_never_more_than_the_limit_in_any_window(void **state)
{
    (void)state;
    enum { LIMIT = 10, STEPS = 4000 };
    struct window w = {0};
    static int64_t sent[STEPS];
    size_t n = 0;
    srand(1);
    for (int64_t now = T0, i = 0; i < STEPS; i++, now += rand() % (3 * MINUTE)) {
        window_move(&w, HOUR, now);
        if (window_sum(&w) >= LIMIT)
            continue;
        window_add(&w);
        sent[n++] = now;
        if (n > LIMIT)
            assert_true(now - sent[n - 1 - LIMIT] >= HOUR);
    }
    assert_true(n > 50 * LIMIT / 2);
}

static void test_says_when_it_is_free(void **state)
{
    (void)state;
    struct window w = {0};
    for (int i = 0; i < 3; i++) {
        window_move(&w, HOUR, T0 + i * 10 * MINUTE);
        window_add(&w);
    }
    window_move(&w, HOUR, T0 + 21 * MINUTE);
    assert_int_equal(window_free_at(&w, 3), T0 + 65 * MINUTE);
    assert_int_equal(window_free_at(&w, 2), T0 + 75 * MINUTE);
    assert_int_equal(window_free_at(&w, 1), T0 + 85 * MINUTE);
    assert_int_equal(sum_at(&w, T0 + 65 * MINUTE - 1), 3);
    assert_int_equal(sum_at(&w, T0 + 65 * MINUTE), 2);
}

static void test_clock_back_does_not_count_for_ever(void **state)
{
    (void)state;
    struct window w = {0};
    window_move(&w, HOUR, T0 + 365 * DAY);
    window_add(&w);
    assert_int_equal(sum_at(&w, T0), 1);
    assert_int_equal(sum_at(&w, T0 + HOUR + 5 * MINUTE), 0);
}

static void test_another_length_begins_empty(void **state)
{
    (void)state;
    struct window w = {0};
    window_move(&w, HOUR, T0);
    window_add(&w);
    window_move(&w, DAY, T0);
    assert_int_equal(window_sum(&w), 0);
    assert_int_equal(window_memory_ms(&w), 26 * HOUR);
}

static void test_shortest_window(void **state)
{
    (void)state;
    struct window w = {0};
    window_move(&w, 1, T0);
    window_add(&w);
    assert_int_equal(window_sum(&w), 1);
    window_move(&w, 1, T0 + WINDOW_COUNTERS);
    assert_int_equal(window_sum(&w), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_for_the_window_and_a_twelfth_at_most),
        cmocka_unit_test(test_never_more_than_the_limit_in_any_window),
        cmocka_unit_test(test_says_when_it_is_free),
        cmocka_unit_test(test_clock_back_does_not_count_for_ever),
        cmocka_unit_test(test_another_length_begins_empty),
        cmocka_unit_test(test_shortest_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
