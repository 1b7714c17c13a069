/* The walk over a route's hosts and addresses, with a resolver and clients that do as the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/delivery/destination.h"

#define OPENS_MAX 8

enum act {
    TAKE,         /* the message */
    PUT_OFF,      /* it: 4xx */
    LACK,         /* what it needs */
    FAIL_AT_ONCE, /* client_open returns NULL */
    TLS_TROUBLE,
    NO_TLS, /* that would do */
    BREAK,
    REFUSE,
};

static struct {
    struct event_base *base;
    const enum act *acts;      /* of the connections, in order */
    size_t addresses[2];       /* that hosts a and b have */
    char opens[OPENS_MAX * 8]; /* "a a* b ": the hosts connected to, "*": in clear */
    size_t n_opens;
    char match_name[64]; /* that the last connection demanded */
    char words[200];     /* and the whole demand */
    bool done;
} world;

/* ---- in place of client.c ---- */

struct client {
    const struct client_handler *handler;
    void *arg;
    enum act act;
};

static void soon(event_callback_fn fn, void *arg)
{
    struct timeval now = {0};
    assert_int_equal(event_base_once(world.base, -1, EV_TIMEOUT, fn, arg, &now), 0);
}

static void end_with(struct client *c, enum failure_class failure, enum client_trouble trouble,
                     const char *status)
{
    struct result why;
    outcome_local(&why, failure, status, "as the test wants");
    c->handler->on_end(c->arg, &why, trouble);
    free(c);
}

static void end(struct client *c, enum failure_class failure, enum client_trouble trouble)
{
    end_with(c, failure, trouble, "4.4.2");
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct client *c = arg;
    if (c->act == TLS_TROUBLE)
        end(c, FAILURE_CONNECTION, CLIENT_TROUBLE_TLS);
    else if (c->act == NO_TLS)
        end_with(c, FAILURE_CONNECTION, CLIENT_TROUBLE, "4.7.5");
    else if (c->act == BREAK)
        end(c, FAILURE_CONNECTION, CLIENT_TROUBLE);
    else if (c->act == REFUSE)
        end(c, FAILURE_REFUSED, CLIENT_TROUBLE);
    else
        c->handler->on_ready(c->arg);
}

struct client *client_open(struct event_base *base, const struct client_settings *settings,
                           const struct client_target *target, const struct client_handler *handler,
                           void *arg, struct error *err)
{
    (void)base, (void)settings;
    assert_true(world.n_opens < OPENS_MAX);
    size_t len = strlen(world.opens);
    snprintf(world.opens + len, sizeof world.opens - len, "%.1s%s ", target->host, target->clear ? "*" : "");
    snprintf(world.match_name, sizeof world.match_name, "%s",
             target->demand.match_name ? target->demand.match_name : "");
    tls_demand_words(&target->demand, world.words, sizeof world.words);
    enum act act = world.acts[world.n_opens++];
    if (act == FAIL_AT_ONCE) {
        error_set(err, STATUS_TEMPORARY, "the network is unreachable");
        return NULL;
    }
    struct client *c = calloc(1, sizeof *c);
    *c = (struct client){handler, arg, act};
    soon(on_turn, c);
    return c;
}

static void on_delivered(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct client *c = arg;
    c->handler->on_sent(c->arg);
}

void client_deliver(struct client *c, struct transaction *t)
{
    struct result result;
    if (c->act == PUT_OFF)
        outcome_local(&result, FAILURE_TEMPORARY, "4.3.1", "no room");
    else if (c->act == LACK)
        outcome_local(&result, FAILURE_PERMANENT, "5.3.4", "too large");
    else
        outcome_local(&result, FAILURE_NONE, "2.0.0", "250 taken");
    if (c->act == TAKE)
        transaction_fail(t, &result, NULL);
    else
        transaction_put_off_all(t, &result, NULL);
    soon(on_delivered, c);
}

bool client_fell_back(const struct client *c)
{
    (void)c;
    return false;
}

void client_idle(struct client *c, int64_t in_ms)
{
    (void)c, (void)in_ms;
}

void client_quit(struct client *c)
{
    free(c);
}

void client_abort(struct client *c)
{
    free(c);
}

/* ---- in place of resolver.c ---- */

static bool mx_is_secure; /* by DNSSEC */

struct resolver_query {
    resolver_done_fn *done;
    void *arg;
    struct resolver_answer answer;
};

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct resolver_query *query = arg;
    query->done(query->arg, &query->answer);
    free(query);
}

static struct resolver_query *ask(resolver_done_fn *done, void *arg)
{
    struct resolver_query *query = calloc(1, sizeof *query);
    query->done = done;
    query->arg = arg;
    query->answer.state = RESOLVER_FOUND;
    soon(on_answer, query);
    return query;
}

struct resolver_query *resolver_mx(struct resolver *resolver, const char *domain, resolver_done_fn *done,
                                   void *arg, struct error *err)
{
    (void)resolver, (void)domain, (void)err;
    struct resolver_query *query = ask(done, arg);
    query->answer.mx[0] = (struct resolver_mx){10, "a.example.com"};
    query->answer.mx[1] = (struct resolver_mx){20, "b.example.com"};
    query->answer.n_mx = 2;
    query->answer.secure = mx_is_secure;
    return query;
}

struct resolver_query *resolver_addresses(struct resolver *resolver, const char *host, resolver_done_fn *done,
                                          void *arg, struct error *err)
{
    (void)resolver, (void)err;
    struct resolver_query *query = ask(done, arg);
    query->answer.n_addresses = world.addresses[host[0] - 'a'];
    for (size_t i = 0; i < query->answer.n_addresses; i++)
        query->answer.addresses[i].ss_family = AF_INET;
    return query;
}

struct resolver_query *resolver_tlsa(struct resolver *resolver, const char *host, uint16_t port,
                                     resolver_done_fn *done, void *arg, struct error *err)
{
    (void)resolver, (void)host, (void)port, (void)done, (void)arg, (void)err;
    fail_msg("nobody asked for DANE");
    return NULL;
}

struct resolver_query *resolver_txt(struct resolver *resolver, const char *name, resolver_done_fn *done,
                                    void *arg, struct error *err)
{
    (void)resolver, (void)name, (void)done, (void)arg;
    error_set(err, STATUS_INTERNAL, "MTA-STS is off here");
    return NULL;
}

struct resolver_query *resolver_root_keys(struct resolver *resolver, resolver_done_fn *done, void *arg,
                                          struct error *err)
{
    return resolver_tlsa(resolver, NULL, 0, done, arg, err);
}

void resolver_cancel(struct resolver_query *query)
{
    (void)query;
    fail_msg("nothing is cancelled here");
}

/* ---- tests ---- */

static void on_done(void *arg, struct transaction *t)
{
    (void)arg;
    world.done = true;
    transaction_free(t);
}

static void on_progress(void *arg)
{
    (void)arg;
}

static struct result deliver_mail(const struct mail *mail, const enum act *acts, size_t a, size_t b)
{
    static const struct destination_settings settings = {
        .route = {.route = "mx", .mx_port = 25, .hostname = "gw.example.net"},
        .tls = {.level = TLS_LEVEL_MAY},
        .per_destination = 1,
        .deliveries_per_connection = 1};
    const struct lease_recipient lease = {.id = 1, .address = (char[]){"bob@example.com"}};
    struct recipient recipient = {.lease = &lease};
    struct recipient *recipients[] = {&recipient};
    struct error err;
    memset(&world, 0, sizeof world);
    world.acts = acts;
    world.addresses[0] = a;
    world.addresses[1] = b;
    world.base = event_base_new();
    struct destinations *d = destinations_new(world.base, NULL, NULL, &settings, &err);
    assert_non_null(d);
    struct transaction *t = transaction_new(mail, recipients, 1);
    t->on_done = on_done;
    t->on_progress = on_progress;
    assert_int_equal(destinations_submit(d, "example.com", t, &err), STATUS_OK);
    alarm(20);
    while (!world.done)
        assert_int_equal(event_base_loop(world.base, EVLOOP_ONCE), 0);
    alarm(0);
    destinations_free(d);
    event_base_free(world.base);
    assert_true(recipient.done);
    recipient_free(&recipient);
    return recipient.result;
}

static struct result deliver_as(bool requiretls, const enum act *acts, size_t a, size_t b)
{
    const struct mail mail = {.id = "x", .reverse_path = "alice@example.org", .requiretls = requiretls};
    return deliver_mail(&mail, acts, a, b);
}

static struct result deliver(const enum act *acts, size_t a, size_t b)
{
    return deliver_as(false, acts, a, b);
}

/* "may" goes on in clear with the address where TLS failed, and with no other (A3). */
static void a3_clear_is_for_one_address_only(void **state)
{
    (void)state;
    static const struct {
        enum act acts[OPENS_MAX];
        size_t a, b;
        const char *opens;
    } cases[] = {
        {{TAKE}, 1, 1, "a "},
        {{TLS_TROUBLE, TAKE}, 1, 1, "a a* "},
        {{TLS_TROUBLE, BREAK, TAKE}, 1, 1, "a a* b "},
        {{TLS_TROUBLE, FAIL_AT_ONCE, TAKE}, 1, 1, "a a* b "},
        {{TLS_TROUBLE, FAIL_AT_ONCE, TAKE}, 2, 1, "a a* a "},
        {{TLS_TROUBLE, FAIL_AT_ONCE, TLS_TROUBLE, TAKE}, 1, 1, "a a* b b* "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result result = deliver(cases[i].acts, cases[i].a, cases[i].b);
        assert_string_equal(world.opens, cases[i].opens);
        assert_int_equal(result.failure, FAILURE_NONE);
    }
}

/* Without a host that was reached nobody has the message, whatever the resolver said. */
static void r1_no_address_to_try_is_not_delivered(void **state)
{
    (void)state;
    static const struct {
        enum act acts[OPENS_MAX];
        size_t a, b;
        enum delivery_outcome want;
    } cases[] = {
        {{0}, 0, 0, OUTCOME_DEFERRED},
        {{REFUSE}, 1, 0, OUTCOME_DEFERRED},
        {{REFUSE}, 0, 1, OUTCOME_DEFERRED},
        {{BREAK}, 0, 1, OUTCOME_DEFERRED},
        {{REFUSE, REFUSE}, 1, 1, OUTCOME_BOUNCED},
        {{TAKE}, 0, 1, OUTCOME_DELIVERED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result result = deliver(cases[i].acts, cases[i].a, cases[i].b);
        assert_int_equal(outcome_decide(&result, 0, 1), cases[i].want);
        assert_true(result.text[0]);
    }
}

/* RFC 5321 §5.1: another host may do better; "never" stands when all that are to be preferred say so. */
static void one_host_s_word_is_not_the_route_s(void **state)
{
    (void)state;
    static const struct {
        enum act acts[OPENS_MAX];
        enum delivery_outcome want;
        const char *opens;
        const char *status;
    } cases[] = {
        {{PUT_OFF, TAKE}, OUTCOME_DELIVERED, "a b ", "2.0.0"},
        {{PUT_OFF, PUT_OFF}, OUTCOME_DEFERRED, "a b ", "4.3.1"},
        {{PUT_OFF, BREAK}, OUTCOME_DEFERRED, "a b ", "4.3.1"},
        {{PUT_OFF, LACK}, OUTCOME_DEFERRED, "a b ", "4.3.1"},
        {{BREAK, PUT_OFF}, OUTCOME_DEFERRED, "a b ", "4.3.1"},
        {{LACK, TAKE}, OUTCOME_DELIVERED, "a b ", "2.0.0"},
        {{LACK, PUT_OFF}, OUTCOME_DEFERRED, "a b ", "4.3.1"},
        {{LACK, LACK}, OUTCOME_BOUNCED, "a b ", "5.3.4"},
        {{LACK, BREAK}, OUTCOME_BOUNCED, "a b ", "5.3.4"},
        {{BREAK, LACK}, OUTCOME_DEFERRED, "a b ", "4.3.4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result result = deliver(cases[i].acts, 1, 1);
        assert_string_equal(world.opens, cases[i].opens);
        assert_int_equal(outcome_decide(&result, 0, 1), cases[i].want);
        assert_string_equal(result.status, cases[i].status);
    }
}

/* RFC 8689 §4.2.1: what one address of a host says for good is the host's word; another host's silence is
 * not, for it might have said yes. And never in clear. */
static void requiretls_is_refused_by_hosts_not_by_addresses(void **state)
{
    (void)state;
    static const struct {
        enum act acts[OPENS_MAX];
        size_t a, b;
        enum delivery_outcome want;
        const char *opens;
    } cases[] = {
        {{BREAK, REFUSE, REFUSE}, 2, 1, OUTCOME_BOUNCED, "a a b "},
        {{REFUSE, FAIL_AT_ONCE, REFUSE}, 2, 1, OUTCOME_BOUNCED, "a a b "},
        {{REFUSE, BREAK}, 1, 1, OUTCOME_DEFERRED, "a b "},
        {{BREAK, REFUSE}, 1, 1, OUTCOME_DEFERRED, "a b "},
        {{BREAK, REFUSE, TAKE}, 2, 1, OUTCOME_DELIVERED, "a a b "},
        {{TLS_TROUBLE, TLS_TROUBLE}, 1, 1, OUTCOME_DEFERRED, "a b "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result result = deliver_as(true, cases[i].acts, cases[i].a, cases[i].b);
        assert_string_equal(world.opens, cases[i].opens);
        assert_int_equal(outcome_decide(&result, 0, 1), cases[i].want);
    }
    /* Other mail waits for the address that did not answer. */
    struct result result = deliver((const enum act[]){BREAK, REFUSE, REFUSE}, 2, 1);
    assert_int_equal(outcome_decide(&result, 0, 1), OUTCOME_DEFERRED);
}

/* RFC 8689 §4.2.1: the certificate is for the MX host only where DNSSEC vouches for the MX records. */
static void requiretls_and_the_name_in_the_certificate(void **state)
{
    (void)state;
    static const enum act acts[OPENS_MAX] = {TAKE};
    deliver_as(true, acts, 1, 1);
    assert_string_equal(world.match_name, "example.com");
    mx_is_secure = true;
    deliver_as(true, acts, 1, 1);
    assert_string_equal(world.match_name, "a.example.com");
    deliver_as(false, acts, 1, 1);
    assert_string_equal(world.match_name, ""); /* "may" looks at none */
    mx_is_secure = false;
}

/* ---- what a rule demands ---- */

static const struct mail guarded = {
    .id = "x", .reverse_path = "alice@example.org", .rule = {TLS_LEVEL_SECURE, "confidential"}};

/* Where "may" would go on in clear, such mail does not; and what is told is the TLS it lacks. */
static void a3_what_a_rule_guards_never_goes_clear(void **state)
{
    (void)state;
    static const struct {
        enum act acts[OPENS_MAX];
        size_t a, b;
        const char *opens, *status;
    } cases[] = {
        {{TLS_TROUBLE, BREAK}, 1, 1, "a b ", "4.4.2"},
        {{NO_TLS, BREAK}, 1, 1, "a b ", "4.7.5"},
        {{BREAK, NO_TLS, BREAK, BREAK}, 2, 2, "a a b b ", "4.7.5"},
        {{NO_TLS, REFUSE}, 1, 1, "a b ", "4.7.5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result result = deliver_mail(&guarded, cases[i].acts, cases[i].a, cases[i].b);
        assert_string_equal(world.opens, cases[i].opens);
        assert_string_equal(world.words, "level secure by rule \"confidential\"");
        assert_string_equal(world.match_name, "example.com");
        assert_string_equal(result.status, cases[i].status);
        assert_int_equal(outcome_decide(&result, 0, 1), OUTCOME_DEFERRED);
    }
    /* Of other mail the last host speaks. */
    assert_string_equal(deliver((const enum act[]){NO_TLS, BREAK}, 1, 1).status, "4.4.2");
    /* A host that has it gets it. */
    assert_int_equal(deliver_mail(&guarded, (const enum act[]){NO_TLS, TAKE}, 1, 1).failure, FAILURE_NONE);
}

/* A connection is as private as its first mail demanded, by the rule that it names. */
static void a3_connections_are_not_shared_across_rules(void **state)
{
    (void)state;
    static const struct destination_settings settings = {
        .route = {.route = "mx", .mx_port = 25, .hostname = "gw.example.net"},
        .tls = {.level = TLS_LEVEL_MAY},
        .per_destination = 1,
        .deliveries_per_connection = 10};
    static const struct {
        struct tls_rule rule;
        size_t opens; /* so many connections up to now */
    } mails[] = {
        {{TLS_LEVEL_NONE, "default"}, 1}, {{TLS_LEVEL_NONE, "other"}, 1}, {{TLS_LEVEL_SECURE, "one"}, 2},
        {{TLS_LEVEL_SECURE, "one"}, 2},   {{TLS_LEVEL_SECURE, "two"}, 3}, {{TLS_LEVEL_ENCRYPT, "one"}, 4},
        {{TLS_LEVEL_NONE, NULL}, 4},
    };
    static const enum act acts[OPENS_MAX] = {TAKE};
    struct error err;
    memset(&world, 0, sizeof world);
    world.acts = acts;
    world.addresses[0] = world.addresses[1] = 1;
    world.base = event_base_new();
    struct destinations *d = destinations_new(world.base, NULL, NULL, &settings, &err);
    alarm(20);
    for (size_t i = 0; i < sizeof mails / sizeof mails[0]; i++) {
        char name[20] = "";
        if (mails[i].rule.name)
            strcpy(name, mails[i].rule.name);
        const struct lease_recipient lease = {.id = 1, .address = (char[]){"bob@example.com"}};
        const struct mail mail = {.id = "x",
                                  .reverse_path = "alice@example.org",
                                  .rule = {mails[i].rule.level, mails[i].rule.name ? name : NULL}};
        struct recipient recipient = {.lease = &lease};
        struct recipient *recipients[] = {&recipient};
        struct transaction *t = transaction_new(&mail, recipients, 1);
        t->on_done = on_done;
        world.done = false;
        assert_int_equal(destinations_submit(d, "example.com", t, &err), STATUS_OK);
        memset(name, 'x', sizeof name - 1); /* the mail is not to be looked at behind its end */
        while (!world.done)
            assert_int_equal(event_base_loop(world.base, EVLOOP_ONCE), 0);
        assert_int_equal(world.n_opens, mails[i].opens);
        recipient_free(&recipient);
    }
    alarm(0);
    destinations_free(d);
    event_base_free(world.base);
}

/* Behind one smarthost, what is asked for one domain alone holds for it alone, once it is known what the rule
 * finds. */
static void a3_a_rule_makes_no_two_domains_alike(void **state)
{
    (void)state;
    static const struct tls_policy policies[] = {{"strict.example", TLS_LEVEL_VERIFY}};
    static const struct destination_settings settings = {
        .route = {.route = "[smart.example]:25", .hostname = "gw.example.net"},
        .tls = {.level = TLS_LEVEL_MAY, .policies = policies, .n_policies = 1}};
    struct error err;
    world.base = event_base_new();
    struct destinations *d = destinations_new(world.base, NULL, NULL, &settings, &err);
    for (enum tls_level level = TLS_LEVEL_NONE; level <= TLS_LEVEL_SECURE; level++) {
        const struct mail mail = {.id = "x", .reverse_path = "", .rule = {level, "rule"}};
        assert_false(destinations_same(d, &mail, "strict.example", "else.example"));
        assert_true(destinations_same(d, &mail, "other.example", "else.example"));
    }
    destinations_free(d);
    event_base_free(world.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a3_clear_is_for_one_address_only),
        cmocka_unit_test(r1_no_address_to_try_is_not_delivered),
        cmocka_unit_test(one_host_s_word_is_not_the_route_s),
        cmocka_unit_test(requiretls_is_refused_by_hosts_not_by_addresses),
        cmocka_unit_test(requiretls_and_the_name_in_the_certificate),
        cmocka_unit_test(a3_what_a_rule_guards_never_goes_clear),
        cmocka_unit_test(a3_connections_are_not_shared_across_rules),
        cmocka_unit_test(a3_a_rule_makes_no_two_domains_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
