/* AUTH (RFC 4954): the exchange over the wire, with auth played by the fixture. */
#include "gateway/wire/line.h"
#include "tests/unit/submission/fixture.h"

static struct client *client_ehlo(struct fixture *f)
{
    struct client *c = client_open(f, 0);
    say(c, "EHLO client.example.org", "250-");
    return c;
}

static void test_ways_to_log_in(void **state)
{
    (void)state;
    static const char *const ways[][4] = {
        {AUTH_ALICE, "235 2.7.0"},
        {"auth plain AGFsaWNlAHNlY3JldA==", "235 2.7.0"},
        {"AUTH PLAIN", "334 \r\n", "AGFsaWNlAHNlY3JldA==", "235 2.7.0"},
        {"AUTH PLAIN YWxpY2UAYWxpY2UAc2VjcmV0", "235 2.7.0"}, /* authzid alice */
        {"AUTH LOGIN YWxpY2U=", "334 ", "c2VjcmV0", "235 2.7.0"},
        {"AUTH PLAIN", "334 \r\n", "YWxpY2UAYWxpY2UAc2VjcmV0", "235 2.7.0"},
    };
    struct fixture *f = start();
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct client *c = client_ehlo(f);
        for (size_t j = 0; j < 4 && ways[i][j]; j += 2)
            say(c, ways[i][j], ways[i][j + 1]);
        say(c, AUTH_ALICE, "503 5.5.1"); /* once only */
        say(c, "MAIL FROM:<a@example.org>", "250");
        quit(c);
    }
    struct client *c = client_ehlo(f);
    say(c, "AUTH LOGIN", "334 VXNlciBOYW1l");
    say(c, "YWxpY2U=", "334 UGFzc3dvcmQ=");
    say(c, "c2VjcmV0", "235 2.7.0");
    say(c, "MAIL FROM:<a@example.org>", "250");
    say(c, AUTH_ALICE, "503 5.5.1");
    quit(c);
    finish(f, NULL);
}

static void test_A6_broken_exchanges(void **state)
{
    (void)state;
    static const struct {
        const char *lines[3];
        const char *reply;
    } cases[] = {
        {{"AUTH"}, "501 5.5.4"},
        {{"AUTH "}, "501 5.5.4"},
        {{"AUTH PLAIN AGFsaWNlAHNlY3JldA== x"}, "501 5.5.4"},
        {{"AUTH CRAM-MD5"}, "504 5.5.4"},
        {{"AUTH SCRAM-SHA-1"}, "504 5.5.4"},
        {{"AUTH SCRAM-SHA-256-PLUS-AND-A-NAME-THAT-IS-FAR-TOO-LONG"}, "504 5.5.4"},
        {{"AUTH EXTERNAL ="}, "504 5.5.4"}, /* no certificate */
        {{"AUTH SCRAM-SHA-256 ="}, "501 5.5.2"},
        {{"AUTH SCRAM-SHA-256", ""}, "501 5.5.2"},
        {{"AUTH SCRAM-SHA-256", "*"}, "501 5.7.0"},
        {{"AUTH SCRAM-SHA-256", "="}, "501 5.5.2"},
        {{"AUTH SCRAM-SHA-256 YQ==", "*"}, "501 5.7.0"},
        {{"AUTH SCRAM-SHA-256 YQ==", "cHJvb2Y=", "*"}, "501 5.7.0"},
        {{"AUTH SCRAM-SHA-256 YQ==", "cHJvb2Y=", "="}, "501 5.5.2"},
        {{"AUTH SCRAM-SHA-256 YQ==", "cHJvb2Y=", "cHJvb2Y="}, "501 5.5.2"},
        {{"AUTH SCRAM-SHA-256 YQ==", "YQ=="}, "535 5.7.8"},
        {{"AUTH SCRAM-SHA-256 YR=="}, "501 5.5.2"}, /* bits behind the end */
        {{"AUTH SCRAM-SHA-256 Y Q=="}, "501 5.5.4"},
        {{"AUTH ANONYMOUS"}, "504 5.5.4"},
        {{"AUTH PLAIN ="}, "501 5.5.2"},
        {{"AUTH LOGIN ="}, "501 5.5.2"},
        {{"AUTH PLAIN !!!!"}, "501 5.5.2"},
        {{"AUTH PLAIN A"}, "501 5.5.2"},
        {{"AUTH PLAIN AGFsaWNlAHNlY3JldA="}, "501 5.5.2"},
        {{"AUTH PLAIN ====="}, "501 5.5.2"},
        {{"AUTH PLAIN AGFsaWNl"}, "501 5.5.2"},             /* no password */
        {{"AUTH PLAIN YWxpY2U="}, "501 5.5.2"},             /* no NUL at all */
        {{"AUTH PLAIN AGFsaWNlAHNlY3JldAB4"}, "501 5.5.2"}, /* a NUL in the password */
        {{"AUTH PLAIN AGFsaWNlAHdyb25n"}, "535 5.7.8"},
        {{"AUTH PLAIN AGJvYgBzZWNyZXQ="}, "535 5.7.8"},
        {{"AUTH PLAIN", ""}, "501 5.5.2"},
        {{"AUTH PLAIN", "*"}, "501 5.7.0"},
        {{"AUTH PLAIN", "="}, "501 5.5.2"},
        {{"AUTH PLAIN", "MAIL FROM:<a@example.org>"}, "501 5.5.2"},
        {{"AUTH LOGIN", "*"}, "501 5.7.0"},
        {{"AUTH LOGIN", ""}, "501 5.5.2"},
        {{"AUTH LOGIN", "YWxpY2U=", "*"}, "501 5.7.0"},
        {{"AUTH LOGIN", "YWxpY2U=", ""}, "501 5.5.2"},
        {{"AUTH LOGIN", "YWxpY2U=", "??"}, "501 5.5.2"},
        {{"AUTH LOGIN", "YWxpY2U=", "d3Jvbmc="}, "535 5.7.8"},
        {{"AUTH LOGIN YWxpY2U=", "*"}, "501 5.7.0"},
    };
    struct submission_limits limits = test_limits();
    limits.bad_commands_max = limits.auth_failures_max = 1000;
    struct fixture *f = start_with(limits);
    struct client *c = client_ehlo(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t j = 0; j < 3 && cases[i].lines[j]; j++) {
            bool last = j == 2 || !cases[i].lines[j + 1];
            put_str(c, cases[i].lines[j]);
            put_str(c, "\r\n");
            const char *reply = get_reply(c);
            const char *want = last ? cases[i].reply : "334 ";
            if (strncmp(reply, want, strlen(want)) != 0)
                fail_msg("case %zu, %s: %s", i, cases[i].lines[j], reply);
        }
        say(c, "NOOP", "250");
        say(c, "MAIL FROM:<a@example.org>", "530 5.7.0");
    }
    say(c, AUTH_ALICE, "235");
    quit(c);
    finish(f, NULL);
}

static void test_A6_long_lines(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.bad_commands_max = limits.auth_failures_max = 1000;
    struct fixture *f = start_with(limits);
    struct client *c = client_ehlo(f);
    static char line[LINE_AUTH_MAX + 10];
    static const struct {
        size_t len; /* with CRLF */
        const char *reply;
    } cases[] = {{12286, "501 5.5.2"}, {12288, "501 5.5.2"}, {12289, "500 5.5.6"}, {12290, "500 5.5.6"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset(line, 'A', sizeof line);
        line[cases[i].len - 2] = '\0';
        say(c, "AUTH PLAIN", "334 ");
        say(c, line, cases[i].reply);
        memcpy(line, "AUTH PLAIN ", 11);
        say(c, line, cases[i].len > LINE_AUTH_MAX ? "500 5.5.2" : "501 5.5.2");
    }
    /* Bytes of no text in the middle of an exchange. */
    say(c, "AUTH PLAIN", "334 ");
    assert_true(put(c, "AG\0Fs\r\n", 7));
    expect(c, "501 5.5.2");
    say(c, "AUTH PLAIN", "334 ");
    put_str(c, "AGFs\nNOOP\r\n");
    expect(c, "500 5.5.2");
    expect_end(c);
    client_close(c);
    finish(f, NULL);
}

static void test_failures_end_the_session(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_ehlo(f);
    for (int i = 0; i < 3; i++)
        say(c, "AUTH PLAIN AGFsaWNlAHdyb25n", "535 5.7.8");
    expect(c, "421 4.7.0");
    expect_end(c);
    client_close(c);
    char *log;
    finish(f, &log);
    assert_non_null(strstr(log, "event=auth-failed"));
    assert_non_null(strstr(log, "login=alice"));
    assert_null(strstr(log, "wrong password"));
    assert_null(strstr(log, "AGFsaWNl"));
    free(log);
}

/* 535 only when the auth role says so: a password program must not ask for a new password otherwise. */
static void test_auth_that_cannot_be_asked_is_454(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.auth_ms = limits.auth_total_ms = 300;
    struct fixture *f = start_with(limits);
    static const enum manner manners[] = {MANNER_DROPS, MANNER_HANGS, MANNER_IS_BUSY, MANNER_LIES};
    for (size_t i = 0; i < sizeof manners / sizeof *manners; i++) {
        roles_set(f, SERVICE_AUTH, manners[i]);
        poll(NULL, 0, 50); /* the thread of the roles looks at its manners this often */
        struct client *c = client_ehlo(f);
        say(c, AUTH_ALICE, "454 4.7.0");
        say(c, "MAIL FROM:<a@example.org>", "530 5.7.0");
        quit(c);
    }
    roles_set(f, SERVICE_AUTH, MANNER_ANSWERS);
    poll(NULL, 0, 50);
    pthread_mutex_lock(&f->roles.lock);
    f->roles.verdict = SASL_LATER;
    pthread_mutex_unlock(&f->roles.lock);
    struct client *c = client_ehlo(f);
    say(c, AUTH_ALICE, "454 4.7.0");
    quit(c);
    finish(f, NULL);
}

static void test_input_waits_while_auth_is_asked(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_ehlo(f);
    put_str(c, AUTH_ALICE "\r\nMAIL FROM:<a@example.org>\r\n"); /* AUTH must be the last of a group */
    expect(c, "554 5.5.1");
    expect_end(c);
    client_close(c);
    finish(f, NULL);
}

/* RFC 4954 §4: what comes with success is a challenge, answered by an empty line; then 235. */
static void test_additional_data_is_a_challenge_first(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_ehlo(f);
    say(c, "AUTH SCRAM-SHA-256 YQ==", "334 c2VydmVyLWZpcnN0\r\n");
    say(c, "cHJvb2Y=", "334 c2VydmVyLWZpbmFs\r\n");
    say(c, "", "235 2.7.0");
    say(c, "MAIL FROM:<alice@example.org>", "250");
    say(c, "RSET", "250");
    say(c, AUTH_ALICE, "503 5.5.1");
    quit(c);
    /* Who does not take note of it is not in. */
    c = client_ehlo(f);
    say(c, "AUTH SCRAM-SHA-256", "334 \r\n");
    say(c, "YQ==", "334 ");
    say(c, "cHJvb2Y=", "334 ");
    say(c, "*", "501 5.7.0");
    say(c, "MAIL FROM:<alice@example.org>", "530");
    say(c, "AUTH SCRAM-SHA-256 YQ==", "334 ");
    say(c, "cHJvb2Y=", "334 ");
    say(c, "MAIL FROM:<alice@example.org>", "501 5.5.2");
    say(c, "MAIL FROM:<alice@example.org>", "530");
    quit(c);
    finish(f, NULL);
}

static void test_what_auth_is_told(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_ehlo(f);
    unsigned char exporter[32];
    say(c, "AUTH login", "334 ");
    pthread_mutex_lock(&f->roles.lock);
    const struct sasl_start *told = &f->roles.start;
    assert_string_equal(told->mechanism, "LOGIN");
    assert_string_equal(told->client_address, "127.0.0.1");
    assert_string_equal(told->listener, "[::]:465");
    assert_false(told->has_initial);
    assert_string_equal(told->certificate_sha256, "");
    assert_null(told->certificate_subject);
    /* RFC 9266 §2: the client computes the same. */
    assert_true(told->has_exporter);
    assert_int_equal(SSL_export_keying_material(c->ssl, exporter, sizeof exporter, "EXPORTER-Channel-Binding",
                                                24, (const unsigned char *)"", 0, 1),
                     1);
    assert_memory_equal(told->exporter, exporter, sizeof exporter);
    pthread_mutex_unlock(&f->roles.lock);
    say(c, "KikofXwmJyJcCgk=", "334 "); /* *)(}|&'"\<LF><TAB>: A21, as it is */
    say(c, "eA==", "535 5.7.8");
    pthread_mutex_lock(&f->roles.lock);
    assert_string_equal(f->roles.auth_user, "*)(}|&'\"\\\n\t");
    pthread_mutex_unlock(&f->roles.lock);
    say(c, "AUTH PLAIN =", "501 5.5.2");
    pthread_mutex_lock(&f->roles.lock);
    assert_true(f->roles.start.has_initial);
    assert_int_equal(f->roles.start.initial.len, 0);
    pthread_mutex_unlock(&f->roles.lock);
    quit(c);
    char *log;
    finish(f, &log);
    /* In the log it is one escaped field. */
    assert_non_null(strstr(log, "login=\"*)(}|&'\\\"\\\\\\n\\x09\""));
    assert_non_null(strstr(log, "mechanism=LOGIN"));
    free(log);
}

static void test_mechanisms_that_are_not_offered(void **state)
{
    (void)state;
    struct fixture *f = start_offering(SASL_SCRAM_SHA_256 | SASL_SCRAM_SHA_256_PLUS | SASL_EXTERNAL);
    struct client *c = client_ehlo(f);
    assert_non_null(strstr(c->reply, " AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256\r\n"));
    say(c, AUTH_ALICE,
        "534 5.7.9 This authentication mechanism is too weak here: use one of "
        "SCRAM-SHA-256-PLUS SCRAM-SHA-256\r\n");
    say(c, "AUTH LOGIN", "534 5.7.9");
    say(c, "AUTH GSSAPI",
        "504 5.5.4 This authentication mechanism is not possible here: use one of "
        "SCRAM-SHA-256-PLUS SCRAM-SHA-256\r\n");
    say(c, "AUTH EXTERNAL", "504 5.5.4");
    assert_int_equal(roles_calls(f, SERVICE_AUTH), 0);
    quit(c);
    /* In TLS 1.2 clients bind to what we do not have, so no -PLUS. */
    SSL_CTX_set_max_proto_version(f->client_tls, TLS1_2_VERSION);
    c = client_ehlo(f);
    assert_non_null(strstr(c->reply, " AUTH SCRAM-SHA-256\r\n"));
    say(c, "AUTH SCRAM-SHA-256-PLUS", "504 5.5.4");
    quit(c);
    finish(f, NULL);
}

static void test_A20_blocked(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_ehlo(f);
    pthread_mutex_lock(&f->roles.lock);
    f->roles.verdict = SASL_BLOCKED;
    strcpy(f->roles.verdict_text, "Too many failed logins from 192.0.2.1: try again in 12 minutes");
    pthread_mutex_unlock(&f->roles.lock);
    say(c, AUTH_ALICE, "454 4.7.0 Too many failed logins from 192.0.2.1: try again in 12 minutes\r\n");
    say(c, "MAIL FROM:<a@example.org>", "530");
    quit(c);
    char *log;
    finish(f, &log);
    assert_non_null(strstr(log, "event=auth-blocked"));
    free(log);
}

static void test_auth_that_dies_in_an_exchange_is_454(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.auth_ms = limits.auth_total_ms = A_MOMENT_MS;
    struct fixture *f = start_with(limits);
    static const enum manner manners[] = {MANNER_DROPS, MANNER_HANGS, MANNER_IS_BUSY, MANNER_LIES};
    for (size_t i = 0; i < sizeof manners / sizeof *manners; i++) {
        struct client *c = client_ehlo(f);
        say(c, "AUTH SCRAM-SHA-256 YQ==", "334 ");
        roles_set(f, SERVICE_AUTH, manners[i]);
        poll(NULL, 0, 50); /* the thread of the roles looks at its manners this often */
        say(c, "cHJvb2Y=", "454 4.7.0");
        say(c, "MAIL FROM:<a@example.org>", "530 5.7.0");
        roles_set(f, SERVICE_AUTH, MANNER_ANSWERS);
        poll(NULL, 0, 50);
        say(c, AUTH_ALICE, "235");
        quit(c);
    }
    finish(f, NULL);
}

static void await_aborts(struct fixture *f, unsigned n)
{
    unsigned aborts = 0;
    for (int i = 0; i < 2000 && aborts < n; i++) {
        pthread_mutex_lock(&f->roles.lock);
        aborts = f->roles.aborts;
        pthread_mutex_unlock(&f->roles.lock);
        poll(NULL, 0, 10);
    }
    assert_int_equal(aborts, n);
}

static void test_an_exchange_that_ends_here_is_aborted(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_ehlo(f);
    say(c, "AUTH SCRAM-SHA-256 YQ==", "334 ");
    say(c, "*", "501 5.7.0");
    await_aborts(f, 1);
    say(c, "AUTH SCRAM-SHA-256 YQ==", "334 ");
    say(c, "?", "501 5.5.2");
    await_aborts(f, 2);
    say(c, "AUTH SCRAM-SHA-256 YQ==", "334 ");
    client_close(c);
    await_aborts(f, 3);
    c = client_ehlo(f);
    say(c, "AUTH SCRAM-SHA-256 YQ==", "334 ");
    say(c, "cHJvb2Y=", "334 ");
    client_close(c); /* over at auth already */
    c = client_login(f);
    quit(c);
    await_aborts(f, 3);
    finish(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways_to_log_in),
        cmocka_unit_test(test_A6_broken_exchanges),
        cmocka_unit_test(test_A6_long_lines),
        cmocka_unit_test(test_failures_end_the_session),
        cmocka_unit_test(test_auth_that_cannot_be_asked_is_454),
        cmocka_unit_test(test_input_waits_while_auth_is_asked),
        cmocka_unit_test(test_additional_data_is_a_challenge_first),
        cmocka_unit_test(test_what_auth_is_told),
        cmocka_unit_test(test_mechanisms_that_are_not_offered),
        cmocka_unit_test(test_A20_blocked),
        cmocka_unit_test(test_auth_that_dies_in_an_exchange_is_454),
        cmocka_unit_test(test_an_exchange_that_ends_here_is_aborted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
