#include "tests/unit/net/dns_server.h"

#include "base/clock.h"
#include "gateway/net/dns_answer.h"
#include "gateway/net/resolver.h"

#define ROOT_KEY "/usr/share/dns/root.key"

static const struct dns_record records[] = {
    {"example.org", ns_t_mx, 0, false,
     (const char *const[]){"20 b.example.org", "10 a.example.org", "20 c.example.org", NULL}},
    {"null.example", ns_t_mx, 0, false, (const char *const[]){"0 .", NULL}},
    {"none.example", ns_t_mx, 0, false, NULL},
    {"odd.example", ns_t_mx, 0, false, (const char *const[]){"10 a\\032b.example", NULL}},
    {"broken.example", ns_t_mx, ns_r_servfail, false, NULL},
    {"refused.example", ns_t_mx, ns_r_refused, false, NULL},
    {"a.example.org", ns_t_a, 0, false, (const char *const[]){"192.0.2.1", "192.0.2.2", NULL}},
    {"a.example.org", ns_t_aaaa, 0, false, (const char *const[]){"2001:db8::1", NULL}},
    {"turns.example.org", ns_t_a, 0, false, (const char *const[]){"192.0.2.5", "192.0.2.6", NULL}},
    {"turns.example.org", ns_t_aaaa, 0, false,
     (const char *const[]){"2001:db8::5", "2001:db8::6", "2001:db8::7", NULL}},
    {"quiet.example.org", ns_t_a, 0, false, (const char *const[]){"192.0.2.7", NULL}},
    {"quiet.example.org", ns_t_aaaa, 0, true, NULL},
    {"four.example.org", ns_t_a, 0, false, (const char *const[]){"192.0.2.4", NULL}},
    {"four.example.org", ns_t_aaaa, ns_r_servfail, false, NULL},
    {"half.example.org", ns_t_a, 0, false, NULL},
    {"half.example.org", ns_t_aaaa, ns_r_servfail, false, NULL},
    {"bare.example.org", ns_t_a, 0, false, NULL},
    {"bare.example.org", ns_t_aaaa, 0, false, NULL},
    {"_25._tcp.a.example.org", ns_t_tlsa, 0, false, (const char *const[]){"3 1 1 a", "2 0 2 b", NULL}},
    {"_25._tcp.c.example.org", ns_t_tlsa, ns_r_servfail, false, NULL},
    {"txt.example", ns_t_txt, 0, false, (const char *const[]){"v=STSv1; |id=1", "", "other", NULL}},
    {"no-txt.example", ns_t_txt, 0, false, NULL},
    {"bad-txt.example", ns_t_txt, ns_r_servfail, false, NULL},
    {"silent.example", ns_t_mx, 0, true, NULL},
};

static struct {
    struct event_base *base;
    struct dns_server server;
} dns;

struct got {
    bool done;
    int calls;
    struct resolver_answer answer;
};

static void on_done(void *arg, const struct resolver_answer *answer)
{
    struct got *got = arg;
    got->calls++;
    got->done = true;
    got->answer = *answer;
}

/* The records are gone when this returns. */
static void on_tlsa(void *arg, const struct resolver_answer *answer)
{
    struct buf text;
    buf_init(&text, 100);
    assert_int_equal(answer->tlsa->n, 2);
    struct tlsa_records *copy = tlsa_records_copy(answer->tlsa);
    for (size_t i = 0; i < copy->n; i++)
        tlsa_write(copy, i, &text);
    /* libunbound turns their order now and then. */
    assert_true(strcmp(buf_str(&text), "3 1 1 612 0 2 62") == 0 ||
                strcmp(buf_str(&text), "2 0 2 623 1 1 61") == 0);
    free(copy);
    buf_free(&text);
    on_done(arg, answer);
}

static struct resolver *open_resolver(const char *anchor, const char *hosts)
{
    struct resolver *resolver;
    struct error err;
    const char *servers[] = {dns.server.address};
    struct resolver_settings settings = {servers, 1, anchor, hosts};
    assert_int_equal(resolver_open(dns.base, &settings, &resolver, &err), STATUS_OK);
    return resolver;
}

static struct resolver_answer *ask(struct resolver *resolver, bool mx, const char *name, struct got *got)
{
    struct error err;
    *got = (struct got){0};
    assert_non_null((mx ? resolver_mx : resolver_addresses)(resolver, name, on_done, got, &err));
    assert_false(got->done); /* never from inside the call */
    fixture_run(dns.base, &got->done);
    assert_int_equal(got->calls, 1);
    return &got->answer;
}

static void mx_on_our_loop(void **state)
{
    (void)state;
    struct resolver *resolver = open_resolver(NULL, NULL);
    struct got got;
    struct resolver_answer *answer = ask(resolver, true, "example.org", &got);
    assert_int_equal(answer->state, RESOLVER_FOUND);
    assert_int_equal(answer->n_mx, 3);
    assert_string_equal(answer->mx[0].host, "a.example.org");
    assert_int_equal(answer->mx[0].preference, 10);
    assert_int_equal(answer->mx[1].preference, 20);
    assert_false(answer->secure);
    /* From the cache: the callback of libunbound comes at once, ours does not. */
    answer = ask(resolver, true, "example.org", &got);
    assert_int_equal(answer->n_mx, 3);
    resolver_close(resolver);
}

static void a33_only_an_answer_is_none(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool mx;
        enum resolver_state want;
        bool nxdomain;
    } cases[] = {
        {"null.example", true, RESOLVER_FOUND, false},
        {"none.example", true, RESOLVER_NONE, false},
        {"missing.example", true, RESOLVER_NONE, true},
        {"broken.example", true, RESOLVER_FAILED, false},
        {"refused.example", true, RESOLVER_FAILED, false},
        {"odd.example", true, RESOLVER_FAILED, false},
        {"half.example.org", false, RESOLVER_FAILED, false},
        {"bare.example.org", false, RESOLVER_NONE, false},
        {"four.example.org", false, RESOLVER_FOUND, false},
        {"missing.example", false, RESOLVER_NONE, true},
        {"not a..name", true, RESOLVER_FAILED, false},
    };
    struct resolver *resolver = open_resolver(NULL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct got got;
        struct resolver_answer *answer = ask(resolver, cases[i].mx, cases[i].name, &got);
        if (answer->state != cases[i].want)
            print_message("%s: %s\n", cases[i].name, answer->why);
        assert_int_equal(answer->state, cases[i].want);
        assert_int_equal(answer->nxdomain, cases[i].nxdomain);
        assert_true((answer->state == RESOLVER_FAILED) == (answer->why[0] != '\0'));
        if (strcmp(cases[i].name, "null.example") == 0) {
            assert_int_equal(answer->n_mx, 1);
            assert_string_equal(answer->mx[0].host, "");
        }
    }
    resolver_close(resolver);
}

static void addresses_of_both_families_in_turn(void **state)
{
    (void)state;
    struct resolver *resolver = open_resolver(NULL, NULL);
    struct got got;
    struct resolver_answer *answer = ask(resolver, false, "turns.example.org", &got);
    assert_int_equal(answer->n_addresses, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(answer->addresses[i].ss_family, i % 2 == 0 ? AF_INET6 : AF_INET);
    answer = ask(resolver, false, "a.example.org", &got);
    assert_int_equal(answer->n_addresses, 3);
    assert_int_equal(answer->addresses[0].ss_family, AF_INET6);
    assert_int_equal(answer->addresses[1].ss_family, AF_INET);
    assert_int_equal(answer->addresses[2].ss_family, AF_INET);
    resolver_close(resolver);
}

/* Some servers say nothing to AAAA; that is not to hold up what is there. */
static void a_family_of_which_nothing_is_heard_is_not_waited_for(void **state)
{
    (void)state;
    struct resolver *resolver = open_resolver(NULL, NULL);
    struct got got;
    int64_t start = clock_mono_ms();
    struct resolver_answer *answer = ask(resolver, false, "quiet.example.org", &got);
    assert_int_equal(answer->state, RESOLVER_FOUND);
    assert_int_equal(answer->n_addresses, 1);
    assert_true(clock_mono_ms() - start < 15000);
    resolver_close(resolver);
}

static void hosts_file_is_used(void **state)
{
    (void)state;
    char dir[] = "/tmp/sgdnsXXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/hosts", dir);
    FILE *f = fopen(path, "w");
    fputs("127.0.0.9 relay.example.org\n", f);
    fclose(f);
    struct resolver *resolver = open_resolver(NULL, path);
    struct got got;
    struct resolver_answer *answer = ask(resolver, false, "relay.example.org", &got);
    assert_int_equal(answer->state, RESOLVER_FOUND);
    assert_int_equal(((struct sockaddr_in *)&answer->addresses[0])->sin_addr.s_addr, inet_addr("127.0.0.9"));
    resolver_close(resolver);
    fixture_remove(dir);
}

static void a33_unsigned_under_an_anchor_is_a_failure(void **state)
{
    (void)state;
    if (access(ROOT_KEY, R_OK) != 0)
        skip(); /* package dns-root-data */
    struct resolver *resolver = open_resolver(ROOT_KEY, NULL);
    struct got got;
    assert_int_equal(ask(resolver, true, "example.org", &got)->state, RESOLVER_FAILED);
    assert_int_equal(ask(resolver, true, "missing.example", &got)->state, RESOLVER_FAILED);
    resolver_close(resolver);
}

static void a33_missing_anchor_is_a_failure(void **state)
{
    (void)state;
    struct resolver *resolver;
    struct error err;
    const char *servers[] = {dns.server.address};
    struct resolver_settings settings = {servers, 1, "/nonexistent/root.key", NULL};
    if (resolver_open(dns.base, &settings, &resolver, &err) != STATUS_OK)
        return;
    struct got got;
    assert_int_equal(ask(resolver, true, "example.org", &got)->state, RESOLVER_FAILED);
    resolver_close(resolver);
}

static void on_txt(void *arg, const struct resolver_answer *answer)
{
    if (answer->state == RESOLVER_FOUND) {
        bool whole = false;
        assert_int_equal(answer->txt->n, 3);
        for (size_t i = 0; i < 3; i++)
            whole = whole || span_eq(txt_data(answer->txt, i), span_str("v=STSv1; id=1"));
        assert_true(whole);
    }
    on_done(arg, answer);
}

static void txt_records_are_put_together(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum resolver_state want;
    } cases[] = {{"txt.example", RESOLVER_FOUND},
                 {"no-txt.example", RESOLVER_NONE},
                 {"missing.example", RESOLVER_NONE},
                 {"bad-txt.example", RESOLVER_FAILED}};
    struct resolver *resolver = open_resolver(NULL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error err;
        struct got got = {0};
        assert_non_null(resolver_txt(resolver, cases[i].name, on_txt, &got, &err));
        fixture_run(dns.base, &got.done);
        assert_int_equal(got.answer.state, cases[i].want);
    }
    resolver_close(resolver);
}

static void cancelled_queries_stay_quiet(void **state)
{
    (void)state;
    struct resolver *resolver = open_resolver(NULL, NULL);
    struct error err;
    struct got got = {0}, other = {0};
    /* One whose answer comes later, one never answered, one left to resolver_close. */
    resolver_cancel(resolver_mx(resolver, "example.org", on_done, &got, &err));
    resolver_cancel(resolver_mx(resolver, "silent.example", on_done, &got, &err));
    assert_non_null(resolver_mx(resolver, "silent.example", on_done, &got, &err));
    ask(resolver, true, "none.example", &other);
    assert_int_equal(got.calls, 0);
    resolver_close(resolver);
    event_base_loop(dns.base, EVLOOP_NONBLOCK);
    assert_int_equal(got.calls, 0);
}

static void damaged_packets_are_refused(void **state)
{
    (void)state;
    unsigned char packet[512] = {0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0, ns_t_mx, 0, 1};
    size_t len = dns_put_record(packet, 19, ns_t_mx, "10 mx.example.org");
    packet[7] = 1;
    struct error err;
    struct resolver_answer answer = {0};
    assert_int_equal(dns_answer_mx(span_of(packet, len), &answer, &err), STATUS_OK);
    assert_int_equal(answer.n_mx, 1);
    for (size_t cut = 0; cut < len; cut++) {
        unsigned char *exact = malloc(cut ? cut : 1);
        memcpy(exact, packet, cut);
        answer = (struct resolver_answer){0};
        assert_int_equal(dns_answer_mx(span_of(exact, cut), &answer, &err), STATUS_INVALID);
        free(exact);
    }
}

static void too_many_mx_keep_the_best(void **state)
{
    (void)state;
    unsigned char packet[4000] = {0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0, ns_t_mx, 0, 1};
    size_t len = 19;
    char text[64];
    for (int i = 60; i > 0; i--, packet[7]++) {
        snprintf(text, sizeof text, "%d mx%d.example.org", i, i);
        len = dns_put_record(packet, len, ns_t_mx, text);
    }
    struct error err;
    struct resolver_answer answer = {0};
    assert_int_equal(dns_answer_mx(span_of(packet, len), &answer, &err), STATUS_OK);
    assert_int_equal(answer.n_mx, RESOLVER_MX_MAX);
    for (int i = 0; i < RESOLVER_MX_MAX; i++)
        assert_int_equal(answer.mx[i].preference, i + 1);
}

/* ---- TLSA ---- */

static const unsigned char tlsa_question[19] = {0, 1, 0x81, 0x80, 0,   1, 0,         0, 0,
                                                0, 0, 0,    1,    'x', 0, ns_t_tlsa, 0, 1};

static void tlsa_records_are_read_as_they_are(void **state)
{
    (void)state;
    struct resolver *resolver = open_resolver(NULL, NULL);
    struct got got = {0};
    struct error err;
    assert_non_null(resolver_tlsa(resolver, "a.example.org", 25, on_tlsa, &got, &err));
    fixture_run(dns.base, &got.done);
    assert_int_equal(got.answer.state, RESOLVER_FOUND);
    assert_false(got.answer.secure);
    got = (struct got){0};
    assert_non_null(resolver_tlsa(resolver, "b.example.org", 25, on_done, &got, &err));
    fixture_run(dns.base, &got.done);
    assert_int_equal(got.answer.state, RESOLVER_NONE);
    got = (struct got){0};
    assert_non_null(resolver_tlsa(resolver, "c.example.org", 25, on_done, &got, &err));
    fixture_run(dns.base, &got.done);
    assert_int_equal(got.answer.state, RESOLVER_FAILED);
    resolver_close(resolver);
}

static void damaged_tlsa_is_a_failure_and_not_none(void **state)
{
    (void)state;
    unsigned char packet[512];
    struct tlsa_records *found;
    struct error err;
    memcpy(packet, tlsa_question, sizeof tlsa_question);
    size_t len = dns_put_record(packet, sizeof tlsa_question, ns_t_tlsa, "3 1 1 x");
    packet[7] = 1;
    assert_int_equal(dns_answer_tlsa(span_of(packet, len), &found, &err), STATUS_OK);
    assert_int_equal(found->n, 1);
    free(found);
    for (size_t cut = 0; cut < len; cut++) {
        unsigned char *exact = malloc(cut ? cut : 1);
        memcpy(exact, packet, cut);
        assert_int_equal(dns_answer_tlsa(span_of(exact, cut), &found, &err), STATUS_INVALID);
        assert_null(found);
        free(exact);
    }
}

/* RFC 7672 §2.1: a record of two bytes is one that cannot be used; the one beside it can. */
static void a_malformed_tlsa_record_spoils_no_other(void **state)
{
    (void)state;
    unsigned char packet[512];
    struct tlsa_records *found;
    struct error err;
    memcpy(packet, tlsa_question, sizeof tlsa_question);
    size_t first = sizeof tlsa_question;
    size_t second = dns_put_record(packet, first, ns_t_tlsa, "3 1 1 x") - 2;
    packet[first + 11] = 2;
    size_t len = dns_put_record(packet, second, ns_t_tlsa, "3 1 1 x");
    for (size_t n = 1; n <= 2; n++) {
        packet[7] = (unsigned char)n;
        assert_int_equal(dns_answer_tlsa(span_of(packet, n == 1 ? second : len), &found, &err), STATUS_OK);
        assert_int_equal(found->n, n);
        assert_int_equal(found->items[0].usage, 255);
        assert_int_equal(found->items[0].len, 0);
        if (n == 2)
            assert_int_equal(found->items[1].usage, 3);
        free(found);
    }
}

static void too_many_tlsa_are_not_understood(void **state)
{
    (void)state;
    unsigned char packet[4000];
    struct tlsa_records *found;
    struct error err;
    memcpy(packet, tlsa_question, sizeof tlsa_question);
    size_t len = sizeof tlsa_question;
    for (packet[7] = 0; packet[7] < TLSA_RECORDS_MAX; packet[7]++)
        len = dns_put_record(packet, len, ns_t_tlsa, "3 1 1 x");
    assert_int_equal(dns_answer_tlsa(span_of(packet, len), &found, &err), STATUS_OK);
    assert_int_equal(found->n, TLSA_RECORDS_MAX);
    assert_int_equal(found->data_len, TLSA_RECORDS_MAX);
    free(found);
    len = dns_put_record(packet, len, ns_t_tlsa, "3 1 1 x");
    packet[7]++;
    assert_int_equal(dns_answer_tlsa(span_of(packet, len), &found, &err), STATUS_LIMIT);
    assert_null(found);
}

static void cnames_are_followed_to_their_end(void **state)
{
    (void)state;
    unsigned char packet[512];
    char name[DNS_NAME_SIZE];
    memcpy(packet, tlsa_question, sizeof tlsa_question);
    size_t len = dns_put_record(packet, sizeof tlsa_question, ns_t_cname, "real.example.org");
    packet[7] = 1;
    dns_answer_canonical(span_of(packet, len), name);
    assert_string_equal(name, "real.example.org");
    packet[7] = 0;
    dns_answer_canonical(span_of(packet, sizeof tlsa_question), name);
    assert_string_equal(name, "x");
    /* A loop ends. */
    len = dns_put_record(packet, sizeof tlsa_question, ns_t_cname, "x");
    packet[7] = 1;
    dns_answer_canonical(span_of(packet, len), name);
    assert_string_equal(name, "x");
    len = dns_put_record(packet, sizeof tlsa_question, ns_t_cname, "a b.example");
    dns_answer_canonical(span_of(packet, len), name);
    assert_string_equal(name, "");
}

static int setup(void **state)
{
    (void)state;
    dns.base = event_base_new();
    dns_server_start(&dns.server, dns.base, records, sizeof records / sizeof records[0]);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dns_server_stop(&dns.server);
    event_base_free(dns.base);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mx_on_our_loop),
        cmocka_unit_test(a33_only_an_answer_is_none),
        cmocka_unit_test(addresses_of_both_families_in_turn),
        cmocka_unit_test(a_family_of_which_nothing_is_heard_is_not_waited_for),
        cmocka_unit_test(hosts_file_is_used),
        cmocka_unit_test(a33_unsigned_under_an_anchor_is_a_failure),
        cmocka_unit_test(a33_missing_anchor_is_a_failure),
        cmocka_unit_test(tlsa_records_are_read_as_they_are),
        cmocka_unit_test(damaged_tlsa_is_a_failure_and_not_none),
        cmocka_unit_test(a_malformed_tlsa_record_spoils_no_other),
        cmocka_unit_test(too_many_tlsa_are_not_understood),
        cmocka_unit_test(cnames_are_followed_to_their_end),
        cmocka_unit_test(txt_records_are_put_together),
        cmocka_unit_test(cancelled_queries_stay_quiet),
        cmocka_unit_test(damaged_packets_are_refused),
        cmocka_unit_test(too_many_mx_keep_the_best),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
