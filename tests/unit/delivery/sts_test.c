/* What is known of a domain's MTA-STS policy, with a DNS server of the test and policy hosts that hang. */
#include "tests/unit/net/dns_server.h"

#include <poll.h>

#include "base/clock.h"
#include "gateway/delivery/sts.h"
#include "gateway/delivery/sts_store.h"
#include "gateway/net/https.h"

#define DOMAINS 101 /* one more than policies are fetched at once */

static const char *const txt[] = {"v=STSv1; id=1;", NULL};
static const char *const loopback[] = {"127.0.0.1", NULL};

static struct {
    struct event_base *base;
    struct dns_server dns;
    struct dns_record records[2 * DOMAINS + 2];
    char names[2 * DOMAINS][32];
    struct resolver *resolver;
    int policy_host; /* listens and never answers */
    struct network network;
    struct sts_settings settings;
    struct sts *sts;
    char dir[32], path[64];
} world;

static void add_record(size_t i, const char *label, size_t domain, int type, const char *const *data)
{
    snprintf(world.names[i], sizeof world.names[i], "%s.d%zu.example", label, domain);
    world.records[i] = (struct dns_record){.name = world.names[i], .type = type, .data = data};
}

static int setup(void **state)
{
    (void)state;
    struct sockaddr_in sin;
    struct error err;
    world.base = event_base_new();
    for (size_t i = 0; i < DOMAINS; i++) {
        add_record(2 * i, "_mta-sts", i, ns_t_txt, txt);
        add_record(2 * i + 1, "mta-sts", i, ns_t_a, loopback);
    }
    world.records[2 * DOMAINS] =
        (struct dns_record){.name = "_mta-sts.broken.example", .type = ns_t_txt, .rcode = ns_r_servfail};
    world.records[2 * DOMAINS + 1] = (struct dns_record){.name = "_mta-sts.plain.example", .type = ns_t_txt};
    dns_server_start(&world.dns, world.base, world.records, 2 * DOMAINS + 2);
    const char *servers[] = {world.dns.address};
    const struct resolver_settings resolver = {.servers = servers, .n_servers = 1};
    assert_int_equal(resolver_open(world.base, &resolver, &world.resolver, &err), STATUS_OK);
    world.policy_host = fixture_listen(&sin);
    assert_int_equal(listen(world.policy_host, DOMAINS), 0);
    assert_int_equal(network_parse("127.0.0.1", &world.network, &err), STATUS_OK);
    assert_int_equal(https_prepare(&err), STATUS_OK);
    strcpy(world.dir, "/tmp/sgstsXXXXXX");
    assert_non_null(mkdtemp(world.dir));
    snprintf(world.path, sizeof world.path, "%s/sts.db", world.dir);
    world.settings = (struct sts_settings){.path = world.path,
                                           .fetch = {.base = world.base,
                                                     .resolver = world.resolver,
                                                     .trust = SSL_CTX_new(TLS_client_method()),
                                                     .port = ntohs(sin.sin_port),
                                                     .timeout_ms = 60000,
                                                     .networks = &world.network,
                                                     .n_networks = 1}};
    assert_int_equal(sts_open(&world.settings, &world.sts, &err), STATUS_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[100];
    sts_close(world.sts);
    https_clean_up();
    SSL_CTX_free(world.settings.fetch.trust);
    resolver_close(world.resolver);
    dns_server_stop(&world.dns);
    close(world.policy_host);
    event_base_free(world.base);
    snprintf(command, sizeof command, "rm -rf %s", world.dir);
    return system(command);
}

struct found {
    size_t n;
    bool any;
    struct sts_facts last;
};

static void on_found(void *arg, struct sts_facts *facts)
{
    struct found *found = arg;
    found->n++;
    found->any = true;
    sts_facts_free(&found->last);
    found->last = *facts;
}

/* Our own limit says nothing of a domain: its mail waits. */
static void a33_too_many_fetches_at_once_are_no_lack_of_a_policy(void **state)
{
    (void)state;
    struct sts_query *queries[DOMAINS];
    struct found found[DOMAINS] = {0};
    struct error err;
    size_t i, n = 0;
    for (i = 0; i < DOMAINS; i++) {
        char domain[32];
        snprintf(domain, sizeof domain, "d%zu.example", i);
        queries[i] = sts_find(world.sts, domain, on_found, &found[i], &err);
        assert_non_null(queries[i]);
    }
    alarm(20);
    while (n == 0) {
        assert_int_equal(event_base_loop(world.base, EVLOOP_ONCE), 0);
        for (i = 0; i < DOMAINS; i++)
            n += found[i].n;
    }
    alarm(0);
    assert_int_equal(n, 1);
    for (i = 0; i < DOMAINS; i++) {
        if (found[i].n == 0) {
            sts_cancel(queries[i]);
            continue;
        }
        assert_int_equal(found[i].last.state, STS_FAILED);
        assert_string_equal(found[i].last.why, "too many MTA-STS policies are being fetched");
        sts_facts_free(&found[i].last);
    }
}

static struct sts_facts find(const char *domain)
{
    struct found found = {0};
    struct error err;
    assert_non_null(sts_find(world.sts, domain, on_found, &found, &err));
    fixture_run(world.base, &found.any);
    return found.last;
}

static void store(const char *domain, const char *policy)
{
    struct sts_store *store;
    struct error err;
    int64_t now_ms = clock_wall_ms();
    assert_int_equal(sts_store_open(world.path, now_ms, &store, &err), STATUS_OK);
    assert_int_equal(sts_store_put(store, domain, "1", span_str(policy), now_ms, now_ms + 86400000, &err),
                     STATUS_OK);
    sts_store_close(store);
}

static void a33_a_lookup_that_fails_is_no_lack_of_a_record(void **state)
{
    (void)state;
    /* 246 bytes: no label fits in front. */
    char longest[248] = "";
    for (size_t i = 0; i < 246; i++)
        longest[i] = i % 50 == 49 ? '.' : 'a';
    const struct {
        const char *domain;
        enum sts_state want;
        const char *why;
    } cases[] = {
        {"broken.example", STS_FAILED, "MTA-STS record: DNS lookup failed (SERVFAIL)"},
        {"plain.example", STS_NONE, "no MTA-STS record"},
        {"missing.example", STS_NONE, "no MTA-STS record"},
        {longest, STS_NONE, "no MTA-STS record"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sts_facts facts = find(cases[i].domain);
        assert_int_equal(facts.state, cases[i].want);
        assert_string_equal(facts.why, cases[i].why);
        sts_facts_free(&facts);
    }
    store("broken.example", "version: STSv1\nmode: enforce\nmx: mx.example\nmax_age: 86400\n");
    struct sts_facts facts = find("broken.example");
    assert_int_equal(facts.state, STS_ENFORCE);
    assert_string_equal(facts.why, "MTA-STS record: DNS lookup failed (SERVFAIL)");
    sts_facts_free(&facts);
}

/* It is fetched, and until then nobody says that there is none. */
static void a_stored_policy_that_is_not_understood_is_fetched(void **state)
{
    (void)state;
    struct found found = {0};
    struct error err;
    struct pollfd connection = {.fd = world.policy_host, .events = POLLIN};
    store("d0.example", "damaged");
    struct sts_query *query = sts_find(world.sts, "d0.example", on_found, &found, &err);
    assert_non_null(query);
    alarm(20);
    while (!found.any && poll(&connection, 1, 0) == 0)
        assert_int_equal(event_base_loop(world.base, EVLOOP_ONCE), 0);
    alarm(0);
    assert_false(found.any);
    sts_cancel(query);
    store("missing.example", "damaged");
    struct sts_facts facts = find("missing.example");
    assert_int_equal(facts.state, STS_FAILED);
    assert_non_null(strstr(facts.why, "the stored policy cannot be read"));
    sts_facts_free(&facts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a33_too_many_fetches_at_once_are_no_lack_of_a_policy, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a33_a_lookup_that_fails_is_no_lack_of_a_record, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stored_policy_that_is_not_understood_is_fetched, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
