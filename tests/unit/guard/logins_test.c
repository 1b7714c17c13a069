/* A20: guessing from an address, from a network and against a user is slowed, then blocked. */
#include "tests/unit/guard/fixture.h"

static void test_a20_each_failure_is_slower(void **state)
{
    struct state *s = *state;
    static const int64_t delays[] = {0, 1000, 2000, 4000, 8000, 10000, 10000};
    s->settings.failures_address.count = 100;
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        assert_true(may_login(s, "192.0.2.1", "alice"));
        assert_int_equal(s->delay, delays[i]);
        fail_login(s, "192.0.2.1", "alice", 1);
    }
    /* Not yet known who it will be: no delay twice. */
    assert_true(may_login(s, "192.0.2.1", NULL));
    assert_int_equal(s->delay, 0);
    /* It is the address that is slow, not its neighbour. */
    assert_true(may_login(s, "192.0.2.2", "bob"));
    assert_int_equal(s->delay, 0);
    s->now += HOUR + 5 * MINUTE;
    assert_true(may_login(s, "192.0.2.1", "alice"));
    assert_int_equal(s->delay, 0);
}

static void test_a20_an_address_is_blocked(void **state)
{
    struct state *s = *state;
    for (int i = 0; i < 5; i++) {
        char user[20];
        snprintf(user, sizeof user, "user%d", i);
        assert_true(may_login(s, "192.0.2.1", user));
        fail_login(s, "192.0.2.1", user, 1);
    }
    assert_false(may_login(s, "192.0.2.1", NULL));
    assert_false(may_login(s, "::ffff:192.0.2.1", "alice"));
    assert_string_equal(s->text, "Too many failed logins from your address: try again in 30 minutes");
    assert_true(may_login(s, "192.0.2.2", "alice"));
    assert_int_equal(logged(s, "login-blocked"), 1);
    s->now += 30 * MINUTE - 1;
    assert_false(may_login(s, "192.0.2.1", "alice"));
    assert_string_equal(s->text, "Too many failed logins from your address: try again in 1 second");
    s->now += 1;
    assert_true(may_login(s, "192.0.2.1", "alice"));
    /* Its failures are in the window still: the next one blocks again. */
    fail_login(s, "192.0.2.1", "alice", 1);
    assert_false(may_login(s, "192.0.2.1", "alice"));
}

static void test_a20_a_64_is_blocked(void **state)
{
    struct state *s = *state;
    for (int i = 0; i < 12; i++) {
        char address[60], user[20];
        snprintf(address, sizeof address, "2001:db8:0:1::%x", i + 1);
        snprintf(user, sizeof user, "user%d", i);
        assert_true(may_login(s, address, user));
        /* Another address of the same customer is no fresh start. */
        assert_true(i == 0 || s->delay > 0);
        fail_login(s, address, user, 1);
    }
    assert_false(may_login(s, "2001:db8:0:1:ffff::1", "alice"));
    assert_string_equal(s->text, "Too many failed logins from your network: try again in 30 minutes");
    assert_true(may_login(s, "2001:db8:0:2::1", "alice"));
}

static void test_a20_a_24_is_blocked(void **state)
{
    struct state *s = *state;
    for (int i = 0; i < 12; i++) {
        char address[60], user[20];
        snprintf(address, sizeof address, "192.0.2.%d", i + 1);
        snprintf(user, sizeof user, "user%d", i);
        assert_true(may_login(s, address, user));
        assert_int_equal(s->delay, 0); /* neighbours in a /24 are strangers */
        fail_login(s, address, user, 1);
    }
    assert_false(may_login(s, "192.0.2.200", "alice"));
    assert_true(may_login(s, "192.0.3.1", "alice"));
}

/* Strangers nearby must not shut out whoever has been there before. */
static void test_a20_neighbours_do_not_block_a_known_address(void **state)
{
    struct state *s = *state;
    guard_login_succeeded(s->guard, "192.0.2.200", "alice", s->now);
    for (int i = 0; i < 12; i++) {
        char address[60];
        snprintf(address, sizeof address, "192.0.2.%d", i + 1);
        fail_login(s, address, "bob", 1);
    }
    assert_false(may_login(s, "192.0.2.200", "carol"));
    assert_true(may_login(s, "192.0.2.200", "alice"));
    assert_int_equal(s->delay, 0);
    fail_login(s, "192.0.2.200", "alice", 5);
    assert_false(may_login(s, "192.0.2.200", "alice"));
}

static void guess_from_everywhere(struct state *s, const char *user, int times)
{
    for (int i = 0; i < times; i++) {
        char address[40];
        snprintf(address, sizeof address, "198.51.%d.1", i);
        fail_login(s, address, user, 1);
    }
}

static void test_a20_a_user_is_blocked_but_where_the_user_has_been(void **state)
{
    struct state *s = *state;
    guard_login_succeeded(s->guard, "192.0.2.1", "Alice", s->now);
    guard_login_succeeded(s->guard, "2001:db8::1", "alice", s->now);
    guess_from_everywhere(s, "alice", 8);
    assert_false(may_login(s, "203.0.113.1", "alice"));
    assert_string_equal(s->text, "Too many failed logins for this user: try again in 30 minutes");
    assert_true(may_login(s, "203.0.113.1", "bob"));
    assert_true(may_login(s, "192.0.2.1", "ALICE"));
    assert_int_equal(s->delay, 0);
    assert_true(may_login(s, "2001:db8::abcd", "alice")); /* addresses change inside a /64 */
    assert_false(may_login(s, "192.0.2.10", "alice"));    /* "192.0.2.1" is not the beginning of a name */
    assert_false(may_login(s, "2.0.2.1", "alice"));
    /* What the known address does itself blocks it. */
    fail_login(s, "192.0.2.1", "alice", 5);
    assert_false(may_login(s, "192.0.2.1", "alice"));
}

/* A phone with an old password shuts out its address, not the user's laptop elsewhere. */
static void test_a_known_address_does_not_block_the_user(void **state)
{
    struct state *s = *state;
    s->settings.failures_address.count = s->settings.failures_network.count = 0;
    guard_login_succeeded(s->guard, "192.0.2.1", "alice", s->now);
    fail_login(s, "192.0.2.1", "alice", 100);
    assert_true(may_login(s, "203.0.113.1", "alice"));
}

static void test_an_account_buys_no_guesses(void **state)
{
    struct state *s = *state;
    for (int i = 0; i < 5; i++) {
        fail_login(s, "192.0.2.1", "alice", 1);
        guard_login_succeeded(s->guard, "192.0.2.1", "mallory", s->now);
    }
    assert_false(may_login(s, "192.0.2.1", "alice"));
    assert_false(may_login(s, "192.0.2.1", "mallory"));
}

/* A19: a name that nobody has looks like one that somebody has. */
static void test_a19_names_that_nobody_has_are_counted_alike(void **state)
{
    struct state *s = *state;
    guess_from_everywhere(s, "nobody-of-that-name", 8);
    assert_false(may_login(s, "203.0.113.1", "nobody-of-that-name"));
    assert_string_equal(s->text, "Too many failed logins for this user: try again in 30 minutes");
}

static void test_known_addresses_are_bounded(void **state)
{
    struct state *s = *state;
    for (int i = 0; i < 100; i++) {
        char address[60];
        snprintf(address, sizeof address, "2001:db8:aaaa:%x::1", i + 0x1000);
        guard_login_succeeded(s->guard, address, "alice", s->now);
    }
    struct search known = find(s, "known", "alice");
    assert_int_equal(known.n, 1);
    assert_true(strlen(known.found.detail) <= 16 * 64);
    guess_from_everywhere(s, "alice", 8);
    assert_true(may_login(s, "2001:db8:aaaa:1063::1", "alice")); /* the newest */
    assert_true(may_login(s, "2001:db8:aaaa:1054::1", "alice")); /* the sixteenth */
    assert_false(may_login(s, "2001:db8:aaaa:1053::1", "alice"));
}

static void test_clock_back_does_not_block_for_ever(void **state)
{
    struct state *s = *state;
    s->now = T0 + 365 * DAY;
    fail_login(s, "192.0.2.1", "alice", 5);
    assert_false(may_login(s, "192.0.2.1", "alice"));
    s->now = T0;
    assert_false(may_login(s, "192.0.2.1", "alice"));
    assert_string_equal(s->text, "Too many failed logins from your address: try again in 30 minutes");
    restart(s); /* the database has the old times */
    assert_false(may_login(s, "192.0.2.1", "alice"));
    s->now += 30 * MINUTE;
    assert_true(may_login(s, "192.0.2.1", "alice"));
}

static void test_without_limits_nothing_is_counted(void **state)
{
    struct state *s = *state;
    s->settings.failures_address.count = s->settings.failures_network.count =
        s->settings.failures_user.count = 0;
    fail_login(s, "192.0.2.1", "alice", 1000);
    assert_true(may_login(s, "192.0.2.1", "alice"));
    assert_int_equal(s->delay, 0);
    assert_int_equal(find(s, NULL, NULL).n, 0);
}

static void test_failure_before_the_user_is_named(void **state)
{
    struct state *s = *state;
    fail_login(s, "192.0.2.1", NULL, 5);
    assert_false(may_login(s, "192.0.2.1", NULL));
    assert_int_equal(find(s, NULL, NULL).n, 2);
}

/* All connections at once, before the first has failed. */
static void test_a20_guessing_at_once_does_not_get_beyond_the_limit(void **state)
{
    struct state *s = *state;
    int begun = 0;
    fail_login(s, "192.0.2.1", "alice", 1);
    for (int i = 0; i < 100; i++)
        begun += begin_login(s, "192.0.2.1", i % 2 ? "alice" : "bob");
    assert_int_equal(begun, 4);
    assert_string_equal(s->text, "Too many logins at once from your address: try again in 1 second");
    for (int i = 0; i < 4; i++)
        guard_login_failed(s->guard, "192.0.2.1", i % 2 ? "alice" : "bob", s->now);
    assert_false(begin_login(s, "192.0.2.1", "bob"));
    assert_string_equal(s->text, "Too many failed logins from your address: try again in 30 minutes");
}

/* An office behind one address in the morning. */
static void test_known_users_may_come_at_once(void **state)
{
    struct state *s = *state;
    char user[20];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 50; i++) {
            snprintf(user, sizeof user, "user%d", i);
            if (round == 1)
                assert_true(begin_login(s, "192.0.2.1", user));
            guard_login_succeeded(s->guard, "192.0.2.1", user, s->now);
        }
    }
    for (int i = 0; i < 50; i++) {
        snprintf(user, sizeof user, "user%d", i);
        assert_true(begin_login(s, "192.0.2.1", user));
    }
    assert_false(begin_login(s, "192.0.2.1", "newcomer"));
    for (int i = 0; i < 50; i++) {
        snprintf(user, sizeof user, "user%d", i);
        guard_login_succeeded(s->guard, "192.0.2.1", user, s->now);
    }
    assert_true(begin_login(s, "192.0.2.1", "newcomer"));
}

static void test_attempts_end_one_way_or_another(void **state)
{
    struct state *s = *state;
    for (int i = 0; i < 100; i++) {
        assert_true(begin_login(s, "192.0.2.1", "alice"));
        guard_login_undecided(s->guard, "192.0.2.1", "alice", s->now);
    }
    for (int i = 0; i < 5; i++)
        assert_true(begin_login(s, "192.0.2.1", "bob"));
    assert_false(begin_login(s, "192.0.2.1", "bob"));
    guard_tick(s->guard, s->now); /* keeps what is in hand */
    assert_false(begin_login(s, "192.0.2.1", "bob"));
    s->now += 2 * MINUTE + 1; /* their ends got lost */
    assert_true(begin_login(s, "192.0.2.1", "bob"));
    s->now += 3 * MINUTE;
    guard_tick(s->guard, s->now);
    assert_int_equal(find(s, NULL, NULL).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a20_each_failure_is_slower, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a20_an_address_is_blocked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a20_a_64_is_blocked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a20_a_24_is_blocked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a20_neighbours_do_not_block_a_known_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a20_a_user_is_blocked_but_where_the_user_has_been, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_known_address_does_not_block_the_user, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_account_buys_no_guesses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a19_names_that_nobody_has_are_counted_alike, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_known_addresses_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clock_back_does_not_block_for_ever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_limits_nothing_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a20_guessing_at_once_does_not_get_beyond_the_limit, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_known_users_may_come_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_attempts_end_one_way_or_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failure_before_the_user_is_named, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
