/* A20: what strangers make us remember has a size, and blocks outlive the flood. Then the administrator's
 * view. */
#include "tests/unit/guard/fixture.h"

#include <malloc.h>

#define FLOOD 1000000
/* Per row: its struct, a name and a tree node. Three tables are flooded. */
#define MEMORY_MAX (3 * 32768 * 400)

static size_t memory_in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void test_a20_a_million_addresses_eat_no_memory(void **state)
{
    struct state *s = *state;
    size_t before = memory_in_use(), most = 0;
    fail_login(s, "192.0.2.1", "alice", 5); /* blocked, and the oldest of all */
    for (unsigned i = 0; i < FLOOD; i++) {
        char address[60], user[20];
        snprintf(address, sizeof address, "2001:db8:%x:%x::1", i >> 16, i & 0xffff);
        snprintf(user, sizeof user, "user%u", i);
        guard_login_failed(s->guard, address, user, s->now);
        if (i % 100000 == 0) {
            guard_tick(s->guard, s->now);
            size_t now = memory_in_use();
            most = now > most ? now : most;
        }
    }
    assert_true(most - before < MEMORY_MAX);
    assert_int_equal(find(s, NULL, NULL).n, 32768 + 32768 + 16384);
    assert_false(may_login(s, "192.0.2.1", "alice"));
    assert_true(may_login(s, "192.0.2.2", "alice"));
    assert_true(logged(s, "guard-full") > 0);
    /* The database is bounded like memory. */
    for (int i = 0; i < 100; i++)
        guard_tick(s->guard, s->now);
    size_t n = find(s, NULL, NULL).n;
    restart(s);
    assert_int_equal(find(s, NULL, NULL).n, n);
    assert_false(may_login(s, "192.0.2.1", "alice"));
}

static void test_a_row_that_was_pushed_out_comes_back(void **state)
{
    struct state *s = *state;
    guard_tried_in_clear(s->guard, "192.0.2.1", "MAIL", "first", s->now);
    guard_tick(s->guard, s->now);
    for (unsigned i = 0; i < 4096; i++) {
        char address[60];
        snprintf(address, sizeof address, "198.51.%u.%u", i >> 8, i & 255);
        guard_tried_in_clear(s->guard, address, "AUTH", NULL, s->now);
    }
    assert_int_equal(find(s, "clear", "192.0.2.1").found.count, 0);
    /* Its deletion waits still: it must not take this one along. */
    guard_tried_in_clear(s->guard, "192.0.2.1", "MAIL", "second", s->now);
    guard_tick(s->guard, s->now);
    guard_tick(s->guard, s->now);
    restart(s);
    assert_string_equal(find(s, "clear", "192.0.2.1").found.detail, "MAIL second");
}

/* The same, and it is written at once, before the deletion. */
static void test_a_block_is_not_taken_along_by_an_older_deletion(void **state)
{
    struct state *s = *state;
    s->settings.failures_network.count = s->settings.failures_user.count = 0;
    fail_login(s, "192.0.2.1", "alice", 1);
    guard_tick(s->guard, s->now);
    for (unsigned i = 0; i < 32768; i++) {
        char address[60];
        snprintf(address, sizeof address, "2001:db8::%x:%x", i >> 8, i & 255);
        fail_login(s, address, "alice", 1);
    }
    fail_login(s, "192.0.2.1", "alice", 5);
    for (int i = 0; i < 20; i++)
        guard_tick(s->guard, s->now);
    restart(s);
    assert_false(may_login(s, "192.0.2.1", "alice"));
}

/* Blocked ones go last, but they go: the bound holds. */
static void test_even_blocks_are_bounded(void **state)
{
    struct state *s = *state;
    s->settings.path = "/proc/no/such/folder"; /* a commit for each block takes its time */
    s->settings.failures_address.count = 1;
    s->settings.failures_network.count = s->settings.failures_user.count = 0;
    restart(s);
    for (unsigned i = 0; i < 40000; i++) {
        char address[60];
        snprintf(address, sizeof address, "2001:db8:0:%x::1", i);
        guard_login_failed(s->guard, address, "alice", s->now);
    }
    assert_int_equal(find(s, NULL, NULL).n, 32768);
    assert_true(may_login(s, "2001:db8:0:0::1", "alice"));
    assert_false(may_login(s, "2001:db8:0:9c3f::1", "alice"));
}

/* ---- what the administrator sees and does ---- */

static void test_lists_the_blocked_first_then_the_newest(void **state)
{
    struct state *s = *state;
    struct search search = {0};
    fail_login(s, "192.0.2.1", "alice", 5);
    s->now += MINUTE;
    guard_tried_in_clear(s->guard, "::ffff:192.0.2.9", "MAIL", "printer", s->now);
    guard_tried_in_clear(s->guard, "192.0.2.9", "AUTH", NULL, s->now + 1);
    s->now += MINUTE;
    assert_int_equal(guard_each(s->guard, GUARD_ALL, 1, s->now, look_at, &search, &s->err), STATUS_OK);
    assert_int_equal(search.n, 1);
    assert_string_equal(search.found.kind, "address");
    search = (struct search){0};
    assert_int_equal(guard_each(s->guard, GUARD_ALL, 2, s->now, look_at, &search, &s->err), STATUS_OK);
    assert_string_equal(search.found.kind, "clear");
    assert_string_equal(search.found.name, "192.0.2.9");
    assert_string_equal(search.found.detail, "AUTH");
    assert_int_equal(search.found.count, 2);
    search = (struct search){0};
    assert_int_equal(guard_each(s->guard, GUARD_CLEAR, 9, s->now, look_at, &search, &s->err), STATUS_OK);
    assert_int_equal(search.n, 1);
    search = (struct search){0};
    assert_int_equal(guard_each(s->guard, GUARD_BLOCKED, 9, s->now, look_at, &search, &s->err), STATUS_OK);
    assert_int_equal(search.n, 1);
    assert_string_equal(search.found.name, "192.0.2.1");
    assert_int_equal(logged(s, "tried-in-clear"), 2);
    assert_int_equal(logged(s, "count=2"), 1);
}

static void test_forgets(void **state)
{
    struct state *s = *state;
    fail_login(s, "2001:db8::1", "Alice", 20);
    assert_false(may_login(s, "2001:db8::1", "alice"));
    assert_int_equal(guard_forget(s->guard, "address", "2001:DB8::1", s->now, &s->err), STATUS_OK);
    assert_int_equal(guard_forget(s->guard, "network", "2001:db8::/64", s->now, &s->err), STATUS_OK);
    assert_int_equal(guard_forget(s->guard, "user", "ALICE", s->now, &s->err), STATUS_OK);
    assert_true(may_login(s, "2001:db8::1", "alice"));
    assert_int_equal(s->delay, 0);
    assert_int_equal(guard_forget(s->guard, "user", "alice", s->now, &s->err), STATUS_NOT_FOUND);
    assert_int_equal(guard_forget(s->guard, "nothing", "alice", s->now, &s->err), STATUS_INVALID);
    restart(s);
    assert_true(may_login(s, "2001:db8::1", "alice"));
    assert_int_equal(logged(s, "guard-forgotten"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a20_a_million_addresses_eat_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_row_that_was_pushed_out_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_block_is_not_taken_along_by_an_older_deletion, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_even_blocks_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lists_the_blocked_first_then_the_newest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forgets, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
