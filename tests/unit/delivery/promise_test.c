/* What submission announces is kept on the way out: DSN (RFC 3461), SMTPUTF8 (RFC 6531), REQUIRETLS
 * (RFC 8689). */
#include "tests/unit/delivery/bench.h"
#include "tests/unit/net/dns_server.h"

static struct bench bench;

static bool was_said(const char *text)
{
    return strstr(buf_str(&bench.smtpd.commands), text) != NULL;
}

/* ---- DSN ---- */

static const struct bench_lease with_dsn = {.copy_id = 1,
                                            .notify = "SUCCESS,FAILURE",
                                            .orcpt = "rfc822;Bob+2Bx@example.com",
                                            .envid = "QQ+3D1",
                                            .ret = "FULL",
                                            .body = {mail, sizeof mail - 1},
                                            .recipients = {"bob@example.com"}};

static void a_host_that_knows_dsn_is_told_all(void **state)
{
    (void)state;
    bench.smtpd.capabilities = "250-DSN\r\n";
    bench_deliver(&bench, &with_dsn, 1);
    assert_int_equal(bench_result(&bench, 100)->outcome, OUTCOME_DELIVERED);
    assert_true(was_said("MAIL FROM:<alice@example.org> RET=FULL ENVID=QQ+3D1\n"));
    assert_true(
        was_said("RCPT TO:<bob@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob+2Bx@example.com\n"));
    assert_null(bench_dsn(&bench)); /* the host will tell */
}

static void a_host_that_does_not_know_dsn_is_told_nothing_but_the_sender_is(void **state)
{
    (void)state;
    bench.smtpd.capabilities = "250-PIPELINING\r\n";
    bench_deliver(&bench, &with_dsn, 1);
    assert_int_equal(bench_result(&bench, 100)->outcome, OUTCOME_DELIVERED);
    assert_true(was_said("MAIL FROM:<alice@example.org>\n"));
    assert_true(was_said("RCPT TO:<bob@example.com>\n"));
    const char *dsn = bench_dsn(&bench);
    assert_non_null(dsn);
    assert_non_null(strstr(dsn, "Original-Envelope-Id: QQ=1\r\n"));
    assert_non_null(strstr(dsn, "Original-Recipient: rfc822;Bob+x@example.com\r\n"));
    assert_non_null(strstr(dsn, "Action: relayed\r\nStatus: 2.0.0\r\n"));
    assert_non_null(strstr(dsn, "Diagnostic-Code: smtp; 250 2.0.0 taken\r\n"));
    /* A32: never the body, though RET=FULL asks for it. */
    assert_null(strstr(dsn, "canary"));
    assert_string_equal(bench.outcomes[0].dsn_recipient, "alice@example.org");
}

static void who_hears_what(void **state)
{
    (void)state;
    static const struct {
        const char *notify, *from;
        bool refused, dsn;
    } cases[] = {
        {NULL, NULL, false, false},     {"FAILURE", NULL, false, false}, {"NEVER", NULL, false, false},
        {"DELAY", NULL, false, false},  {"SUCCESS", NULL, false, true},  {"SUCCESS", "", false, false},
        {NULL, NULL, true, true},       {"FAILURE", NULL, true, true},   {"NEVER", NULL, true, false},
        {"SUCCESS", NULL, true, false}, {"DELAY", NULL, true, false},    {"FAILURE", "", true, false},
    };
    bench_start(&bench);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench.smtpd.refuse = cases[i].refused ? "bob" : NULL;
        bench_send(&bench, &(struct bench_lease){.copy_id = 1,
                                                 .notify = cases[i].notify,
                                                 .reverse_path = cases[i].from,
                                                 .body = span_str(mail),
                                                 .recipients = {"bob@example.com"}});
        bench_wait(&bench, 1);
        if ((bench_dsn(&bench) != NULL) != cases[i].dsn)
            fail_msg("case %zu: %s", i, bench_dsn(&bench) ? bench_dsn(&bench) : "no DSN");
        bench_forget(&bench);
    }
}

/* The message of the bench is years old. */
static void who_hears_of_a_delay(void **state)
{
    (void)state;
    static const struct {
        int64_t after_ms;
        const char *notify, *from;
        bool told, dsn;
    } cases[] = {
        {1000, NULL, NULL, false, true},       {1000, "FAILURE,DELAY", NULL, false, true},
        {1000, "FAILURE", NULL, false, false}, {1000, "NEVER", NULL, false, false},
        {1000, NULL, "", false, false},        {1000, NULL, NULL, true, false},
        {0, NULL, NULL, false, false},         {INT64_MAX, NULL, NULL, false, false},
    };
    bench.smtpd.put_off = "bob";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench.settings.delay_warning_ms = cases[i].after_ms;
        bench_start(&bench);
        bench_send(&bench, &(struct bench_lease){.copy_id = 1,
                                                 .notify = cases[i].notify,
                                                 .reverse_path = cases[i].from,
                                                 .delay_told = cases[i].told,
                                                 .body = span_str(mail),
                                                 .recipients = {"bob@example.com"}});
        bench_wait(&bench, 1);
        assert_int_equal(bench.outcomes[0].recipients[0].outcome, OUTCOME_DEFERRED);
        assert_int_equal(bench.outcomes[0].recipients[0].delay_told, cases[i].dsn);
        if ((bench_dsn(&bench) != NULL) != cases[i].dsn)
            fail_msg("case %zu: %s", i, bench_dsn(&bench) ? bench_dsn(&bench) : "no DSN");
        if (cases[i].dsn) {
            assert_non_null(strstr(bench_dsn(&bench), "Action: delayed\r\nStatus: 4.2.1\r\n"));
            assert_null(strstr(bench_dsn(&bench), "canary"));
        }
        bench_forget(&bench);
        bench_stop(&bench);
    }
    bench_start(&bench);
}

/* The destination cannot be reached, and it is another message that tries. */
static void a_delay_is_told_without_an_attempt(void **state)
{
    (void)state;
    static const struct {
        const char *notify, *reason;
        bool expired, dsn;
    } cases[] = {{NULL, "nobody answers", false, true},
                 {NULL, NULL, false, true},
                 {NULL, "nobody answers", true, true},
                 {"FAILURE", "nobody answers", false, false}};
    bench_start(&bench);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench_send(&bench, &(struct bench_lease){.copy_id = 1,
                                                 .state = COPY_DELAYED,
                                                 .locked = i == 0,
                                                 .notify = cases[i].notify,
                                                 .reason = cases[i].reason,
                                                 .expired = cases[i].expired,
                                                 .body = span_str(mail),
                                                 .recipients = {"bob@example.com"}});
        bench_wait(&bench, 1);
        const struct outcome_recipient *r = bench_result(&bench, 100);
        assert_int_equal(r->outcome, OUTCOME_DEFERRED);
        assert_int_equal(r->reach, REACH_UNKNOWN);
        assert_int_equal(r->delay_told, cases[i].dsn);
        const char *dsn = bench_dsn(&bench);
        if ((dsn != NULL) != cases[i].dsn)
            fail_msg("case %zu: %s", i, dsn ? dsn : "no DSN");
        if (dsn) {
            assert_non_null(strstr(dsn, "Action: delayed\r\nStatus: 4.4.0\r\n"));
            assert_non_null(
                strstr(dsn, cases[i].reason ? cases[i].reason : "no mail server of this domain could be"));
            assert_non_null(strstr(dsn, "Subject: s\r\n"));
            assert_null(strstr(dsn, "canary"));
        }
        bench_forget(&bench);
    }
    assert_int_equal(bench.smtpd.commands.len, 0);
}

static void a9_parameters_cannot_break_out(void **state)
{
    (void)state;
    static const char evil[] = "x\r\nRCPT TO:<eve@example.com>", also_evil[] = "x BODY=8BITMIME";
    bench.smtpd.capabilities = "250-DSN\r\n";
    bench_start(&bench);
    for (int i = 0; i < 8; i++) {
        struct bench_lease lease = with_dsn;
        const char **fields[] = {&lease.notify, &lease.orcpt, &lease.envid, &lease.ret};
        *fields[i / 2] = i % 2 ? evil : also_evil;
        bench_send(&bench, &lease);
        bench_wait(&bench, 1);
        assert_int_equal(bench_result(&bench, 100)->outcome, OUTCOME_BOUNCED);
        bench_forget(&bench);
    }
    assert_int_equal(bench.smtpd.connections, 0);
}

/* ---- SMTPUTF8 ---- */

static void only_who_needs_smtputf8_is_refused_for_want_of_it(void **state)
{
    (void)state;
    for (int pipelining = 0; pipelining <= 1; pipelining++) {
        bench.smtpd.capabilities = pipelining ? "250-PIPELINING\r\n250-8BITMIME\r\n" : "250-8BITMIME\r\n";
        bench_deliver(&bench,
                      &(struct bench_lease){.copy_id = 1,
                                            .smtputf8 = true,
                                            .body = span_str(mail),
                                            .recipients = {"j\xc3\xb6rg@example.com", "bob@example.com",
                                                           "alice@b\xc3\xbc\x63her.example"}},
                      3);
        assert_int_equal(bench_result(&bench, 100)->outcome, OUTCOME_BOUNCED);
        assert_int_equal(bench_result(&bench, 101)->outcome, OUTCOME_DELIVERED);
        assert_int_equal(bench_result(&bench, 102)->outcome, OUTCOME_BOUNCED);
        assert_non_null(strstr(bench_result(&bench, 100)->reply, "SMTPUTF8"));
        assert_string_equal(bench.smtpd.recipients, "<bob@example.com>,");
        assert_false(was_said(" SMTPUTF8"));
        assert_false(was_said("RCPT TO:<j"));
        assert_non_null(strstr(bench_dsn(&bench), "Final-Recipient: utf-8; j\\x{F6}rg@example.com\r\n"
                                                  "Action: failed\r\nStatus: 5.6.7\r\n"));
        assert_non_null(strstr(bench_dsn(&bench), "  j=C3=B6rg@example.com\r\n"));
        assert_null(strstr(bench_dsn(&bench), "bob@"));
        bench_stop(&bench);
        bench_forget(&bench);
    }
}

static void an_international_sender_or_header_needs_it_for_all(void **state)
{
    (void)state;
    static const struct {
        const char *from, *body;
    } cases[] = {{"j\xc3\xb6rg@example.org", mail}, {NULL, "Subject: caf\xc3\xa9\r\n\r\nx\r\n"}};
    bench.smtpd.capabilities = "250-8BITMIME\r\n";
    bench_start(&bench);
    for (size_t i = 0; i < 2; i++) {
        bench_send(&bench, &(struct bench_lease){.copy_id = 1,
                                                 .smtputf8 = true,
                                                 .reverse_path = cases[i].from,
                                                 .body = span_str(cases[i].body),
                                                 .recipients = {"bob@example.com", "carol@example.com"}});
        bench_wait(&bench, 2);
        assert_int_equal(bench_result(&bench, 100)->outcome, OUTCOME_BOUNCED);
        assert_int_equal(bench_result(&bench, 101)->outcome, OUTCOME_BOUNCED);
        assert_non_null(strstr(bench_dsn(&bench), "Status: 5.6.7\r\n"));
        assert_non_null(strstr(bench_dsn(&bench), "plain ASCII letters"));
        bench_forget(&bench);
    }
    assert_int_equal(bench.smtpd.messages, 0);
}

static void a_host_with_smtputf8_gets_it_as_it_is(void **state)
{
    (void)state;
    bench.smtpd.capabilities = "250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n";
    bench_deliver(&bench,
                  &(struct bench_lease){.copy_id = 1,
                                        .smtputf8 = true,
                                        .body = span_str(mail),
                                        .recipients = {"j\xc3\xb6rg@example.com", "bob@example.com"}},
                  2);
    assert_int_equal(bench_result(&bench, 100)->outcome, OUTCOME_DELIVERED);
    assert_int_equal(bench_result(&bench, 101)->outcome, OUTCOME_DELIVERED);
    assert_true(was_said("MAIL FROM:<alice@example.org> SMTPUTF8\n"));
    assert_string_equal(bench.smtpd.recipients, "<j\xc3\xb6rg@example.com>,<bob@example.com>,");
}

/* ---- REQUIRETLS ---- */

static const char announced[] = "250-PIPELINING\r\n250-REQUIRETLS\r\n";

static void requiretls_wants_a_verified_host_that_supports_it(void **state)
{
    (void)state;
    char named[64], literal[64];
    struct error err;
    SSL_CTX *no_anchor;
    snprintf(named, sizeof named, "[localhost]:%d", bench.smtpd.port);
    snprintf(literal, sizeof literal, "[127.0.0.1]:%d", bench.smtpd.port);
    assert_int_equal(tls_client_context(&(struct tls_client_settings){NULL}, &no_anchor, &err), STATUS_OK);
    const struct {
        const char *route;
        SSL_CTX *tls;
        const char *capabilities, *from;
        bool no_starttls;
        enum deed at_starttls;
        enum delivery_outcome want;
        const char *says;
    } cases[] = {
        {named, bench.client_tls, announced, NULL, false, DO_RIGHT, OUTCOME_DELIVERED, "250"},
        {named, bench.client_tls, "", NULL, false, DO_RIGHT, OUTCOME_BOUNCED, "does not support REQUIRETLS"},
        {literal, bench.client_tls, announced, NULL, false, DO_RIGHT, OUTCOME_BOUNCED,
         "trusted, but not for"},
        {named, no_anchor, announced, NULL, false, DO_RIGHT, OUTCOME_BOUNCED, "not trusted"},
        {named, bench.client_tls, announced, NULL, true, DO_RIGHT, OUTCOME_BOUNCED,
         "does not offer STARTTLS"},
        {named, bench.client_tls, announced, NULL, false, DO_5XX, OUTCOME_BOUNCED, "refused STARTTLS"},
        {named, bench.client_tls, announced, NULL, false, DO_4XX, OUTCOME_DEFERRED, "cannot start it now"},
        {named, bench.client_tls, announced, NULL, false, DO_PLAINTEXT, OUTCOME_DEFERRED, ""},
        /* RFC 8689 §5: a notification still wants verified TLS, but not the announcement, and waits for it.
         */
        {named, bench.client_tls, announced, "", false, DO_RIGHT, OUTCOME_DELIVERED, "250"},
        {named, bench.client_tls, "", "", false, DO_RIGHT, OUTCOME_DELIVERED, "250"},
        {literal, bench.client_tls, announced, "", false, DO_RIGHT, OUTCOME_DEFERRED, "trusted, but not for"},
        {named, bench.client_tls, announced, "", true, DO_RIGHT, OUTCOME_DEFERRED, "STARTTLS"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        /* Whatever the administrator allows. */
        bench.settings.tls.level = i % 2 ? TLS_LEVEL_NONE : TLS_LEVEL_MAY;
        bench.settings.route = cases[i].route;
        bench.settings.tls_context = cases[i].tls;
        bench.smtpd.capabilities = cases[i].capabilities;
        bench.smtpd.no_starttls = cases[i].no_starttls;
        bench.smtpd.step = AT_STARTTLS;
        bench.smtpd.deed = cases[i].at_starttls;
        bench.smtpd.messages = 0;
        buf_reset(&bench.smtpd.commands);
        bench_deliver(&bench,
                      &(struct bench_lease){.copy_id = 1,
                                            .requiretls = true,
                                            .reverse_path = cases[i].from,
                                            .body = span_str(mail),
                                            .recipients = {"bob@example.com"}},
                      1);
        const struct outcome_recipient *r = bench_result(&bench, 100);
        bool sent = cases[i].want == OUTCOME_DELIVERED;
        if (r->outcome != cases[i].want || !strstr(r->reply, cases[i].says))
            fail_msg("case %zu: %d %s", i, r->outcome, r->reply);
        assert_int_equal(was_said("MAIL FROM:"), sent);
        assert_int_equal(was_said(" REQUIRETLS\n"), sent && *cases[i].capabilities);
        assert_int_equal(bench.smtpd.messages, sent);
        assert_false(bench.smtpd.clear_mail);
        if (sent)
            assert_string_equal(r->tls_peer, "verified for localhost (pkix); level secure by REQUIRETLS");
        assert_int_equal(bench_dsn(&bench) != NULL, r->outcome == OUTCOME_BOUNCED && !cases[i].from);
        if (bench_dsn(&bench))
            assert_non_null(strstr(bench_dsn(&bench), "Status: 5.7.30\r\n"));
        bench_stop(&bench);
        bench_forget(&bench);
    }
    SSL_CTX_free(no_anchor);
}

/* A connection that was good enough for other mail is not used, nor the other way round. */
static void requiretls_shares_no_connection(void **state)
{
    (void)state;
    char named[64];
    snprintf(named, sizeof named, "[localhost]:%d", bench.smtpd.port);
    bench.settings.route = named;
    bench.settings.tls.level = TLS_LEVEL_NONE;
    bench.smtpd.capabilities = announced;
    bench_start(&bench);
    for (int64_t i = 0; i < 4; i++) {
        bench_send(&bench, &(struct bench_lease){.copy_id = i,
                                                 .requiretls = i % 2 == 1,
                                                 .body = span_str(mail),
                                                 .recipients = {"bob@example.com"}});
        bench_wait(&bench, (size_t)i + 1);
        assert_int_equal(bench_result(&bench, i * 100)->outcome, OUTCOME_DELIVERED);
        assert_int_equal(bench_result(&bench, i * 100)->tls_version != NULL, i % 2 == 1);
    }
    assert_int_equal(bench.smtpd.connections, 2);
}

/* A notification may go where the announcement is missing; the message behind it, over the same connection,
 * may not. */
static void requiretls_is_looked_at_for_each_message(void **state)
{
    (void)state;
    char named[64];
    snprintf(named, sizeof named, "[localhost]:%d", bench.smtpd.port);
    bench.settings.route = named;
    bench_start(&bench);
    for (int64_t i = 0; i < 3; i++) {
        bench_send(&bench, &(struct bench_lease){.copy_id = i,
                                                 .requiretls = true,
                                                 .reverse_path = i == 1 ? NULL : "",
                                                 .body = span_str(mail),
                                                 .recipients = {"bob@example.com"}});
        bench_wait(&bench, (size_t)i + 1);
        assert_int_equal(bench_result(&bench, i * 100)->outcome,
                         i == 1 ? OUTCOME_BOUNCED : OUTCOME_DELIVERED);
    }
    assert_int_equal(bench.smtpd.messages, 2);
}

static const struct dns_record two[] = {
    {"secure.example", ns_t_mx, 0, false,
     (const char *const[]){"10 a.example.com", "20 b.example.com", NULL}},
    {"example.com", ns_t_mx, 0, false, (const char *const[]){"10 a.example.com", "20 b.example.com", NULL}},
    {"a.example.com", ns_t_a, 0, false, (const char *const[]){"127.0.0.1", NULL}},
    {"b.example.com", ns_t_a, 0, false, (const char *const[]){"127.0.0.1", NULL}},
};

/* RFC 8689 §4.2.1: every host of the route, before it is returned; the certificate is for the domain, for its
 * MX records are not vouched for. */
static void requiretls_tries_every_mx(void **state)
{
    (void)state;
    static const struct {
        const char *to;
        unsigned poor;
        enum delivery_outcome want;
        const char *host;
        unsigned connections;
    } cases[] = {
        {"bob@secure.example", 0, OUTCOME_DELIVERED, "a.example.com", 1},
        {"bob@secure.example", 1, OUTCOME_DELIVERED, "b.example.com", 2},
        {"bob@secure.example", 2, OUTCOME_BOUNCED, NULL, 2},
        {"bob@example.com", 0, OUTCOME_BOUNCED, NULL, 2},
    };
    struct dns_server dns;
    dns_server_start(&dns, bench.base, two, sizeof two / sizeof two[0]);
    const char *servers[] = {dns.address};
    bench.settings.resolver = (struct resolver_settings){.servers = servers, .n_servers = 1};
    bench.settings.route = "mx";
    bench.settings.tls.level = TLS_LEVEL_MAY;
    bench.smtpd.capabilities = announced;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench.smtpd.connections = 0;
        bench.smtpd.poor = cases[i].poor;
        bench_deliver(
            &bench,
            &(struct bench_lease){
                .copy_id = 1, .requiretls = true, .body = span_str(mail), .recipients = {cases[i].to}},
            1);
        const struct outcome_recipient *r = bench_result(&bench, 100);
        if (r->outcome != cases[i].want || bench.smtpd.connections != cases[i].connections)
            fail_msg("case %zu: %d %s, %u connections", i, r->outcome, r->reply, bench.smtpd.connections);
        if (cases[i].host)
            assert_non_null(strstr(r->host, cases[i].host));
        else
            assert_non_null(strstr(bench_dsn(&bench), "Status: 5.7.30\r\n"));
        bench_stop(&bench);
        bench_forget(&bench);
    }
    assert_false(bench.smtpd.clear_mail);
    dns_server_stop(&dns);
}

/* ---- TLS-Required: No ---- */

/* RFC 8689 §5: queue is told when the report has it, as the message has. */
static void the_report_may_do_without_tls_when_the_message_may(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        bool requiretls, optional;
    } cases[] = {{"Subject: s\r\n\r\nTLS-Required: No\r\n", false, false},
                 {"TLS-Required: No\r\nSubject: s\r\n\r\nx\r\n", false, true},
                 {"TLS-Required: No\r\nSubject: s\r\n\r\nx\r\n", true, false}};
    bench.smtpd.refuse = "bob";
    bench_start(&bench);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench_send(&bench, &(struct bench_lease){.copy_id = 1,
                                                 .requiretls = cases[i].requiretls,
                                                 .body = span_str(cases[i].body),
                                                 .recipients = {"bob@example.com"}});
        bench_wait(&bench, 1);
        assert_int_equal(bench_result(&bench, 100)->outcome, OUTCOME_BOUNCED);
        assert_int_equal(strstr(bench_dsn(&bench), "TLS-Required: No\r\nAuto-Submitted:") != NULL,
                         cases[i].optional);
        assert_int_equal(bench.outcomes[0].dsn_tls_optional, cases[i].optional);
        bench_forget(&bench);
    }
}

#define TEST(name) BENCH_TEST(name, &bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_host_that_knows_dsn_is_told_all),
        TEST(a_host_that_does_not_know_dsn_is_told_nothing_but_the_sender_is),
        TEST(who_hears_what),
        TEST(who_hears_of_a_delay),
        TEST(a_delay_is_told_without_an_attempt),
        TEST(a9_parameters_cannot_break_out),
        TEST(only_who_needs_smtputf8_is_refused_for_want_of_it),
        TEST(an_international_sender_or_header_needs_it_for_all),
        TEST(a_host_with_smtputf8_gets_it_as_it_is),
        TEST(requiretls_wants_a_verified_host_that_supports_it),
        TEST(requiretls_shares_no_connection),
        TEST(requiretls_is_looked_at_for_each_message),
        TEST(requiretls_tries_every_mx),
        TEST(the_report_may_do_without_tls_when_the_message_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
