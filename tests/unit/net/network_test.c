#include "tests/unit/net/fixture.h"

#include "gateway/net/network.h"

static bool has(const char *network, const char *address)
{
    struct network n;
    struct network_address a;
    struct error err;
    if (network_parse(network, &n, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_true(network_address_parse(address, &a));
    return networks_have(&n, 1, &a);
}

static void members(void **state)
{
    (void)state;
    static const struct {
        const char *network, *address;
        bool want;
    } cases[] = {
        {"192.0.2.0/24", "192.0.2.0", true},
        {"192.0.2.0/24", "192.0.2.255", true},
        {"192.0.2.0/24", "192.0.3.0", false},
        {"192.0.2.0/24", "192.0.1.255", false},
        {"192.0.2.128/25", "192.0.2.127", false},
        {"192.0.2.128/25", "192.0.2.128", true},
        {"192.0.2.8/29", "192.0.2.15", true},
        {"192.0.2.8/29", "192.0.2.16", false},
        {"192.0.2.10", "192.0.2.10", true},
        {"192.0.2.10", "192.0.2.11", false},
        {"192.0.2.10/32", "192.0.2.10", true},
        {"0.0.0.0/0", "203.0.113.9", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"::/0", "2001:db8::1", true},
        {"::/0", "203.0.113.9", false},
        {"::/0", "::ffff:203.0.113.9", false},
        {"2001:db8::/32", "2001:db8:ffff::1", true},
        {"2001:db8::/32", "2001:db9::1", false},
        {"2001:db8::/33", "2001:db8:8000::1", false},
        {"2001:db8::1", "2001:db8::1", true},
        {"2001:db8::1", "2001:db8::2", false},
        {"192.0.2.0/24", "::ffff:192.0.2.1", true},
        {"::ffff:192.0.2.0/120", "192.0.2.1", true},
        {"::ffff:192.0.2.0/120", "192.0.3.1", false},
        {"::ffff:192.0.2.1", "192.0.2.1", true},
        /* 192.0.2.0 begins with the same bits as c000:200::. */
        {"192.0.2.0/24", "c000:200::", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (has(cases[i].network, cases[i].address) != cases[i].want)
            fail_msg("%s and %s", cases[i].network, cases[i].address);
}

static void what_is_no_network_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "/",
        "192.0.2.0/",
        "/24",
        "192.0.2.0/33",
        "192.0.2.0/-1",
        "192.0.2/24",
        "192.0.2.1/24",
        "192.0.2.0/24 ",
        " 192.0.2.0/24",
        "192.0.2.0/024",
        "192.0.2.0/255.255.255.0",
        "2001:db8::/129",
        "2001:db8::1/32",
        "fe80::1%eth0",
        "localhost",
        "[2001:db8::]/32",
        "::ffff:192.0.2.0/24",
        "192.0.2.0/1e1",
    };
    struct network n;
    struct error err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (network_parse(cases[i], &n, &err) != STATUS_INVALID)
            fail_msg("%s", cases[i]);
        assert_non_null(strstr(err.text, cases[i]));
    }
}

static void lists(void **state)
{
    (void)state;
    char v4[] = "192.0.2.0/24", v6[] = "2001:db8::/32", junk[] = "x";
    char *good[] = {v4, v6}, *bad[] = {v4, junk};
    struct network *networks;
    struct network_address a;
    struct error err;
    assert_int_equal(networks_parse(good, 2, &networks, &err), STATUS_OK);
    assert_true(network_address_parse("2001:db8::5", &a));
    assert_true(networks_have(networks, 2, &a));
    assert_false(networks_have(networks, 1, &a));
    assert_false(networks_have(NULL, 0, &a));
    free(networks);
    assert_int_equal(networks_parse(bad, 2, &networks, &err), STATUS_INVALID);
    assert_null(networks);
    assert_int_equal(networks_parse(NULL, 0, &networks, &err), STATUS_OK);
    assert_null(networks);
    assert_false(network_address_parse("local", &a));
}

static void socket_addresses(void **state)
{
    (void)state;
    struct sockaddr_storage ss = {0};
    struct sockaddr_in *v4 = (void *)&ss;
    struct sockaddr_in6 *v6 = (void *)&ss;
    struct network_address a, want;
    v4->sin_family = AF_INET;
    inet_pton(AF_INET, "192.0.2.1", &v4->sin_addr);
    network_address_parse("192.0.2.1", &want);
    assert_true(network_address_of(&ss, &a));
    assert_memory_equal(&a, &want, sizeof a);
    memset(&ss, 0, sizeof ss);
    v6->sin6_family = AF_INET6;
    inet_pton(AF_INET6, "::ffff:192.0.2.1", &v6->sin6_addr);
    assert_true(network_address_of(&ss, &a));
    assert_memory_equal(&a, &want, sizeof a);
    inet_pton(AF_INET6, "2001:db8::1", &v6->sin6_addr);
    network_address_parse("2001:db8::1", &want);
    assert_true(network_address_of(&ss, &a));
    assert_memory_equal(&a, &want, sizeof a);
    ss.ss_family = AF_UNIX;
    assert_false(network_address_of(&ss, &a));
}

static void peers_as_text(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"2001:db8::1", "2001:db8::1"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}};
    char text[NETWORK_PEER_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockaddr_storage ss = {0};
        struct sockaddr_in *v4 = (void *)&ss;
        struct sockaddr_in6 *v6 = (void *)&ss;
        bool is_v6 = strchr(cases[i][0], ':');
        ss.ss_family = is_v6 ? AF_INET6 : AF_INET;
        assert_int_equal(inet_pton(ss.ss_family, cases[i][0], is_v6 ? (void *)&v6->sin6_addr : &v4->sin_addr),
                         1);
        network_peer_text((const struct sockaddr *)&ss, text);
        assert_string_equal(text, cases[i][1]);
    }
    struct sockaddr_storage local = {.ss_family = AF_UNIX};
    network_peer_text((const struct sockaddr *)&local, text);
    assert_string_equal(text, "local");
}

/* A28: where a name of somebody else's must not lead us. */
static void public_addresses(void **state)
{
    (void)state;
    static const char *const public[] = {
        "1.1.1.1",         "9.255.255.255", "11.0.0.1",        "100.63.255.255", "100.128.0.1",
        "126.255.255.255", "128.0.0.1",     "169.253.255.255", "172.15.255.255", "172.32.0.1",
        "192.167.255.255", "192.169.0.1",   "223.255.255.255", "2001:4860::1",   "2a00::1",
        "2400::1",         "::ffff:1.1.1.1"};
    static const char *const other[] = {"0.0.0.0",
                                        "10.1.2.3",
                                        "100.64.0.1",
                                        "127.0.0.1",
                                        "127.255.255.255",
                                        "169.254.169.254",
                                        "172.16.0.1",
                                        "172.31.9.9",
                                        "192.0.0.8",
                                        "192.0.2.1",
                                        "192.168.1.1",
                                        "198.18.0.1",
                                        "198.51.100.7",
                                        "203.0.113.1",
                                        "224.0.0.1",
                                        "255.255.255.255",
                                        "::",
                                        "::1",
                                        "::ffff:127.0.0.1",
                                        "::ffff:10.0.0.1",
                                        "::127.0.0.1",
                                        "64:ff9b::7f00:1",
                                        "2001:db8::1",
                                        "2001::1",
                                        "2002:7f00:1::1",
                                        "3fff::1",
                                        "4000::1",
                                        "fc00::1",
                                        "fd12::1",
                                        "fe80::1",
                                        "fec0::1",
                                        "ff02::1"};
    struct network_address a;
    for (size_t i = 0; i < sizeof public / sizeof public[0]; i++) {
        assert_true(network_address_parse(public[i], &a));
        assert_true(network_is_public(&a));
    }
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        assert_true(network_address_parse(other[i], &a));
        assert_false(network_is_public(&a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members),       cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(lists),         cmocka_unit_test(socket_addresses),
        cmocka_unit_test(peers_as_text), cmocka_unit_test(public_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
