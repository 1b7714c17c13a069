/* AUTH: the exchange over the wire, and the SASL machine by itself. */
#include "gateway/submission/sasl.h"
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
        {{"AUTH SCRAM-SHA-256"}, "504 5.5.4"},
        {{"AUTH EXTERNAL ="}, "504 5.5.4"},
        {{"AUTH ANONYMOUS"}, "504 5.5.4"},
        {{"AUTH PLAIN ="}, "501 5.5.2"},
        {{"AUTH LOGIN ="}, "501 5.5.2"},
        {{"AUTH PLAIN !!!!"}, "501 5.5.2"},
        {{"AUTH PLAIN A"}, "501 5.5.2"},
        {{"AUTH PLAIN AGFsaWNlAHNlY3JldA="}, "501 5.5.2"},
        {{"AUTH PLAIN ====="}, "501 5.5.2"},
        {{"AUTH PLAIN AGFsaWNl"}, "501 5.5.2"},                 /* no password */
        {{"AUTH PLAIN YWxpY2U="}, "501 5.5.2"},                 /* no NUL at all */
        {{"AUTH PLAIN AAAA"}, "501 5.5.2"},                     /* NUL NUL NUL: an empty user */
        {{"AUTH PLAIN AGFsaWNlAHNlY3JldAB4"}, "501 5.5.2"},     /* a NUL in the password */
        {{"AUTH PLAIN Ym9iAGFsaWNlAHNlY3JldA=="}, "535 5.7.8"}, /* as bob */
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
        {{"AUTH LOGIN", "YWxpAGNl", "c2VjcmV0"}, "501 5.5.2"}, /* a NUL in the name */
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
            /* The library may find out about a NUL in a name at once. */
            if (!last && strncmp(reply, cases[i].reply, 9) == 0)
                break;
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
    limits.auth_ms = 300;
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
    f->roles.verdict = AUTH_UNAVAILABLE;
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

static void test_A21_strange_user_names_arrive_as_they_are(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_ehlo(f);
    say(c, "AUTH LOGIN KikofXwmJyJcCgk=", "334 "); /* *)(}|&'"\<LF><TAB> */
    say(c, "eA==", "535 5.7.8");
    pthread_mutex_lock(&f->roles.lock);
    assert_string_equal(f->roles.auth_user, "*)(}|&'\"\\\n\t");
    pthread_mutex_unlock(&f->roles.lock);
    /* PLAIN prepares names (RFC 4616 §2), which allows no control characters: nobody is asked. */
    say(c, "AUTH PLAIN AGEKYgB4", "535 5.7.8");
    assert_int_equal(roles_calls(f, SERVICE_AUTH), 1);
    quit(c);
    char *log;
    finish(f, &log);
    /* In the log it is one escaped field. */
    assert_non_null(strstr(log, "login=\"*)(}|&'\\\"\\\\\\n\\x09\""));
    free(log);
}

/* A6: every short base64 text, and each mechanism, without a crash (with the sanitizers). */
static void test_A6_sasl_machine_with_many_inputs(void **state)
{
    (void)state;
    Gsasl *library;
    struct error err = {0};
    static const char alphabet[] = "AQg=+/z* ";
    static const char *const names[] = {"PLAIN", "LOGIN"};
    assert_int_equal(sasl_library_open(&library, &err), STATUS_OK);
    for (size_t i = 0; i < 6561; i++) {
        char text[5];
        size_t rest = i;
        for (int j = 0; j < 4; j++, rest /= 9)
            text[j] = alphabet[rest % 9];
        for (size_t len = 0; len <= 4; len++) {
            for (int m = 0; m < 2; m++) {
                struct sasl *sasl;
                struct buf challenge;
                struct span initial = span_of(text, len);
                buf_init(&challenge, 1000);
                assert_int_equal(sasl_start(library, span_str(names[m]), &sasl, &err), STATUS_OK);
                enum sasl_result result = sasl_begin(sasl, &initial, &challenge);
                for (int step = 0; result == SASL_CHALLENGE; step++) {
                    assert_true(step < 3);
                    result = sasl_step(sasl, initial, &challenge);
                }
                sasl_free(sasl);
                buf_free(&challenge);
            }
        }
    }
    sasl_library_close(library);
}

static void test_credentials_too_long(void **state)
{
    (void)state;
    Gsasl *library;
    struct error err = {0};
    assert_int_equal(sasl_library_open(&library, &err), STATUS_OK);
    static const struct {
        size_t user, password;
        enum sasl_result result;
    } cases[] = {{255, 1023, SASL_CREDENTIALS},
                 {256, 10, SASL_REFUSED},
                 {10, 1024, SASL_REFUSED},
                 {4000, 4000, SASL_REFUSED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t len = 2 + cases[i].user + cases[i].password;
        char *plain = malloc(len), *encoded = NULL;
        memset(plain, 'a', len);
        plain[0] = plain[1 + cases[i].user] = '\0';
        assert_int_equal(gsasl_base64_to(plain, len, &encoded, NULL), GSASL_OK);
        struct sasl *sasl;
        struct buf challenge;
        struct span initial = span_str(encoded);
        buf_init(&challenge, 1000);
        assert_int_equal(sasl_start(library, span_str("PLAIN"), &sasl, &err), STATUS_OK);
        assert_int_equal(sasl_begin(sasl, &initial, &challenge), cases[i].result);
        if (cases[i].result == SASL_CREDENTIALS) {
            struct auth_check check;
            sasl_credentials(sasl, &check);
            assert_int_equal(strlen(check.user), cases[i].user);
            assert_int_equal(strlen(check.password), cases[i].password);
        }
        sasl_free(sasl);
        buf_free(&challenge);
        gsasl_free(encoded);
        free(plain);
    }
    sasl_library_close(library);
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
        cmocka_unit_test(test_A21_strange_user_names_arrive_as_they_are),
        cmocka_unit_test(test_A6_sasl_machine_with_many_inputs),
        cmocka_unit_test(test_credentials_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
