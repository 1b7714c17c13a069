/* Who may send, and as whom: users by their addresses, relay clients without a password (A7, A8). */
#include "tests/unit/submission/fixture.h"

#include "gateway/submission/replies.h"

/* A relay client on port 0 alone, known by the loopback network; another that is not here. */
static void with_clients(struct fixture *f)
{
    static const struct network here = {.address = {.bytes = {127}}, .bits = 8};
    static const struct network elsewhere = {.address = {.bytes = {192, 0, 2, 1}}, .bits = 32};
    static char own[] = "@scanner.example.org", any[] = "*", certificate[] = "subject:CN=scanner";
    static char *const send_as[] = {own}, *const anybody[] = {any}, *const certificates[] = {certificate};
    static const struct submission_client clients[] = {
        {.name = "nothing", .send_as = anybody, .n_send_as = 1},
        {.name = "far", .networks = &elsewhere, .n_networks = 1, .send_as = anybody, .n_send_as = 1},
        {.name = "certified",
         .networks = &here,
         .n_networks = 1,
         .certificates = certificates,
         .n_certificates = 1,
         .send_as = anybody,
         .n_send_as = 1},
        {.name = "scanner", .networks = &here, .n_networks = 1, .send_as = send_as, .n_send_as = 1},
    };
    static const struct submission_client *const named[] = {&clients[0], &clients[1], &clients[2],
                                                            &clients[3]};
    static const char *const names[] = {"scanner"};
    static const struct policy_rule rules[] = {
        {.name = "scans",
         .clients = names,
         .n_clients = 1,
         .protect = PROTECT_REQUIRE,
         .on_missing_key = MISSING_REFUSE,
         .formats = {CERTIFICATE_OPENPGP, CERTIFICATE_SMIME},
         .n_formats = 2},
        {.name = "default", .protect = PROTECT_PREFER},
    };
    static const struct policy_settings policy = {.rules = rules, .n_rules = 2};
    f->listeners[0].clients = named;
    f->listeners[0].n_clients = 4;
    f->settings.policy = &policy;
}

static struct fixture *start_relay(void)
{
    return start_prepared(test_limits(), SASL_ALL_MECHANISMS, with_clients);
}

static void send_message(struct client *c)
{
    say(c, "DATA", "354");
    put_str(c, "Subject: x\r\n\r\ny\r\n.\r\n");
    expect(c, "250 2.0.0");
}

static void test_the_patterns_of_a_user_go_to_seal(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    say(c, "MAIL FROM:<Alice@EXAMPLE.org>", "250 2.1.0");
    say(c, "RCPT TO:<b@example.com>", "250");
    send_message(c);
    pthread_mutex_lock(&f->roles.lock);
    const struct envelope *e = &f->roles.envelope;
    assert_string_equal(e->user, "alice");
    assert_string_equal(e->client, "");
    assert_int_equal(e->n_send_as, 1);
    assert_string_equal(e->send_as[0], "@example.org");
    pthread_mutex_unlock(&f->roles.lock);
    quit(c);
    finish(f, NULL);
}

static void test_a8_mail_from_another_is_refused(void **state)
{
    (void)state;
    static const char *const others[] = {
        "MAIL FROM:<ceo@example.com>", "MAIL FROM:<alice@example.org.example.com>",
        "MAIL FROM:<\"alice@example.org\"@example.com>", "MAIL FROM:<alice@sub.example.org> SIZE=100"};
    struct fixture *f = start();
    struct client *c = client_login(f);
    char *log;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        say(c, others[i], "550 5.7.1 <");
        assert_non_null(strstr(c->reply, "> is not an address of user alice: send as one that is"));
        /* No transaction is left behind. */
        say(c, "RCPT TO:<b@example.com>", "503 5.5.1");
        say(c, "DATA", "503 5.5.1");
        roles_await(f, SERVICE_QUEUE, (unsigned)i + 1);
    }
    pthread_mutex_lock(&f->roles.lock);
    const struct queue_refused *refused = &f->roles.refused;
    assert_string_equal(refused->envelope.reverse_path, "alice@sub.example.org");
    assert_string_equal(refused->envelope.user, "alice");
    assert_true(id_is_valid(refused->envelope.id));
    assert_string_equal(refused->recipient, "");
    assert_null(refused->rule);
    assert_int_equal(strncmp(refused->reply, "550 5.7.1 <alice@sub.example.org> is not an address", 50), 0);
    pthread_mutex_unlock(&f->roles.lock);
    /* One's own, and nobody's for notifications. */
    say(c, "MAIL FROM:<>", "250 2.1.0");
    say(c, "RSET", "250");
    say(c, "MAIL FROM:<alice@example.org>", "250 2.1.0");
    quit(c);
    finish(f, &log);
    assert_non_null(strstr(log, "event=sender-refused"));
    assert_non_null(strstr(log, "from=ceo@example.com"));
    free(log);
}

/* Guessing whose address somebody has comes to an end. */
static void test_a8_refused_senders_count_as_errors(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    for (int i = 0; i < 20; i++)
        say(c, "MAIL FROM:<ceo@example.com>", "550 5.7.1");
    expect(c, "421 4.7.0");
    client_close(c);
    finish(f, NULL);
}

static void test_a7_a_relay_client_needs_no_password(void **state)
{
    (void)state;
    struct fixture *f = start_relay();
    struct client *c = client_open(f, 0);
    char *log;
    say(c, "EHLO scanner.example.org", "250-mail.example.org");
    assert_non_null(strstr(c->reply, "AUTH "));
    say(c, "MAIL FROM:<mfp@scanner.example.org>", "250 2.1.0");
    /* Its own rule decides. */
    say(c, "RCPT TO:<none@example.com>", "550 5.7.1");
    say(c, "RCPT TO:<b@example.com>", "250");
    send_message(c);
    pthread_mutex_lock(&f->roles.lock);
    const struct envelope *e = &f->roles.envelope;
    assert_string_equal(e->user, "");
    assert_string_equal(e->client, "scanner");
    assert_int_equal(e->n_send_as, 1);
    assert_string_equal(e->send_as[0], "@scanner.example.org");
    assert_string_equal(f->roles.refused.rule, "scans");
    assert_string_equal(f->roles.refused.envelope.client, "scanner");
    pthread_mutex_unlock(&f->roles.lock);
    say(c, "MAIL FROM:<alice@example.org>",
        "550 5.7.1 <alice@example.org> is not an address of relay client scanner");
    quit(c);
    finish(f, &log);
    assert_non_null(strstr(log, "event=relay-client"));
    assert_non_null(strstr(log, "relay=scanner"));
    free(log);
}

/* Known without AUTH: the time that others have for it does not end the session. */
static void test_a18_a_relay_client_need_not_hurry_to_log_in(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.before_auth_ms = A_MOMENT_MS;
    struct fixture *f = start_prepared(limits, SASL_ALL_MECHANISMS, with_clients);
    struct client *c = client_open(f, 0);
    poll(NULL, 0, A_MOMENT_MS + 200);
    say(c, "NOOP", "250");
    quit(c);
    finish(f, NULL);
}

static void test_a7_a_relay_client_may_log_in_and_is_the_user_then(void **state)
{
    (void)state;
    struct fixture *f = start_relay();
    struct client *c = client_login(f);
    say(c, "MAIL FROM:<mfp@scanner.example.org>", "550 5.7.1");
    say(c, "MAIL FROM:<alice@example.org>", "250");
    say(c, "RCPT TO:<none@example.com>", "250"); /* not by the rule for scanners */
    send_message(c);
    pthread_mutex_lock(&f->roles.lock);
    assert_string_equal(f->roles.envelope.user, "alice");
    assert_string_equal(f->roles.envelope.client, "");
    assert_string_equal(f->roles.envelope.send_as[0], "@example.org");
    pthread_mutex_unlock(&f->roles.lock);
    quit(c);
    finish(f, NULL);
}

/* A wrong password does not take away what the network gives, nor give more. */
static void test_a7_a_failed_login_changes_nothing(void **state)
{
    (void)state;
    struct fixture *f = start_relay();
    struct client *c = client_open(f, 0);
    say(c, "EHLO c", "250");
    say(c, "AUTH PLAIN AGFsaWNlAHdyb25n", "535 5.7.8");
    say(c, "MAIL FROM:<alice@example.org>", "550 5.7.1");
    say(c, "MAIL FROM:<mfp@scanner.example.org>", "250");
    quit(c);
    finish(f, NULL);
}

/* Not on a listener that does not name it, loopback or not; and before TLS nowhere. */
static void test_a7_nobody_relays_elsewhere(void **state)
{
    (void)state;
    struct fixture *f = start_relay();
    struct client *c = client_open(f, 1);
    say(c, "EHLO c", "250");
    say(c, "MAIL FROM:<mfp@scanner.example.org>", "530 5.7.0");
    say(c, "STARTTLS", "220");
    client_tls(c);
    say(c, "EHLO c", "250");
    say(c, "MAIL FROM:<mfp@scanner.example.org>", "530 5.7.0");
    say(c, "MAIL FROM:<>", "530 5.7.0");
    quit(c);
    finish(f, NULL);
}

static void with_clients_behind_starttls(struct fixture *f)
{
    with_clients(f);
    f->listeners[1].clients = f->listeners[0].clients;
    f->listeners[1].n_clients = f->listeners[0].n_clients;
}

static void test_a7_a_relay_client_is_nobody_before_tls(void **state)
{
    (void)state;
    struct fixture *f = start_prepared(test_limits(), SASL_ALL_MECHANISMS, with_clients_behind_starttls);
    struct client *c = client_open(f, 1);
    say(c, "EHLO c", "250");
    say(c, "MAIL FROM:<mfp@scanner.example.org>", "530 5.7.0");
    say(c, "STARTTLS", "220");
    client_tls(c);
    say(c, "MAIL FROM:<mfp@scanner.example.org>", "503 5.5.1"); /* EHLO is forgotten */
    say(c, "EHLO c", "250");
    say(c, "MAIL FROM:<mfp@scanner.example.org>", "250");
    quit(c);
    finish(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_patterns_of_a_user_go_to_seal),
        cmocka_unit_test(test_a8_mail_from_another_is_refused),
        cmocka_unit_test(test_a8_refused_senders_count_as_errors),
        cmocka_unit_test(test_a7_a_relay_client_needs_no_password),
        cmocka_unit_test(test_a18_a_relay_client_need_not_hurry_to_log_in),
        cmocka_unit_test(test_a7_a_relay_client_may_log_in_and_is_the_user_then),
        cmocka_unit_test(test_a7_a_failed_login_changes_nothing),
        cmocka_unit_test(test_a7_nobody_relays_elsewhere),
        cmocka_unit_test(test_a7_a_relay_client_is_nobody_before_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
