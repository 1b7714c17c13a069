#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/delivery/outcome.h"

#define NOW 1000
#define YOUNG 2000
#define OLD 1000

static void reply(struct result *r, const char *line,
                  void (*read)(struct result *, const struct reply_parser *))
{
    struct reply_parser p;
    struct error err;
    size_t taken;
    bool done;
    reply_parse_start(&p);
    assert_int_equal(reply_parse(&p, span_str(line), &taken, &done, &err), STATUS_OK);
    assert_true(done);
    read(r, &p);
}

static void replies_become_outcomes(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum delivery_outcome young, old;
        const char *status;
    } cases[] = {
        {"250 2.0.0 OK\r\n", OUTCOME_DELIVERED, OUTCOME_DELIVERED, "2.0.0"},
        {"251 forwarded\r\n", OUTCOME_DELIVERED, OUTCOME_DELIVERED, "2.0.0"},
        {"354 go\r\n", OUTCOME_DEFERRED, OUTCOME_BOUNCED, "2.0.0"},
        {"450 4.2.1 later\r\n", OUTCOME_DEFERRED, OUTCOME_BOUNCED, "4.2.1"},
        {"454 5.7.1 odd\r\n", OUTCOME_DEFERRED, OUTCOME_BOUNCED, "4.0.0"},
        {"421 bye\r\n", OUTCOME_DEFERRED, OUTCOME_BOUNCED, "4.0.0"},
        {"452 4.5.3 too many\r\n", OUTCOME_DEFERRED, OUTCOME_BOUNCED, "4.5.3"},
        {"550 5.1.1 nobody\r\n", OUTCOME_BOUNCED, OUTCOME_BOUNCED, "5.1.1"},
        {"554 no\r\n", OUTCOME_BOUNCED, OUTCOME_BOUNCED, "5.0.0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result r;
        reply(&r, cases[i].line, outcome_reply);
        assert_string_equal(r.status, cases[i].status);
        assert_memory_equal(r.text, cases[i].line, strlen(cases[i].line) - 2);
        assert_int_equal(outcome_decide(&r, NOW, YOUNG), cases[i].young);
        assert_int_equal(outcome_decide(&r, NOW, OLD), cases[i].old);
    }
}

/* Every 4xx there is, at every place where one can come. */
static void no_4xx_is_a_bounce(void **state)
{
    (void)state;
    for (int code = 400; code < 500; code++) {
        char line[32];
        struct result r;
        snprintf(line, sizeof line, "%d 5.0.0 x\r\n", code);
        reply(&r, line, outcome_reply);
        assert_int_equal(outcome_decide(&r, NOW, YOUNG), OUTCOME_DEFERRED);
        reply(&r, line, outcome_session_reply);
        assert_int_equal(outcome_decide(&r, NOW, YOUNG), OUTCOME_DEFERRED);
    }
}

static void our_own_failures(void **state)
{
    (void)state;
    static const struct {
        enum failure_class failure;
        enum delivery_outcome young, old;
    } cases[] = {
        {FAILURE_TEMPORARY, OUTCOME_DEFERRED, OUTCOME_BOUNCED},
        {FAILURE_CONNECTION, OUTCOME_DEFERRED, OUTCOME_BOUNCED},
        {FAILURE_PERMANENT, OUTCOME_BOUNCED, OUTCOME_BOUNCED},
        {FAILURE_REFUSED, OUTCOME_BOUNCED, OUTCOME_BOUNCED},
        {FAILURE_RETURN, OUTCOME_BOUNCED, OUTCOME_BOUNCED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result r;
        outcome_local(&r, cases[i].failure, "4.4.1", "connection\r\nrefused");
        assert_string_equal(r.text, "connection\\x0d\\x0arefused");
        assert_int_equal(outcome_decide(&r, NOW, YOUNG), cases[i].young);
        assert_string_equal(r.status, "4.4.1");
        assert_int_equal(outcome_decide(&r, NOW, OLD), cases[i].old);
        bool expired = cases[i].young == OUTCOME_DEFERRED;
        assert_string_equal(r.status, expired ? "4.4.7" : "4.4.1");
        assert_true(!expired || strstr(r.text, "in time"));
    }
}

/* A result that nobody set says nothing, least of all that the next hop has the message. */
static void r1_an_unset_result_is_not_delivered(void **state)
{
    (void)state;
    struct result r = {0};
    assert_int_equal(outcome_decide(&r, NOW, YOUNG), OUTCOME_DEFERRED);
    assert_true(r.text[0] && r.status[0] == '4');
    r = (struct result){0};
    assert_int_equal(outcome_decide(&r, NOW, OLD), OUTCOME_BOUNCED);
    assert_string_equal(r.status, "4.4.7");
}

/* Told again after the telling failed, an outcome is the same. */
static void decided_once_is_decided(void **state)
{
    (void)state;
    struct result r, before;
    outcome_local(&r, FAILURE_TEMPORARY, "4.2.1", "later");
    assert_int_equal(outcome_decide(&r, NOW, OLD), OUTCOME_BOUNCED);
    before = r;
    assert_int_equal(outcome_decide(&r, NOW, OLD), OUTCOME_BOUNCED);
    assert_string_equal(r.text, before.text);
    assert_string_equal(r.status, before.status);
}

/* One host that may do later outweighs any number that refuse, in any order. */
static void hosts_of_a_route_add_up(void **state)
{
    (void)state;
    static const struct {
        enum failure_class first, second;
        enum delivery_outcome want;
    } cases[] = {
        {FAILURE_REFUSED, FAILURE_REFUSED, OUTCOME_BOUNCED},
        {FAILURE_REFUSED, FAILURE_CONNECTION, OUTCOME_DEFERRED},
        {FAILURE_CONNECTION, FAILURE_REFUSED, OUTCOME_DEFERRED},
        {FAILURE_CONNECTION, FAILURE_CONNECTION, OUTCOME_DEFERRED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result sum = {0}, r;
        outcome_local(&r, cases[i].first, "4.0.0", "first");
        outcome_add_host(&sum, &r);
        outcome_local(&r, cases[i].second, "4.0.0", "second");
        outcome_add_host(&sum, &r);
        assert_int_equal(outcome_decide(&sum, NOW, YOUNG), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_become_outcomes), cmocka_unit_test(no_4xx_is_a_bounce),
        cmocka_unit_test(our_own_failures),        cmocka_unit_test(r1_an_unset_result_is_not_delivered),
        cmocka_unit_test(decided_once_is_decided), cmocka_unit_test(hosts_of_a_route_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
