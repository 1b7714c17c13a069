/* Rates: what auth refuses is 450, what it cannot be asked is 451, and without rates it is not asked. Tries
 * without TLS are told. */
#include "tests/unit/submission/fixture.h"

static struct fixture *start_with_rates(bool messages, bool recipients)
{
    struct submission_limits limits = test_limits();
    limits.rates.user_messages = messages;
    limits.rates.user_recipients = recipients;
    return start_with(limits);
}

static void allow(struct fixture *f, unsigned n)
{
    pthread_mutex_lock(&f->roles.lock);
    f->roles.allowed = n;
    pthread_mutex_unlock(&f->roles.lock);
}

static unsigned asked(struct fixture *f, enum allow_what what)
{
    pthread_mutex_lock(&f->roles.lock);
    unsigned n = f->roles.asked[what];
    pthread_mutex_unlock(&f->roles.lock);
    return n;
}

static void test_without_rates_nobody_is_asked(void **state)
{
    (void)state;
    struct fixture *f = start_with_rates(false, false);
    struct client *c = client_login(f);
    say(c, "MAIL FROM:<alice@example.org>", "250 2.1.0");
    say(c, "RCPT TO:<bob@example.com>", "250 2.1.5");
    assert_int_equal(asked(f, ALLOW_MESSAGE) + asked(f, ALLOW_RECIPIENT), 0);
    quit(c);
    finish(f, NULL);
}

static void test_a_message_over_the_rate(void **state)
{
    (void)state;
    struct fixture *f = start_with_rates(true, false);
    struct client *c = client_login(f);
    allow(f, 1);
    say(c, "MAIL FROM:<alice@example.org>", "250 2.1.0");
    say(c, "RCPT TO:<bob@example.com>", "250 2.1.5");
    say(c, "RSET", "250");
    say(c, "MAIL FROM:<alice@example.org>", "450 4.7.1 2 messages in 1h are the limit");
    /* There is no transaction: the same session may try again. */
    say(c, "RCPT TO:<bob@example.com>", "503");
    allow(f, 1);
    say(c, "MAIL FROM:<alice@example.org>", "250 2.1.0");
    assert_int_equal(asked(f, ALLOW_MESSAGE), 3);
    assert_int_equal(asked(f, ALLOW_RECIPIENT), 0);
    /* What is refused for itself is not counted. */
    say(c, "RSET", "250");
    say(c, "MAIL FROM:<a@b@c>", "501");
    say(c, "MAIL FROM:<alice@example.org> SIZE=999999999", "552");
    assert_int_equal(asked(f, ALLOW_MESSAGE), 3);
    quit(c);
    finish(f, NULL);
}

static void test_recipients_over_the_rate(void **state)
{
    (void)state;
    struct fixture *f = start_with_rates(false, true);
    struct client *c = client_login(f);
    allow(f, 2);
    say(c, "MAIL FROM:<alice@example.org>", "250 2.1.0");
    say(c, "RCPT TO:<bob@example.com>", "250 2.1.5");
    say(c, "RCPT TO:<none@strict.example>", "550 5.7.1"); /* is not counted */
    say(c, "RCPT TO:<carol@strict.example>", "250 2.1.5");
    say(c, "RCPT TO:<dave@example.com>", "450 4.7.1");
    say(c, "RCPT TO:<dave@strict.example>", "450 4.7.1");
    assert_int_equal(asked(f, ALLOW_RECIPIENT), 4);
    /* Those that were accepted get the message. */
    say(c, "DATA", "354");
    say(c, "Subject: x\r\n\r\ny\r\n.", "250 2.0.0");
    pthread_mutex_lock(&f->roles.lock);
    assert_int_equal(f->roles.envelope.n_recipients, 2);
    assert_string_equal(f->roles.envelope.recipients[1].address, "carol@strict.example");
    pthread_mutex_unlock(&f->roles.lock);
    quit(c);
    finish(f, NULL);
}

/* Replies keep their order when all is sent at once. */
static void test_pipelined(void **state)
{
    (void)state;
    struct fixture *f = start_with_rates(true, true);
    struct client *c = client_login(f);
    allow(f, 2);
    put_str(c, "MAIL FROM:<alice@example.org>\r\nRCPT TO:<bob@example.com>\r\nRCPT TO:<carol@example.com>\r\n"
               "DATA\r\n");
    expect(c, "250 2.1.0");
    expect(c, "250 2.1.5");
    expect(c, "450 4.7.1");
    expect(c, "354");
    say(c, "Subject: x\r\n\r\ny\r\n.", "250 2.0.0");
    quit(c);
    finish(f, NULL);
}

/* Fail closed: nothing passes uncounted. */
static void test_auth_cannot_be_asked(void **state)
{
    (void)state;
    static const struct {
        enum manner manner;
        const char *reply;
    } cases[] = {{MANNER_DROPS, "451 4.3.0"},
                 {MANNER_HANGS, "451 4.3.0"},
                 {MANNER_IS_BUSY, "451 4.3.2"},
                 {MANNER_LIES, "451 4.3.0"}};
    struct submission_limits limits = test_limits();
    limits.auth_ms = A_MOMENT_MS;
    limits.auth_total_ms = 2 * A_MOMENT_MS;
    limits.rates.user_messages = limits.rates.user_recipients = true;
    struct fixture *f = start_with(limits);
    struct client *c = client_login(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        allow(f, 1);
        roles_set(f, SERVICE_AUTH, cases[i].manner);
        say(c, "MAIL FROM:<alice@example.org>", cases[i].reply);
        roles_set(f, SERVICE_AUTH, MANNER_ANSWERS);
        say(c, "MAIL FROM:<alice@example.org>", "250 2.1.0");
        roles_set(f, SERVICE_AUTH, cases[i].manner);
        say(c, "RCPT TO:<bob@example.com>", cases[i].reply);
        say(c, "DATA", "554");
        roles_set(f, SERVICE_AUTH, MANNER_ANSWERS);
        say(c, "RSET", "250");
    }
    quit(c);
    char *log;
    finish(f, &log);
    assert_non_null(strstr(log, "rate-unknown"));
    free(log);
}

static void test_the_client_leaves_while_auth_is_asked(void **state)
{
    (void)state;
    struct fixture *f = start_with_rates(true, true);
    struct client *c = client_login(f);
    unsigned before = roles_calls(f, SERVICE_AUTH);
    roles_set(f, SERVICE_AUTH, MANNER_HANGS);
    put_str(c, "MAIL FROM:<alice@example.org>\r\n");
    roles_await(f, SERVICE_AUTH, before + 1);
    client_close(c);
    roles_set(f, SERVICE_AUTH, MANNER_ANSWERS);
    quit(client_login(f));
    finish(f, NULL);
}

/* ---- tries without TLS ---- */

static void await_tries(struct fixture *f, unsigned n, const char *what)
{
    unsigned tries = 0;
    char tried[200];
    for (int i = 0; i < 2000 && tries < n; i++) {
        poll(NULL, 0, 10);
        pthread_mutex_lock(&f->roles.lock);
        tries = f->roles.clear_tries;
        memcpy(tried, f->roles.tried, sizeof tried);
        pthread_mutex_unlock(&f->roles.lock);
    }
    assert_int_equal(tries, n);
    assert_string_equal(tried, what);
}

static void test_tries_in_clear_are_told(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_open(f, 1);
    say(c, "MAIL FROM:<scanner@example.org>",
        "530 5.7.0 Encryption required: in your mail program, switch on SSL/TLS (port 465) or STARTTLS");
    await_tries(f, 1, "MAIL -");
    say(c, "EHLO scanner.example", "250");
    say(c, "AUTH PLAIN AGFsaWNlAHNlY3JldA==", "530 5.7.0"); /* once for each session */
    client_close(c);
    c = client_open(f, 1);
    say(c, "EHLO scanner.example", "250");
    say(c, "VRFY bob", "530 5.7.0"); /* nobody's mail program */
    put_str(c, "AUTH LOGIN\r\n");
    client_close(c); /* without waiting for the reply */
    await_tries(f, 2, "AUTH scanner.example");
    finish(f, NULL);
}

static void test_auth_does_not_hear_of_it(void **state)
{
    (void)state;
    struct fixture *f = start();
    roles_set(f, SERVICE_AUTH, MANNER_IS_BUSY);
    for (int i = 0; i < 100; i++) {
        struct client *c = client_open(f, 1);
        say(c, "MAIL FROM:<scanner@example.org>", "530 5.7.0");
        client_close(c);
    }
    roles_set(f, SERVICE_AUTH, MANNER_ANSWERS);
    for (int i = 0; i < 100 && roles_calls(f, SERVICE_AUTH) < 64; i++)
        poll(NULL, 0, 10);
    assert_in_range(roles_calls(f, SERVICE_AUTH), 0, 64); /* bounded */
    finish(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_rates_nobody_is_asked),
        cmocka_unit_test(test_a_message_over_the_rate),
        cmocka_unit_test(test_recipients_over_the_rate),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_auth_cannot_be_asked),
        cmocka_unit_test(test_the_client_leaves_while_auth_is_asked),
        cmocka_unit_test(test_tries_in_clear_are_told),
        cmocka_unit_test(test_auth_does_not_hear_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
