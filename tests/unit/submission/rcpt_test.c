/* MAIL and RCPT: addresses, parameters, and what policy and certificates decide. */
#include <dirent.h>

#include "tests/unit/submission/fixture.h"

static void test_A7_A9_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *line, *reply;
    } cases[] = {
        {"MAIL", "501 5.1.7"},
        {"MAIL a@example.org", "501 5.1.7"},
        {"MAIL FROM:a@example.org", "501 5.1.7"},
        {"MAIL FROM: <a@example.org>", "501 5.1.7"},
        {"MAIL FROM:<a@b@c>", "501 5.1.7"},
        {"MAIL FROM:<@relay.example:a@example.org>", "550 5.7.1"},
        {"MAIL FROM:<a%b@example.org>", "550 5.7.1"},
        {"MAIL FROM:<\xc3\xbc@example.org>", "553 5.6.7"},
        {"MAIL FROM:<a@example.org> ENVID=x+0Ay", "501 5.5.4"},
        {"MAIL FROM:<a@example.org> BODY=9BIT", "501 5.5.4"},
        {"MAIL FROM:<a@example.org> SIZE=1 SIZE=2", "501 5.5.4"},
        {"MAIL FROM:<a@example.org> AUTH=\xff", "501 5.5.4"},
        {"MAIL FROM:<a@example.org>\x01", "500 5.5.2"},
        {"mail from:<a@example.org> size=5 body=8bitmime auth=<>", "250 2.1.0"},
        {"RCPT", "501 5.1.3"},
        {"RCPT TO:", "501 5.1.3"},
        {"RCPT TO:<>", "501 5.1.3"},
        {"RCPT TO:<bob>", "501 5.1.3"},
        {"RCPT TO:<bob@exam_ple.com>", "501 5.1.3"},
        {"RCPT TO:<bob@example.com> NOTIFY=OFTEN", "501 5.5.4"},
        {"RCPT TO:<bob@example.com> ORCPT=rfc822;x+0Dy", "501 5.5.4"},
        {"RCPT TO:<@relay.example.org:bob@example.com>", "550 5.7.1"},
        {"RCPT TO:<bob%example.com@relay.example.org>", "550 5.7.1"},
        {"RCPT TO:<example.com!bob@relay.example.org>", "550 5.7.1"},
        {"RCPT TO:<\xc3\xb6@example.com>", "553 5.6.7"},
        {"RCPT TO:<\"b\tb\"@example.com>", "500 5.5.2"},
        {"RCPT TO:<bob@example.com>", "250 2.1.5"},
        {"RCPT TO:<bob@example.com>", "250 2.1.5"}, /* twice is once */
        {"rcpt to:<postmaster>", "250 2.1.5"},
        {"RCPT TO:<\"a b\"@[192.0.2.1]>", "250 2.1.5"},
        {"DATA", "354"},
        {"Subject: x\r\n\r\ny\r\n.", "250 2.0.0"},
    };
    struct submission_limits limits = test_limits();
    limits.bad_commands_max = 1000;
    struct fixture *f = start_with(limits);
    struct client *c = client_login(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        say(c, cases[i].line, cases[i].reply);
    const struct envelope *e = &f->roles.envelope;
    pthread_mutex_lock(&f->roles.lock);
    assert_int_equal(e->n_recipients, 3);
    assert_string_equal(e->recipients[0].address, "bob@example.com");
    assert_string_equal(e->recipients[1].address, "postmaster@mail.example.org");
    assert_string_equal(e->recipients[2].address, "\"a b\"@[192.0.2.1]");
    assert_true(e->body_8bit);
    pthread_mutex_unlock(&f->roles.lock);
    quit(c);
    finish(f, NULL);
}

/* From loopback as from anywhere. */
static void test_A7_no_relay_without_authentication(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_open(f, 0);
    say(c, "MAIL FROM:<a@example.org>", "503 5.5.1");
    say(c, "EHLO client.example.org", "250");
    static const char *const lines[] = {
        "MAIL FROM:<a@example.org>", "MAIL FROM:<>", "MAIL FROM:<a@example.org> AUTH=alice",
        "RCPT TO:<b@example.com>",   "DATA",         "VRFY bob"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        say(c, lines[i], "530 5.7.0");
    quit(c);
    finish(f, NULL);
}

static void test_A33_certificates_at_rcpt(void **state)
{
    (void)state;
    static const struct {
        const char *address, *reply;
        unsigned lookups;
    } cases[] = {
        {"key@strict.example", "250 2.1.5", 1},
        {"none@strict.example",
         "550 5.7.1 no usable OpenPGP or S/MIME certificate for <none@strict.example>: none found\r\n", 1},
        {"expired@strict.example",
         "550 5.7.1 no usable OpenPGP or S/MIME certificate for <expired@strict.example>: expired on "
         "2024-05-01\r\n",
         1},
        {"fail@strict.example", "451 4.4.3", 1},
        {"none@example.com", "250 2.1.5", 0},       /* prefer: decided at the end of data */
        {"none@hold.example", "250 2.1.5", 0},      /* require, but held */
        {"none@undecided.example", "250 2.1.5", 0}, /* depends on the subject */
    };
    struct fixture *f = start();
    struct client *c = client_login(f);
    unsigned lookups = 0;
    say(c, "MAIL FROM:<alice@example.org>", "250");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[200];
        snprintf(line, sizeof line, "RCPT TO:<%s>", cases[i].address);
        say(c, line, cases[i].reply);
        lookups += cases[i].lookups;
        assert_int_equal(roles_calls(f, SERVICE_KEYS), lookups);
    }
    /* Each refused recipient, and no other, is an audit record. */
    roles_await(f, SERVICE_QUEUE, 2);
    pthread_mutex_lock(&f->roles.lock);
    const struct queue_refused *r = &f->roles.refused;
    assert_string_equal(r->recipient, "expired@strict.example");
    assert_string_equal(r->rule, "strict");
    assert_true(strncmp(r->reply, "550 5.7.1 no usable", 19) == 0);
    assert_string_equal(r->envelope.reverse_path, "alice@example.org");
    assert_string_equal(r->envelope.user, "alice");
    assert_int_equal(r->envelope.n_recipients, 0);
    assert_true(id_is_valid(r->envelope.id));
    pthread_mutex_unlock(&f->roles.lock);
    quit(c);
    finish(f, NULL);
}

/* A lookup that failed is never "no certificate", and never "take it". */
static void test_A33_keys_that_fail(void **state)
{
    (void)state;
    static const struct {
        enum manner manner;
        const char *reply;
    } cases[] = {{MANNER_DROPS, "451 4.4.3"},
                 {MANNER_HANGS, "451 4.4.3"},
                 {MANNER_IS_BUSY, "451 4.4.3"},
                 {MANNER_LIES, "451 4.4.3"}};
    struct submission_limits limits = test_limits();
    limits.keys_ms = 300;
    struct fixture *f = start_with(limits);
    struct client *c = client_login(f);
    say(c, "MAIL FROM:<alice@example.org>", "250");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        roles_set(f, SERVICE_KEYS, cases[i].manner);
        poll(NULL, 0, 50);
        say(c, "RCPT TO:<none@strict.example>", cases[i].reply);
        say(c, "RCPT TO:<key@strict.example>", cases[i].reply);
    }
    say(c, "DATA", "554 5.5.1");
    assert_int_equal(roles_calls(f, SERVICE_QUEUE), 0);
    quit(c);
    finish(f, NULL);
}

/* The refusal stands when it cannot be recorded; the drain does not wait for it for ever. */
static void test_audit_that_fails(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.drain_ms = 300;
    struct fixture *f = start_with(limits);
    struct client *c = client_login(f);
    say(c, "MAIL FROM:<alice@example.org>", "250");
    roles_set(f, SERVICE_QUEUE, MANNER_DROPS);
    poll(NULL, 0, 50);
    say(c, "RCPT TO:<none@strict.example>", "550 5.7.1");
    roles_await(f, SERVICE_QUEUE, 1);
    roles_set(f, SERVICE_QUEUE, MANNER_HANGS);
    poll(NULL, 0, 50);
    say(c, "RCPT TO:<none@strict.example>", "550 5.7.1");
    roles_await(f, SERVICE_QUEUE, 2);
    quit(c);
    char *log;
    finish(f, &log);
    assert_non_null(strstr(log, "event=audit-failed"));
    free(log);
}

static void test_A17_recipients_limit(void **state)
{
    (void)state;
    struct fixture *f = start(); /* 5 */
    struct client *c = client_login(f);
    say(c, "MAIL FROM:<alice@example.org>", "250");
    for (int i = 0; i < 8; i++) {
        char line[100];
        snprintf(line, sizeof line, "RCPT TO:<bob%d@example.com>", i);
        say(c, line, i < 5 ? "250 2.1.5" : "452 4.5.3");
    }
    quit(c);
    finish(f, NULL);
}

static unsigned descriptors_of(pid_t pid)
{
    char path[40];
    unsigned n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* Refusals that come faster than queue writes them down take only so many descriptors from others. */
static void test_A17_audit_that_is_slow(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.drain_ms = 100;
    struct fixture *f = start_with(limits);
    struct client *c = client_login(f);
    char *log = NULL;
    say(c, "MAIL FROM:<alice@example.org>", "250");
    roles_set(f, SERVICE_QUEUE, MANNER_IS_BUSY);
    for (int i = 0; i < 700; i++)
        say(c, "RCPT TO:<none@strict.example>", "550 5.7.1");
    assert_in_range(descriptors_of(f->pid), 256, 600);
    quit(c);
    finish(f, &log);
    assert_non_null(strstr(log, "event=audit-failed"));
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A7_A9_addresses),
        cmocka_unit_test(test_A7_no_relay_without_authentication),
        cmocka_unit_test(test_A33_certificates_at_rcpt),
        cmocka_unit_test(test_A33_keys_that_fail),
        cmocka_unit_test(test_audit_that_fails),
        cmocka_unit_test(test_A17_audit_that_is_slow),
        cmocka_unit_test(test_A17_recipients_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
