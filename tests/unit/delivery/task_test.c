/* Leases become outcomes, every recipient of every lease, with a queue and destinations that do as the test
 * says. */
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

#include "base/memfile.h"
#include "gateway/delivery/task.h"

#define COPY 7

static struct {
    struct event_base *base;
    struct tasks *tasks;
    char told[400];      /* "1+ 2- 3! ": recipients told as delivered, deferred, bounced */
    int64_t unstored[8]; /* recipients told of and not stored */
    size_t n_unstored;
    unsigned failures; /* of attach_outcome, still to come */
    unsigned again;    /* calls of attach_again */
    struct transaction *transactions[8];
    size_t n_transactions;
    enum tls_level tls;        /* that the rule of the next lease demands */
    enum delivery_reach reach; /* told last */
} world;

/* ---- in place of attach.c ---- */

enum status attach_outcome(struct attach *attach, const struct queue_outcome *outcome, int dsn_fd,
                           struct error *err)
{
    static const char marks[] = {
        [OUTCOME_DELIVERED] = '+', [OUTCOME_DEFERRED] = '-', [OUTCOME_BOUNCED] = '!'};
    (void)attach;
    if (dsn_fd >= 0)
        close(dsn_fd);
    if (world.failures > 0) {
        world.failures--;
        return error_set(err, STATUS_TEMPORARY, "out of memory for an outcome");
    }
    assert_int_equal(outcome->copy_id, COPY);
    assert_true(outcome->n_recipients > 0);
    for (size_t i = 0; i < outcome->n_recipients; i++) {
        size_t len = strlen(world.told);
        const struct outcome_recipient *r = &outcome->recipients[i];
        assert_true(r->reply && r->reply[0]);
        world.reach = r->reach;
        snprintf(world.told + len, sizeof world.told - len, "%d%c ", (int)r->id, marks[r->outcome]);
        world.unstored[world.n_unstored++] = r->id;
    }
    return STATUS_OK;
}

void attach_again(struct attach *attach)
{
    (void)attach;
    world.again++;
}

bool attach_is_unstored(const struct attach *attach, int64_t copy_id)
{
    (void)attach;
    return copy_id == COPY && world.n_unstored > 0;
}

bool attach_has_unstored(const struct attach *attach, int64_t copy_id, int64_t recipient_id)
{
    (void)attach;
    for (size_t i = 0; i < world.n_unstored; i++)
        if (copy_id == COPY && world.unstored[i] == recipient_id)
            return true;
    return false;
}

/* ---- in place of destination.c ---- */

bool destinations_same(const struct destinations *destinations, const struct mail *mail, const char *a,
                       const char *b)
{
    (void)mail;
    (void)destinations;
    return strcmp(a, b) == 0;
}

enum status destinations_submit(struct destinations *destinations, const char *domain, struct transaction *t,
                                struct error *err)
{
    (void)destinations, (void)domain, (void)err;
    world.transactions[world.n_transactions++] = t;
    return STATUS_OK;
}

/* ---- what the tests share ---- */

static int prepare(void **state)
{
    (void)state;
    static const struct task_settings settings = {.hostname = "gw.example.net"};
    struct error err;
    memset(&world, 0, sizeof world);
    world.base = event_base_new();
    world.tasks = tasks_new(world.base, &settings, NULL, &err);
    assert_non_null(world.tasks);
    return 0;
}

static int clean(void **state)
{
    (void)state;
    tasks_free(world.tasks);
    event_base_free(world.base);
    return 0;
}

/* Recipients by number: number N is nN@example.com, from 5 on at example.net. */
static void lease_of(enum copy_state copy_state, enum copy_format format, const char *numbers)
{
    struct queue_lease lease = {.copy_id = COPY,
                                .message_id = "0123456789abcdefghij",
                                .state = copy_state,
                                .format = format,
                                .reverse_path = strdup("alice@example.org"),
                                .tls = world.tls,
                                .rule = strdup("confidential"),
                                .n_recipients = strlen(numbers)};
    struct error err;
    int fd;
    buf_init(&lease.dsn_header, 0);
    lease.recipients = calloc(lease.n_recipients, sizeof *lease.recipients);
    for (size_t i = 0; i < lease.n_recipients; i++) {
        char address[40];
        snprintf(address, sizeof address, "n%c@example.%s", numbers[i], numbers[i] < '5' ? "com" : "net");
        lease.recipients[i] = (struct lease_recipient){
            .id = numbers[i] - '0', .address = strdup(address), .expires_ms = INT64_MAX};
    }
    assert_int_equal(memfile_from("body", span_str("A: b\r\n\r\nx\r\n"), &fd, &err), STATUS_OK);
    tasks_lease(world.tasks, &lease, fd);
}

static void lease(const char *numbers)
{
    lease_of(COPY_QUEUED, FORMAT_OPENPGP, numbers);
}

static void end(size_t transaction, enum failure_class failure)
{
    struct transaction *t = world.transactions[transaction];
    struct result result = {0};
    if (failure != FAILURE_UNSET)
        outcome_local(&result, failure, failure == FAILURE_NONE ? "2.0.0" : "5.0.0", "as the test wants");
    transaction_fail(t, &result, NULL);
    t->on_done(t->arg, t);
}

static void stored(void)
{
    world.n_unstored = 0;
}

static void told(const char *want)
{
    assert_string_equal(world.told, want);
    world.told[0] = '\0';
}

/* ---- a lease for a copy that is known ---- */

static void r1_what_the_running_task_does_not_tell_of_is_put_off(void **state)
{
    (void)state;
    lease("12");
    lease("12");
    told("");
    lease("132");
    told("3- ");
    lease("3");
    told(""); /* on its way already */
    stored();
    lease("3");
    told("3- "); /* due once more */
    assert_int_equal(world.n_transactions, 1);
    end(0, FAILURE_NONE);
    told("1+ 2+ ");
    assert_true(tasks_is_idle(world.tasks));
}

static void r1_what_the_running_task_has_told_of_is_put_off(void **state)
{
    (void)state;
    lease("15");
    end(0, FAILURE_NONE);
    told("1+ ");
    lease("15");
    told("");
    /* Queue knows of the first and leases it all the same: it was to be returned meanwhile. */
    stored();
    lease_of(COPY_RETURN, FORMAT_OPENPGP, "15");
    told("1- ");
    end(1, FAILURE_CONNECTION);
    told("5- ");
}

static void r1_what_an_unstored_outcome_does_not_tell_of_is_put_off(void **state)
{
    (void)state;
    lease("1");
    end(0, FAILURE_CONNECTION);
    told("1- ");
    assert_true(tasks_is_idle(world.tasks));
    lease("12");
    told("2- ");
    stored();
    lease("12");
    told("");
    assert_int_equal(world.n_transactions, 2);
    end(1, FAILURE_NONE);
    told("1+ 2+ ");
}

static void draining_answers_nothing(void **state)
{
    (void)state;
    lease("1");
    tasks_drain(world.tasks);
    lease("12");
    told("");
    end(0, FAILURE_NONE);
    told("1+ ");
}

/* ---- out of memory ---- */

static void r1_a_lease_that_cannot_be_answered_is_asked_for_again(void **state)
{
    (void)state;
    lease("1");
    world.failures = 1;
    lease("12");
    told("");
    assert_int_equal(world.again, 1);
    lease("12");
    told("2- ");
    assert_int_equal(world.again, 1);
    end(0, FAILURE_NONE);
}

/* Not lost, and not delivered a second time. */
static void r1_an_outcome_that_could_not_be_told_is_told_later(void **state)
{
    (void)state;
    lease("15");
    world.failures = 3;
    end(0, FAILURE_NONE);
    end(1, FAILURE_PERMANENT);
    told("");
    lease("15"); /* reattached meanwhile */
    told("");
    alarm(20);
    while (!tasks_is_idle(world.tasks))
        assert_int_equal(event_base_loop(world.base, EVLOOP_ONCE), 0);
    alarm(0);
    told("1+ 5! ");
    assert_int_equal(world.failures, 0);
    assert_int_equal(world.n_transactions, 2);
}

/* ---- what must not happen ---- */

static void a1_what_is_not_sealed_never_leaves(void **state)
{
    (void)state;
    static const struct {
        enum copy_state state;
        enum copy_format format;
    } cases[] = {{COPY_QUEUED, FORMAT_NONE},      {COPY_QUEUED, 0},
                 {COPY_QUEUED, FORMAT_SMIME + 1}, {COPY_HELD, FORMAT_NONE},
                 {COPY_HELD, FORMAT_OPENPGP},     {0, FORMAT_OPENPGP},
                 {COPY_DELAYED, FORMAT_NONE},     {COPY_DELAYED, FORMAT_OPENPGP}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lease_of(cases[i].state, cases[i].format, "12");
        told("1- 2- ");
        stored();
    }
    assert_int_equal(world.n_transactions, 0);
    lease_of(COPY_RETURN, FORMAT_NONE, "1");
    told("1! ");
    assert_int_equal(world.n_transactions, 0);
}

static void r1_a_result_that_nobody_set_is_put_off(void **state)
{
    (void)state;
    lease("1");
    end(0, FAILURE_UNSET);
    told("1- ");
}

/* Others' mail does not wait because the host lacks what this rule demands; it does when nobody gets there.
 */
static void a_rules_tls_says_nothing_of_the_destination(void **state)
{
    (void)state;
    static const struct {
        enum tls_level tls;
        const char *status;
        enum delivery_reach reach;
    } cases[] = {
        {TLS_LEVEL_NONE, "4.7.4", REACH_NO_PRIVACY}, {TLS_LEVEL_NONE, "4.7.5", REACH_NO_PRIVACY},
        {TLS_LEVEL_SECURE, "4.7.4", REACH_UNKNOWN},  {TLS_LEVEL_ENCRYPT, "4.7.5", REACH_UNKNOWN},
        {TLS_LEVEL_ENCRYPT, "4.4.1", REACH_NO_HOST}, {TLS_LEVEL_NONE, "4.4.1", REACH_NO_HOST},
        {TLS_LEVEL_SECURE, "4.7.8", REACH_NO_HOST},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct result result;
        world.tls = cases[i].tls;
        lease("1");
        struct transaction *t = world.transactions[i];
        assert_int_equal(t->mail->rule.level, cases[i].tls);
        assert_string_equal(t->mail->rule.name, "confidential");
        outcome_local(&result, FAILURE_CONNECTION, cases[i].status, "as the test wants");
        transaction_fail(t, &result, NULL);
        t->on_done(t->arg, t);
        told("1- ");
        assert_int_equal(world.reach, cases[i].reach);
        stored();
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(r1_what_the_running_task_does_not_tell_of_is_put_off),
        TEST(r1_what_the_running_task_has_told_of_is_put_off),
        TEST(r1_what_an_unstored_outcome_does_not_tell_of_is_put_off),
        TEST(draining_answers_nothing),
        TEST(r1_a_lease_that_cannot_be_answered_is_asked_for_again),
        TEST(r1_an_outcome_that_could_not_be_told_is_told_later),
        TEST(a1_what_is_not_sealed_never_leaves),
        TEST(r1_a_result_that_nobody_set_is_put_off),
        TEST(a_rules_tls_says_nothing_of_the_destination),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
