/* Parameters of MAIL and RCPT, from the command into the envelope that seal is given. */
#include "tests/unit/submission/fixture.h"

static void send_message(struct client *c)
{
    say(c, "DATA", "354");
    say(c, "Subject: x\r\n\r\ny\r\n.", "250 2.0.0");
}

static bool same(const char *got, const char *want)
{
    return got && want ? strcmp(got, want) == 0 : got == want;
}

static void test_dsn_smtputf8_requiretls(void **state)
{
    (void)state;
    static const struct {
        const char *mail, *rcpt; /* rcpt NULL: RCPT TO:<bob@example.com> */
        struct {
            bool smtputf8, requiretls, body_8bit;
            const char *ret, *envid;
        } want;
        const char *notify, *orcpt;
    } cases[] = {
        {"MAIL FROM:<alice@example.org>", NULL, {0}, NULL, NULL},
        {"MAIL FROM:<alice@example.org> RET=hdrs ENVID=QQ314159",
         "RCPT TO:<bob@example.com> NOTIFY=success,failure ORCPT=rfc822;bob@example.com",
         {.ret = "HDRS", .envid = "QQ314159"},
         "SUCCESS,FAILURE",
         "rfc822;bob@example.com"},
        {"MAIL FROM:<> RET=FULL", "RCPT TO:<bob@example.com> NOTIFY=NEVER", {.ret = "FULL"}, "NEVER", NULL},
        {"MAIL FROM:<\xc3\xa4@example.org> SMTPUTF8",
         "RCPT TO:<\xc3\xb6@b\xc3\xbc"
         "cher.example> ORCPT=utf-8;\xc3\xb6@example.com",
         {.smtputf8 = true},
         NULL,
         "utf-8;\\x{F6}@example.com"},
        {"MAIL FROM:<alice@example.org> REQUIRETLS BODY=8BITMIME",
         NULL,
         {.requiretls = true, .body_8bit = true},
         NULL,
         NULL},
    };
    struct fixture *f = start();
    struct client *c = client_login(f);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        say(c, cases[i].mail, "250 2.1.0");
        say(c, cases[i].rcpt ? cases[i].rcpt : "RCPT TO:<bob@example.com>", "250 2.1.5");
        send_message(c);
        const struct envelope *e = &f->roles.envelope;
        pthread_mutex_lock(&f->roles.lock);
        assert_int_equal(e->smtputf8, cases[i].want.smtputf8);
        assert_int_equal(e->requiretls, cases[i].want.requiretls);
        assert_int_equal(e->body_8bit, cases[i].want.body_8bit);
        assert_true(same(e->ret, cases[i].want.ret));
        assert_true(same(e->envid, cases[i].want.envid));
        assert_int_equal(e->n_recipients, 1);
        assert_true(same(e->recipients[0].notify, cases[i].notify));
        assert_true(same(e->recipients[0].orcpt, cases[i].orcpt));
        pthread_mutex_unlock(&f->roles.lock);
    }
    quit(c);
    finish(f, NULL);
}

/* The same address twice is one recipient, and the last RCPT's parameters are its own. */
static void test_the_last_notify_counts(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    say(c, "MAIL FROM:<alice@example.org>", "250");
    say(c, "RCPT TO:<bob@example.com> NOTIFY=NEVER ORCPT=rfc822;first@example.com", "250 2.1.5");
    say(c, "RCPT TO:<bob@example.com> NOTIFY=DELAY", "250 2.1.5");
    send_message(c);
    pthread_mutex_lock(&f->roles.lock);
    assert_int_equal(f->roles.envelope.n_recipients, 1);
    assert_string_equal(f->roles.envelope.recipients[0].notify, "DELAY");
    assert_null(f->roles.envelope.recipients[0].orcpt);
    pthread_mutex_unlock(&f->roles.lock);
    quit(c);
    finish(f, NULL);
}

/* They come through the lookup at RCPT as well. */
static void test_parameters_behind_a_lookup(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    say(c, "MAIL FROM:<alice@example.org>", "250");
    say(c, "RCPT TO:<none@strict.example> NOTIFY=NEVER", "550 5.7.1");
    say(c, "RCPT TO:<key@strict.example> NOTIFY=NEVER ORCPT=rfc822;k+2B@strict.example", "250 2.1.5");
    send_message(c);
    pthread_mutex_lock(&f->roles.lock);
    assert_int_equal(f->roles.envelope.n_recipients, 1);
    assert_string_equal(f->roles.envelope.recipients[0].notify, "NEVER");
    assert_string_equal(f->roles.envelope.recipients[0].orcpt, "rfc822;k+2B@strict.example");
    pthread_mutex_unlock(&f->roles.lock);
    quit(c);
    finish(f, NULL);
}

/* RFC 6531 §3.4: who did not say SMTPUTF8 in MAIL may give nothing beyond ASCII. */
static void test_smtputf8_is_needed(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_login(f);
    say(c, "MAIL FROM:<\xc3\xa4@example.org>", "553 5.6.7");
    say(c, "MAIL FROM:<a@\xc3\xbc.example> BODY=8BITMIME", "553 5.6.7");
    say(c, "MAIL FROM:<\xc3@example.org> SMTPUTF8", "501 5.1.7"); /* not UTF-8 */
    say(c, "MAIL FROM:<alice@example.org>", "250");
    say(c, "RCPT TO:<\xc3\xb6@example.com>", "553 5.6.7");
    say(c, "RCPT TO:<bob@\xc3\xbc.example>", "553 5.6.7");
    say(c, "RCPT TO:<bob@example.com> ORCPT=utf-8;\xc3\xb6@example.com", "501 5.5.4");
    say(c, "RCPT TO:<bob@example.com> ORCPT=utf-8;\\x{F6}@example.com", "250 2.1.5");
    say(c, "RSET", "250");
    say(c, "MAIL FROM:<alice@example.org> SMTPUTF8", "250");
    say(c, "RCPT TO:<\xff@example.com>", "501 5.1.3");
    say(c, "RCPT TO:<\xc3\xb6@example.com>", "250 2.1.5");
    quit(c);
    finish(f, NULL);
}

/* Neither a second header field nor a second log line or field, whatever stands in a parameter. */
static void test_A9_parameters_in_the_log(void **state)
{
    (void)state;
    static const char *const before[] = {"MAIL FROM:<alice@example.org> ENVID=",
                                         "MAIL FROM:<alice@example.org> RET=FULL",
                                         "MAIL FROM:<alice@example.org> AUTH=",
                                         "MAIL FROM:<alice",
                                         "RCPT TO:<bob@example.com> ORCPT=rfc822;",
                                         "RCPT TO:<bob@example.com> NOTIFY=",
                                         "RCPT TO:<bob",
                                         "EHLO client"};
    static const char *const evil[] = {"\x01", "\x7f", "\xc3\xbc", "\x80", "+0D+0A.", "+00", "+FF", "\tX"};
    struct submission_limits limits = test_limits();
    limits.bad_commands_max = 1000;
    struct fixture *f = start_with(limits);
    struct client *c = client_login(f);
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        for (size_t j = 0; j < sizeof evil / sizeof *evil; j++) {
            char line[200];
            bool is_path = strchr(before[i], '<') && !strchr(before[i], '>');
            snprintf(line, sizeof line, "%s%sforged=1%s", before[i], evil[j], is_path ? "@example.org>" : "");
            say(c, "RSET", "250");
            if (before[i][0] == 'R')
                say(c, "MAIL FROM:<alice@example.org>", "250");
            /* In a path, "+" is no escape. */
            say(c, line, is_path && evil[j][0] == '+' ? "250" : "5");
        }
    }
    quit(c);
    char *log;
    finish(f, &log);
    assert_null(strstr(log, "\nforged"));
    assert_null(strstr(log, " forged=1"));
    for (const char *p = log; *p; p++)
        assert_true((*p >= ' ' && *p < 0x7f) || *p == '\n');
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dsn_smtputf8_requiretls),    cmocka_unit_test(test_the_last_notify_counts),
        cmocka_unit_test(test_parameters_behind_a_lookup), cmocka_unit_test(test_smtputf8_is_needed),
        cmocka_unit_test(test_A9_parameters_in_the_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
