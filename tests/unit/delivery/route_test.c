#include "tests/unit/net/dns_server.h"

#include "gateway/delivery/route.h"

static const struct dns_record records[] = {
    {"example.org", ns_t_mx, 0, false, (const char *const[]){"20 b.example.org", "10 a.example.org", NULL}},
    {"plain.example", ns_t_a, 0, false, (const char *const[]){"192.0.2.1", NULL}},
    {"null.example", ns_t_mx, 0, false, (const char *const[]){"0 .", NULL}},
    {"mixed.example", ns_t_mx, 0, false, (const char *const[]){"0 .", "10 a.example.org", NULL}},
    {"broken.example", ns_t_mx, ns_r_servfail, false, NULL},
    {"ours.example", ns_t_mx, 0, false, (const char *const[]){"10 gw.example.net", "20 b.example.org", NULL}},
    {"backup.example", ns_t_mx, 0, false,
     (const char *const[]){"10 a.example.org", "20 gw.example.net", "20 c.example.org", "30 d.example.org",
                           NULL}},
};

static struct event_base *base;
static struct dns_server server;
static struct resolver *resolver;

struct got {
    bool done;
    bool found;
    struct route route;
    struct result failure;
};

static void on_found(void *arg, const struct route *route, const struct result *failure)
{
    struct got *got = arg;
    got->done = true;
    got->found = route != NULL;
    if (route)
        got->route = *route;
    else
        got->failure = *failure;
}

static void find(const char *route, const char *domain, struct got *got)
{
    struct error err;
    struct route_settings settings = {route, 25, "GW.example.net"};
    *got = (struct got){0};
    assert_non_null(route_find(base, resolver, &settings, domain, on_found, got, &err));
    assert_false(got->done);
    fixture_run(base, &got->done);
}

static void hosts_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *domain;
        bool implicit;
        const char *hosts[3];
    } cases[] = {
        {"example.org", false, {"a.example.org", "b.example.org"}},
        {"plain.example", true, {"plain.example"}},
        {"mixed.example", false, {"a.example.org"}},
        /* RFC 5321 §5.1: only those preferred to us. */
        {"backup.example", false, {"a.example.org"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct got got;
        find("mx", cases[i].domain, &got);
        assert_true(got.found);
        assert_int_equal(got.route.implicit, cases[i].implicit);
        size_t n = 0;
        for (; cases[i].hosts[n]; n++)
            assert_string_equal(got.route.hops[n].host, cases[i].hosts[n]);
        assert_int_equal(got.route.n, n);
        assert_int_equal(got.route.hops[0].port, 25);
    }
}

static void a33_only_answers_are_permanent(void **state)
{
    (void)state;
    static const struct {
        const char *domain;
        enum failure_class failure;
        const char *status;
    } cases[] = {
        {"null.example", FAILURE_PERMANENT, "5.1.10"}, /* RFC 7505 */
        {"missing.example", FAILURE_PERMANENT, "5.1.2"}, {"ours.example", FAILURE_PERMANENT, "5.4.6"},
        {"broken.example", FAILURE_CONNECTION, "4.4.3"}, {"[192.0.2.300]", FAILURE_PERMANENT, "5.1.2"},
        {"[tag:x]", FAILURE_PERMANENT, "5.1.2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct got got;
        find("mx", cases[i].domain, &got);
        assert_false(got.found);
        assert_int_equal(got.failure.failure, cases[i].failure);
        assert_string_equal(got.failure.status, cases[i].status);
    }
}

static void literals_and_fixed_routes(void **state)
{
    (void)state;
    static const struct {
        const char *route, *domain, *host;
        int port;
        bool literal, fixed;
    } cases[] = {
        {"mx", "[192.0.2.1]", "192.0.2.1", 25, true, false},
        {"mx", "[IPv6:2001:db8::1]", "2001:db8::1", 25, true, false},
        {"[relay.example.org]:587", "example.org", "relay.example.org", 587, false, true},
        {"[127.0.0.1]:2525", "null.example", "127.0.0.1", 2525, true, true},
        {"[::1]:2525", "x.example", "::1", 2525, true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct got got;
        find(cases[i].route, cases[i].domain, &got);
        assert_true(got.found);
        assert_int_equal(got.route.n, 1);
        assert_int_equal(got.route.fixed, cases[i].fixed);
        assert_string_equal(got.route.hops[0].host, cases[i].host);
        assert_int_equal(got.route.hops[0].port, cases[i].port);
        assert_int_equal(got.route.hops[0].literal, cases[i].literal);
    }
    struct hop hop;
    struct error err;
    static const char *const bad[] = {"",          "relay:25",      "[relay]", "[]:25",
                                      "[relay]:0", "[relay]:99999", "[relay]:"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(route_fixed_hop(bad[i], &hop, &err), STATUS_INVALID);
}

static void domains_of_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *address, *domain;
    } cases[] = {
        {"alice@example.org", "example.org"},
        {"alice@EXAMPLE.Org", "example.org"},
        {"\"a@b\"@example.org", "example.org"},
        {"bob@bücher.example", "xn--bcher-kva.example"},
        {"bob@xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"bob@[192.0.2.1]", "[192.0.2.1]"},
        {"bob", NULL},
        {"bob@", NULL},
        {"bob@\xff\xfe", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *domain = route_domain(cases[i].address);
        if (cases[i].domain)
            assert_string_equal(domain, cases[i].domain);
        else
            assert_null(domain);
        free(domain);
    }
}

static int setup(void **state)
{
    (void)state;
    struct error err;
    base = event_base_new();
    dns_server_start(&server, base, records, sizeof records / sizeof records[0]);
    const char *servers[] = {server.address};
    struct resolver_settings settings = {servers, 1, NULL, NULL};
    assert_int_equal(resolver_open(base, &settings, &resolver, &err), STATUS_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    resolver_close(resolver);
    dns_server_stop(&server);
    event_base_free(base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_in_order),
        cmocka_unit_test(a33_only_answers_are_permanent),
        cmocka_unit_test(literals_and_fixed_routes),
        cmocka_unit_test(domains_of_addresses),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
