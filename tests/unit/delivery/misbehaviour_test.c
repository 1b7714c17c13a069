/* Each step of the dialog × each way a host can misbehave: what becomes of the recipient, and that nothing is
 * ever sent in clear. */
#include "tests/unit/delivery/bench.h"

static struct bench bench;

static const char message[] = "From: alice@example.org\r\nSubject: s\r\n\r\n.dot\r\nbody\r\n";

static const char *const step_names[] = {"nothing", "greeting", "EHLO", "STARTTLS", "EHLO over TLS",
                                         "MAIL",    "RCPT",     "DATA", "end"};
static const char *const deed_names[] = {"right",     "close",   "4xx",           "5xx",
                                         "421",       "garbage", "endless lines", "endless line",
                                         "plaintext", "hang",    "odd code",      "530"};

/* Its lines begin with 250, whatever comes of the rest: another attempt would make a duplicate of what is
 * taken to be there. */
static bool is_lie(enum step step, enum deed deed)
{
    return step == AT_END && deed == DO_ENDLESS_LINES;
}

/* A 5xx is the only thing that bounces, and only about a message: one that turns this gateway away, or wants
 * it to authenticate, is a mistake in the configuration of the fixed route. */
static enum delivery_outcome expected(enum step step, enum deed deed)
{
    if (deed == DO_RIGHT || (deed == DO_PLAINTEXT && step != AT_STARTTLS) || is_lie(step, deed))
        return OUTCOME_DELIVERED;
    if (deed == DO_5XX && step >= AT_MAIL)
        return OUTCOME_BOUNCED;
    return OUTCOME_DEFERRED;
}

static void one(enum step step, enum deed deed)
{
    bench.smtpd.step = step;
    bench.smtpd.deed = deed;
    bench.smtpd.messages = 0;
    bench_start(&bench);
    bench_send(&bench, &(struct bench_lease){
                           .copy_id = 1, .body = span_str(message), .recipients = {"bob@example.com"}});
    bench_wait(&bench, 1);
    const struct queue_outcome *o = &bench.outcomes[0];
    enum delivery_outcome want = expected(step, deed);
    bool arrives = want == OUTCOME_DELIVERED && !is_lie(step, deed);
    if (o->recipients[0].outcome != want || bench.smtpd.messages != arrives)
        print_message("%s at %s: %d %s, %u messages\n", deed_names[deed], step_names[step],
                      o->recipients[0].outcome, o->recipients[0].reply, bench.smtpd.messages);
    assert_int_equal(o->recipients[0].outcome, want);
    assert_int_equal(o->has_dsn, want == OUTCOME_BOUNCED);
    assert_int_equal(bench.smtpd.messages, arrives);
    assert_false(bench.smtpd.clear_mail);
    assert_true(o->recipients[0].reply && o->recipients[0].reply[0]);
    assert_true(strlen(o->recipients[0].reply) <= 500);
    for (const char *c = o->recipients[0].reply; *c; c++)
        assert_true(*c >= ' ' && *c < 0x7f);
    bench_stop(&bench);
    bench_forget(&bench);
}

static enum step skipped_step;

static void all_steps(const char *capabilities)
{
    bench.smtpd.capabilities = capabilities;
    bench.settings.tls.level = TLS_LEVEL_ENCRYPT;
    for (enum step step = AT_GREETING; step < STEPS; step++)
        for (enum deed deed = DO_RIGHT; deed < DEEDS; deed++)
            if (deed != DO_HANG && step != skipped_step)
                one(step, deed);
}

static void a3_a22_every_step_with_pipelining(void **state)
{
    (void)state;
    all_steps("250-PIPELINING\r\n250-SIZE 100000000\r\n250-8BITMIME\r\n");
}

static void a3_a22_every_step_without_pipelining(void **state)
{
    (void)state;
    all_steps("");
}

/* Behind BDAT there is no step DATA. */
static void a3_a22_every_step_with_chunking(void **state)
{
    (void)state;
    skipped_step = AT_DATA;
    all_steps("250-PIPELINING\r\n250-CHUNKING\r\n");
    all_steps("250-CHUNKING\r\n");
    skipped_step = AT_NOTHING;
}

static void a18_a_silent_host_is_left(void **state)
{
    (void)state;
    struct delivery_timeouts old = bench.settings.timeouts;
    bench.smtpd.capabilities = "250-PIPELINING\r\n";
    bench.settings.timeouts = (struct delivery_timeouts){5000, 5000, 150, 150, 150, 150};
    for (enum step step = AT_GREETING; step < STEPS; step++)
        one(step, DO_HANG);
    bench.settings.timeouts = old;
}

/* With "may" the same host gets the message in clear where TLS fails, but not by injection. */
static void may_falls_back_to_clear_only_where_allowed(void **state)
{
    (void)state;
    static const struct {
        enum tls_level level;
        bool no_starttls;
        enum deed at_starttls;
        enum delivery_outcome want;
        bool clear;
    } cases[] = {
        {TLS_LEVEL_MAY, true, DO_RIGHT, OUTCOME_DELIVERED, true},
        {TLS_LEVEL_MAY, false, DO_RIGHT, OUTCOME_DELIVERED, false},
        {TLS_LEVEL_MAY, false, DO_4XX, OUTCOME_DELIVERED, true},
        {TLS_LEVEL_MAY, false, DO_5XX, OUTCOME_DELIVERED, true},
        {TLS_LEVEL_MAY, false, DO_PLAINTEXT, OUTCOME_DEFERRED, false},
        {TLS_LEVEL_NONE, false, DO_RIGHT, OUTCOME_DELIVERED, true},
        {TLS_LEVEL_ENCRYPT, true, DO_RIGHT, OUTCOME_DEFERRED, false},
        {TLS_LEVEL_VERIFY, true, DO_RIGHT, OUTCOME_DEFERRED, false},
        {TLS_LEVEL_SECURE, true, DO_RIGHT, OUTCOME_DEFERRED, false},
        {TLS_LEVEL_SECURE, false, DO_4XX, OUTCOME_DEFERRED, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bench.settings.tls.level = cases[i].level;
        bench.smtpd.no_starttls = cases[i].no_starttls;
        bench.smtpd.step = AT_STARTTLS;
        bench.smtpd.deed = cases[i].at_starttls;
        bench.smtpd.clear_mail = false;
        bench_start(&bench);
        bench_send(&bench, &(struct bench_lease){
                               .copy_id = 1, .body = span_str(message), .recipients = {"bob@example.com"}});
        bench_wait(&bench, 1);
        const struct outcome_recipient *r = &bench.outcomes[0].recipients[0];
        if (r->outcome != cases[i].want)
            print_message("case %zu: %s\n", i, r->reply);
        assert_int_equal(r->outcome, cases[i].want);
        assert_int_equal(bench.smtpd.clear_mail, cases[i].clear);
        assert_int_equal(r->tls_version != NULL, cases[i].want == OUTCOME_DELIVERED && !cases[i].clear);
        bench_stop(&bench);
        bench_forget(&bench);
    }
    bench.smtpd.no_starttls = false;
    bench.smtpd.clear_mail = false;
}

static int setup(void **state)
{
    (void)state;
    bench_prepare(&bench);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bench_clean(&bench);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a3_a22_every_step_with_pipelining),
        cmocka_unit_test(a3_a22_every_step_without_pipelining),
        cmocka_unit_test(a3_a22_every_step_with_chunking),
        cmocka_unit_test(a18_a_silent_host_is_left),
        cmocka_unit_test(may_falls_back_to_clear_only_where_allowed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
