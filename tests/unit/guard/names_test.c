/* Addresses, user names and durations as they are counted and shown. */
#include "tests/unit/guard/fixture.h"

#include "gateway/guard/address.h"
#include "gateway/guard/guard_private.h"
#include "gateway/guard/words.h"

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *network, *client;
    } table[] = {
        {"192.0.2.77", "192.0.2.77", "192.0.2.0/24", "192.0.2.77"},
        {"::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24", "192.0.2.77"},
        {"::FFFF:c000:24d", "192.0.2.77", "192.0.2.0/24", "192.0.2.77"},
        {"2001:DB8:0:1:2:3:4:5", "2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64", "2001:db8:0:1::/64"},
        {"::1", "::1", "::/64", "::/64"},
        {"fe80::1%eth0", "fe80::1", "fe80::/64", "fe80::/64"},
        {"2001:db8::/64", "2001:db8::", "2001:db8::/64", "2001:db8::/64"},
        {"192.0.2.0/24", "192.0.2.0", "192.0.2.0/24", "192.0.2.0"},
        {"local", "local", "", "local"},
        {"", "", "", ""},
        {"1.2.3.4.5 and something much too long to be an address at all, whoever wrote it",
         "1.2.3.4.5 and something much too long to be an address at all, ", "",
         "1.2.3.4.5 and something much too long to be an address at all, "},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct address a;
        address_read(table[i].text, &a);
        assert_string_equal(a.host, table[i].host);
        assert_string_equal(a.network, table[i].network);
        assert_string_equal(a.client, table[i].client);
    }
}

static void test_spellings_of_a_user_are_one(void **state)
{
    (void)state;
    static const char *const spellings[] = {
        "stra\xc3\x9f"
        "e@example.org",
        "STRASSE@Example.ORG", "  strasse@example.org ", "\xef\xbd\x93trasse@example.org", /* FULLWIDTH S */
    };
    char name[NAME_SIZE];
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        name_of_user(spellings[i], name);
        assert_string_equal(name, "strasse@example.org");
    }
    name_of_user("a  b", name);
    assert_string_equal(name, "a b");
    name_of_user("", name);
    assert_string_equal(name, "");
}

/* A21: anything may come as a name. */
static void test_names_of_any_bytes_are_bounded(void **state)
{
    (void)state;
    char user[256], name[NAME_SIZE];
    for (int c = 1; c < 256; c++) {
        memset(user, c, sizeof user - 1);
        user[sizeof user - 1] = '\0';
        name_of_user(user, name);
        assert_true(strlen(name) < NAME_SIZE);
    }
    for (size_t i = 0; i + 3 < sizeof user; i += 3)
        memcpy(user + i, "\xef\xb7\xba", 3); /* U+FDFA: eighteen characters in its compatibility form */
    name_of_user(user, name);
    assert_int_equal(strlen(name), NAME_SIZE - 1);
}

static void test_durations(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *wait;
    } waits[] = {
        {-5, "1 second"},
        {0, "1 second"},
        {1, "1 second"},
        {1001, "2 seconds"},
        {2 * MINUTE, "120 seconds"},
        {2 * MINUTE + 1, "3 minutes"},
        {12 * MINUTE, "12 minutes"},
        {2 * HOUR, "120 minutes"},
        {2 * HOUR + 1, "3 hours"},
        {2 * DAY + 1, "3 days"},
    };
    static const struct {
        int64_t ms;
        const char *window;
    } windows[] = {{HOUR, "1h"}, {90 * MINUTE, "90min"}, {DAY, "1d"}, {SECOND, "1s"}, {1500, "1500ms"}};
    char words[WORDS_SIZE];
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        words_wait(waits[i].ms, words);
        assert_string_equal(words, waits[i].wait);
    }
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        words_window(windows[i].ms, words);
        assert_string_equal(words, windows[i].window);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_spellings_of_a_user_are_one),
        cmocka_unit_test(test_names_of_any_bytes_are_bounded),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
