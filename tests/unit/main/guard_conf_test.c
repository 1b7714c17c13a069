/* From the words of the configuration to limits and rates, and when submission must ask. */
#include "tests/unit/main/fixture.h"

#include "gateway/main/guard_conf.h"

static struct submission_rates rates_of(void *folder, const char *rest)
{
    struct conf conf = conf_with(folder, ONE_LISTENER, rest);
    struct submission_rates rates = guard_rates_in(&conf);
    conf_free(&conf);
    return rates;
}

static void expect_rates(void *folder, const char *rest, const char *expected)
{
    struct submission_rates r = rates_of(folder, rest);
    const char said[] = {r.user_messages ? 'U' : '-', r.user_recipients ? 'u' : '-',
                         r.client_messages ? 'C' : '-', r.client_recipients ? 'c' : '-', '\0'};
    if (strcmp(said, expected) != 0)
        fail_msg("%s: %s instead of %s", rest, said, expected);
}

static void submission_asks_only_where_a_rate_could_apply(void **state)
{
    expect_rates(*state, "", "----");
    expect_rates(*state, "throttle { client-rate = 1/1h }", "U-C-");
    expect_rates(*state, "throttle { client-recipients-rate = 1/1h }", "-u-c");
    expect_rates(*state, "account \"a\" { send-as = {\"b@example.org\"} } account \"c\" { rate = 1/1h }",
                 "U---");
    expect_rates(*state, "account \"a\" { recipients-rate = 1/1h }", "-u--");
    expect_rates(*state, "client \"a\" { networks = {\"127.0.0.1\"} rate = 1/1h }", "--C-");
    expect_rates(*state, "client \"a\" { networks = {\"127.0.0.1\"} recipients-rate = 1/1h }", "---c");
}

static void limits_and_rates_arrive(void **state)
{
    struct guard_settings guard;
    struct error err;
    struct conf conf = conf_with(*state, ONE_LISTENER,
                                 "account \"*@a\" { rate = 5/1min recipients-rate = 6/2min }"
                                 "client \"x\" { networks = {\"127.0.0.1\"} rate = 7/3min }"
                                 "throttle { client-rate = 8/4min failures-user = 9/5min block = 6min }");
    assert_int_equal(guard_from_conf(&conf, &guard, &err), STATUS_OK);
    assert_int_equal(guard.n_accounts, 1);
    assert_string_equal(guard.accounts[0].pattern, "*@a");
    assert_int_equal(guard.accounts[0].messages.count, 5);
    assert_int_equal(guard.accounts[0].recipients.window_ms, 120000);
    assert_int_equal(guard.n_clients, 1);
    assert_string_equal(guard.clients[0].name, "x");
    assert_int_equal(guard.clients[0].messages.count, 7);
    assert_int_equal(guard.clients[0].recipients.count, 0);
    assert_int_equal(guard.address_messages.window_ms, 240000);
    assert_int_equal(guard.user_messages.count, 0);
    assert_int_equal(guard.failures_address.count, 20); /* the default */
    assert_int_equal(guard.failures_network.count, 60);
    assert_int_equal(guard.failures_user.count, 9);
    assert_int_equal(guard.block_ms, 360000);
    guard_conf_free(&guard);
    conf_free(&conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(submission_asks_only_where_a_rate_could_apply, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(limits_and_rates_arrive, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
