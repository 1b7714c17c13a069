/* From MAIL to the reply after the end of data. */
#include "tests/unit/submission/fixture.h"

static void begin_message(struct client *c)
{
    say(c, "MAIL FROM:<alice@example.org>", "250 2.1.0");
    say(c, "RCPT TO:<bob@example.com>", "250 2.1.5");
    say(c, "DATA", "354 ");
}

static void test_a_message_reaches_seal_byte_for_byte(void **state)
{
    (void)state;
    static const char sent[] = "Subject: x\r\n\r\n..dot\r\n...\r\n\xc3\xbc\r\nend\r\n.\r\n";
    static const char want[] = "Subject: x\r\n\r\n.dot\r\n..\r\n\xc3\xbc\r\nend\r\n";
    struct fixture *f = start();
    struct client *c = client_login(f);
    /* One byte at a time is one TLS record each. */
    for (int at_once = 0; at_once < 2; at_once++) {
        begin_message(c);
        if (at_once)
            put_str(c, sent);
        else
            for (size_t i = 0; i < sizeof sent - 1; i++)
                assert_true(put(c, sent + i, 1));
        expect(c, "250 2.0.0 ID queued, sealed for 1 of 1 recipients\r\n");
        pthread_mutex_lock(&f->roles.lock);
        assert_int_equal(f->roles.message_len, sizeof want - 1);
        assert_memory_equal(f->roles.message, want, sizeof want - 1);
        const struct envelope *e = &f->roles.envelope;
        assert_true(id_is_valid(e->id));
        assert_string_equal(e->reverse_path, "alice@example.org");
        assert_string_equal(e->user, "alice");
        assert_string_equal(e->listener, "[::]:465");
        assert_string_equal(e->client_address, "127.0.0.1");
        assert_string_equal(e->helo, "client.example.org");
        assert_string_equal(e->tls_version, "TLSv1.3");
        assert_true(strncmp(e->tls_cipher, "TLS_", 4) == 0);
        assert_true(e->received_ms > 0);
        assert_true(e->body_8bit); /* not said by the client, but seen */
        assert_int_equal(e->n_recipients, 1);
        assert_string_equal(e->recipients[0].address, "bob@example.com");
        pthread_mutex_unlock(&f->roles.lock);
    }
    quit(c);
    char *log;
    finish(f, &log);
    assert_non_null(strstr(log, "event=accepted"));
    free(log);
}

/* A1: what looks like an end of data but is none; then the real end, and a refusal. Nothing was smuggled. */
static void test_A1_smuggling(void **state)
{
    (void)state;
    static const char *const ends[] = {"\n.\n",   "\n.\r\n", "\r\n.\n", "\r.\r",       "\r.\r\n",
                                       "\r\n.\r", "\n.\r",   "\r.\n",   "\r\n.\r\r\n", "\r\r\n.\r\r\n"};
    static const char smuggled[] = "MAIL FROM:<mallory@example.org>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n"
                                   "Subject: smuggled\r\n\r\nx\r\n.\r\n";
    struct fixture *f = start();
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct client *c = client_login(f);
        begin_message(c);
        put_str(c, "Subject: x\r\n\r\ny");
        put_str(c, ends[i]);
        put_str(c, smuggled);
        expect(c, "554 5.6.0");
        say(c, "NOOP", "250");
        quit(c);
    }
    struct client *c = client_login(f);
    begin_message(c);
    assert_true(put(c, "a\0b\r\n.\r\n", 8));
    expect(c, "554 5.6.0 The message has a NUL byte");
    quit(c);
    assert_int_equal(roles_calls(f, SERVICE_SEAL), 0);
    finish(f, NULL);
}

static void test_outcomes(void **state)
{
    (void)state;
    static const struct {
        enum submit_outcome outcome;
        const char *text, *reply;
    } cases[] = {
        {SUBMIT_QUEUED, "1 queued", "250 2.0.0 1 queued"},
        {SUBMIT_QUEUED, "", "250 2.0.0 queued"},
        {SUBMIT_REFUSED_POLICY, "no certificate for <b@example.com>: none found",
         "550 5.7.1 no certificate for <b@example.com>: none found"},
        {SUBMIT_REFUSED_CONTENT, "too deep", "554 5.6.0 too deep"},
        {SUBMIT_REFUSED_SMTPUTF8, "", "550 5.6.7 "},
        {SUBMIT_REFUSED_LOOP, "", "554 5.4.6 "},
        {SUBMIT_TOO_BIG, "", "552 5.3.4 "},
        {SUBMIT_LATER, "", "451 4.3.0 "},
        {SUBMIT_LATER_LOOKUP, "", "451 4.4.3 "},
        {SUBMIT_LATER_DISK, "", "452 4.3.1 "},
        {SUBMIT_LATER_SIGNING, "rule r requires it", "451 4.7.5 rule r requires it"},
        {SUBMIT_REFUSED_POLICY, "a\r\n250 2.0.0 queued", "550 5.7.1 a??250 2.0.0 queued\r\n"},
    };
    struct fixture *f = start();
    struct client *c = client_login(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pthread_mutex_lock(&f->roles.lock);
        f->roles.reply = (struct submit_reply){.outcome = cases[i].outcome};
        snprintf(f->roles.reply.text, sizeof f->roles.reply.text, "%s", cases[i].text);
        pthread_mutex_unlock(&f->roles.lock);
        begin_message(c);
        say(c, "Subject: x\r\n\r\ny\r\n.", cases[i].reply);
        if (cases[i].outcome == SUBMIT_REFUSED_POLICY)
            assert_null(strstr(c->reply, "\r\n250"));
    }
    /* The session goes on as if nothing had happened. */
    say(c, "RCPT TO:<b@example.com>", "503 5.5.1");
    quit(c);
    finish(f, NULL);
}

/* A33: no failure of seal is ever a 250. */
static void test_A33_seal_that_fails(void **state)
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
    limits.busy_ms = A_MOMENT_MS;
    limits.seal_ms = 2 * A_MOMENT_MS;
    struct fixture *f = start_with(limits);
    struct client *c = client_login(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        roles_set(f, SERVICE_SEAL, cases[i].manner);
        poll(NULL, 0, 50);
        begin_message(c);
        say(c, "Subject: x\r\n\r\ny\r\n.", cases[i].reply);
        say(c, "NOOP", "250");
    }
    quit(c);
    finish(f, NULL);
}

static void test_sizes(void **state)
{
    (void)state;
    struct fixture *f = start(); /* 100,000 bytes */
    struct client *c = client_login(f);
    static char body[120000];
    say(c, "MAIL FROM:<a@example.org> SIZE=100001", "552 5.3.4");
    say(c, "MAIL FROM:<a@example.org> SIZE=99999999999999999999", "552 5.3.4");
    say(c, "MAIL FROM:<a@example.org> SIZE=100000", "250");
    say(c, "RSET", "250");
    static const struct {
        size_t size;
        const char *reply;
    } cases[] = {{100000, "250 2.0.0"}, {100001, "552 5.3.4"}, {119000, "552 5.3.4"}, {99999, "250 2.0.0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(body, 'x', cases[i].size);
        memcpy(body + cases[i].size - 2, "\r\n.\r\n", 6);
        begin_message(c);
        put_str(c, body);
        expect(c, cases[i].reply);
    }
    assert_int_equal(roles_calls(f, SERVICE_SEAL), 2);
    quit(c);
    finish(f, NULL);
}

/* All messages in memory together have a limit too. */
static void test_A17_messages_in_hand(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.in_hand_max = 50000;
    struct fixture *f = start_with(limits);
    struct client *a = client_login(f), *b = client_login(f);
    static char half[30001];
    memset(half, 'x', sizeof half - 1);
    begin_message(a);
    put_str(a, half);
    put_str(a, "\r\n");
    begin_message(b);
    put_str(b, half);
    put_str(b, "\r\n.\r\n");
    expect(b, "452 4.3.1");
    put_str(a, ".\r\n");
    expect(a, "250 2.0.0");
    begin_message(b);
    put_str(b, half);
    put_str(b, "\r\n.\r\n");
    expect(b, "250 2.0.0");
    quit(a);
    quit(b);
    finish(f, NULL);
}

static void test_pipelining(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    for (int i = 0; i < 3; i++) {
        put_str(c, "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\nRCPT TO:<none@strict.example>\r\n"
                   "RCPT TO:<c@strict.example>\r\nFOO\r\nDATA\r\n");
        expect(c, "250 2.1.0");
        expect(c, "250 2.1.5");
        expect(c, "550 5.7.1"); /* a lookup by keys: what follows waits, in order */
        expect(c, "250 2.1.5");
        expect(c, "500 5.5.1");
        expect(c, "354 ");
        put_str(c, "Subject: x\r\n\r\ny\r\n.\r\nMAIL FROM:<a@example.org>\r\nRSET\r\nNOOP\r\n");
        expect(c, "250 2.0.0 ID queued");
        expect(c, "250 2.1.0");
        expect(c, "250 2.0.0");
        expect(c, "250 2.0.0");
    }
    put_str(c, "NOOP\r\nQUIT\r\nNOOP\r\n");
    expect(c, "250");
    expect(c, "221");
    expect_end(c);
    client_close(c);
    finish(f, NULL);
}

/* A message sent before the 354 might be read as commands when DATA is refused. */
static void test_A1_a_message_behind_data_is_refused(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    put_str(c, "MAIL FROM:<a@example.org>\r\nRCPT TO:<none@strict.example>\r\nDATA\r\nMAIL FROM:<x@y>\r\n");
    expect(c, "250");
    expect(c, "550");
    expect(c, "554 5.5.1");
    expect_end(c);
    client_close(c);
    finish(f, NULL);
}

static void test_no_recipients(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    say(c, "DATA", "503 5.5.1");
    say(c, "RCPT TO:<b@example.com>", "503 5.5.1");
    say(c, "MAIL FROM:<>", "250");
    say(c, "MAIL FROM:<a@example.org>", "503 5.5.1");
    say(c, "DATA x", "501 5.5.4");
    say(c, "DATA", "554 5.5.1");
    say(c, "RCPT TO:<none@strict.example>", "550 5.7.1");
    say(c, "DATA", "554 5.5.1");
    say(c, "EHLO again.example.org", "250");
    say(c, "DATA", "503 5.5.1");
    quit(c);
    finish(f, NULL);
}

/* RFC 5321 §4.1.1.10: the transaction of a client that is gone is cancelled. */
static void test_a_client_that_leaves(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    begin_message(c);
    put_str(c, "Subject: x\r\n");
    client_close(c);
    roles_set(f, SERVICE_SEAL, MANNER_HANGS);
    poll(NULL, 0, 50);
    c = client_login(f);
    begin_message(c);
    put_str(c, "Subject: x\r\n\r\ny\r\n.\r\n");
    roles_await(f, SERVICE_SEAL, 1);
    client_close(c);
    /* The one who sealed it learns that nobody waits any more. */
    bool wanted = true;
    for (int i = 0; i < 500 && wanted; i++) {
        pthread_mutex_lock(&f->roles.lock);
        wanted = request_is_wanted(&f->roles.held[0]);
        pthread_mutex_unlock(&f->roles.lock);
        poll(NULL, 0, 10);
    }
    assert_false(wanted);
    char *log;
    finish(f, &log);
    const char *gone = strstr(log, "event=client-gone");
    assert_non_null(gone);
    assert_non_null(strstr(gone + 1, "event=client-gone"));
    free(log);
}

static void test_transactions_per_session(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.transactions_max = 2;
    struct fixture *f = start_with(limits);
    struct client *c = client_login(f);
    for (int i = 0; i < 2; i++) {
        begin_message(c);
        say(c, ".", "250 2.0.0"); /* an empty message is seal's to judge */
    }
    say(c, "MAIL FROM:<a@example.org>", "421 4.7.0");
    expect_end(c);
    client_close(c);
    finish(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_reaches_seal_byte_for_byte),
        cmocka_unit_test(test_A1_smuggling),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_A33_seal_that_fails),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_A17_messages_in_hand),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_A1_a_message_behind_data_is_refused),
        cmocka_unit_test(test_no_recipients),
        cmocka_unit_test(test_a_client_that_leaves),
        cmocka_unit_test(test_transactions_per_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
