/* Messages and recipients per user, relay client and address. */
#include "tests/unit/guard/fixture.h"

static void test_so_many_and_then_a_text(void **state)
{
    struct state *s = *state;
    s->settings.user_messages = (struct guard_rate){3, HOUR};
    for (int i = 0; i < 3; i++)
        assert_true(may_send(s, "alice@example.org"));
    assert_string_equal(s->text, "");
    s->now += 53 * MINUTE;
    assert_false(may_send(s, "alice@example.org"));
    assert_string_equal(s->text,
                        "3 messages in 1h are the limit for alice@example.org: try again in 12 minutes");
    assert_false(may_send(s, "ALICE@example.org"));
    assert_true(may_send(s, "bob@example.org"));
    s->now += 12 * MINUTE - 1;
    assert_false(may_send(s, "alice@example.org"));
    s->now += 1;
    assert_true(may_send(s, "alice@example.org"));
}

static void test_one_is_singular(void **state)
{
    struct state *s = *state;
    s->settings.user_recipients = (struct guard_rate){1, DAY};
    assert_true(guard_may_send(s->guard, true, "alice", NULL, "192.0.2.1", s->now, s->text));
    assert_false(guard_may_send(s->guard, true, "alice", NULL, "192.0.2.1", s->now, s->text));
    assert_string_equal(s->text, "1 recipient in 1d is the limit for alice: try again in 26 hours");
    /* Messages are counted for themselves. */
    assert_true(may_send(s, "alice"));
}

static void test_the_first_account_that_matches(void **state)
{
    struct state *s = *state;
    static const struct guard_account accounts[] = {
        {"boss@example.org", {0, 0}, {0, 0}},
        {"*@example.org", {2, HOUR}, {0, 0}},
        {"news@example.org", {100, HOUR}, {0, 0}},
    };
    s->settings.user_messages = (struct guard_rate){1, HOUR};
    s->settings.accounts = accounts;
    s->settings.n_accounts = 3;
    static const struct {
        const char *user;
        int count;
    } table[] = {{"news@example.org", 2}, {"boss@example.org", 1}, {"other", 1}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (int n = 0; n < table[i].count; n++)
            assert_true(may_send(s, table[i].user));
        assert_false(may_send(s, table[i].user));
    }
}

static bool client_sends(struct state *s, bool recipient, const char *client, const char *address)
{
    return guard_may_send(s->guard, recipient, NULL, client, address, s->now, s->text);
}

static void test_relay_clients_have_their_own(void **state)
{
    struct state *s = *state;
    static const struct guard_client clients[] = {{"scanner", {2, HOUR}, {1, HOUR}}, {"crm", {0, 0}, {0, 0}}};
    s->settings.user_messages = (struct guard_rate){1, HOUR};
    s->settings.clients = clients;
    s->settings.n_clients = 2;
    assert_true(client_sends(s, false, "scanner", "192.0.2.1"));
    assert_true(client_sends(s, false, "scanner", "192.0.2.2"));
    assert_false(client_sends(s, false, "scanner", "192.0.2.3"));
    assert_string_equal(s->text, "2 messages in 1h are the limit for scanner: try again in 65 minutes");
    assert_true(client_sends(s, true, "scanner", "192.0.2.1"));
    assert_false(client_sends(s, true, "scanner", "192.0.2.1"));
    for (int i = 0; i < 10; i++)
        assert_true(client_sends(s, false, "crm", "192.0.2.1"));
    /* A user of the same name is somebody else. */
    assert_true(may_send(s, "scanner"));
}

static void test_all_must_allow_and_a_refusal_counts_nothing(void **state)
{
    struct state *s = *state;
    s->settings.user_messages = (struct guard_rate){5, HOUR};
    s->settings.address_messages = (struct guard_rate){2, HOUR};
    assert_true(may_send(s, "alice"));
    assert_true(may_send(s, "bob"));
    for (int i = 0; i < 10; i++)
        assert_false(may_send(s, "alice"));
    assert_string_equal(s->text, "2 messages in 1h are the limit for 192.0.2.1: try again in 65 minutes");
    assert_int_equal(find(s, "user-messages", "alice").found.count, 1);
    for (int i = 0; i < 4; i++)
        assert_true(guard_may_send(s->guard, false, "alice", NULL, i < 2 ? "192.0.2.2" : "192.0.2.3", s->now,
                                   s->text));
    assert_false(guard_may_send(s->guard, false, "alice", NULL, "192.0.2.4", s->now, s->text));
    assert_int_equal(find(s, "address-messages", "192.0.2.4").found.count, 0);
}

static void test_a_64_is_one_address(void **state)
{
    struct state *s = *state;
    s->settings.address_messages = (struct guard_rate){1, HOUR};
    assert_true(guard_may_send(s->guard, false, "a", NULL, "2001:db8::1", s->now, s->text));
    assert_false(guard_may_send(s->guard, false, "b", NULL, "2001:db8::2", s->now, s->text));
    assert_true(guard_may_send(s->guard, false, "b", NULL, "2001:db8:0:1::2", s->now, s->text));
}

static void test_without_limits_nothing_is_counted(void **state)
{
    struct state *s = *state;
    for (int i = 0; i < 1000; i++)
        assert_true(may_send(s, "alice"));
    assert_int_equal(find(s, NULL, NULL).n, 0);
}

/* The text goes into a reply line: printable ASCII that fits, whatever the user is called. */
static void test_a9_texts_are_printable_and_fit(void **state)
{
    struct state *s = *state;
    char user[256];
    s->settings.user_messages = (struct guard_rate){1, 1500};
    memset(user, 'x', sizeof user - 1);
    user[sizeof user - 1] = '\0';
    memcpy(user, "\xc3\xa4\r\n250 ok", 10);
    assert_true(may_send(s, user));
    assert_false(may_send(s, user));
    assert_non_null(strstr(s->text, "for ????250 okxxx"));
    assert_non_null(strstr(s->text, "try again in 2 seconds"));
    for (const char *p = s->text; *p; p++)
        assert_true(*p >= ' ' && *p <= '~');
    s->settings.user_messages = (struct guard_rate){1, INT64_C(1500) * 86400 * 365 * 100 + 1};
    assert_true(may_send(s, user));
    assert_false(may_send(s, user));
    assert_non_null(strstr(s->text, " days"));
}

static void test_limits_hold_over_a_restart(void **state)
{
    struct state *s = *state;
    s->settings.user_messages = (struct guard_rate){2, HOUR};
    assert_true(may_send(s, "alice"));
    assert_true(may_send(s, "alice"));
    guard_tick(s->guard, s->now);
    restart(s);
    assert_false(may_send(s, "alice"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_so_many_and_then_a_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_is_singular, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_account_that_matches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_relay_clients_have_their_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_all_must_allow_and_a_refusal_counts_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_64_is_one_address, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_limits_nothing_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a9_texts_are_printable_and_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits_hold_over_a_restart, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
