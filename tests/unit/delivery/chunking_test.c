/* BDAT (RFC 3030) where the host offers CHUNKING: what arrives, and what stays of a refused one. */
#include "tests/unit/delivery/bench.h"

static struct bench bench;

static const char small[] = "From: alice@example.org\r\n\r\n.body\r\n";

static int prepare(void **state)
{
    (void)state;
    bench_prepare(&bench);
    bench.smtpd.capabilities = "250-PIPELINING\r\n250-CHUNKING\r\n250-8BITMIME\r\n";
    return 0;
}

static int clean(void **state)
{
    (void)state;
    bench_stop(&bench);
    bench_clean(&bench);
    return 0;
}

static enum delivery_outcome deliver(struct span body, const char *first, const char *second)
{
    static int64_t copy_id;
    size_t before = bench.n_outcomes;
    bench_send(&bench,
               &(struct bench_lease){.copy_id = ++copy_id, .body = body, .recipients = {first, second}});
    bench_wait(&bench, bench.n_recipients + (second ? 2 : 1));
    return bench.outcomes[before].recipients[0].outcome;
}

static bool said(const char *text)
{
    return strstr(buf_str(&bench.smtpd.commands), text) != NULL;
}

static void a2_what_arrives_is_what_was_queued(void **state)
{
    (void)state;
    static const struct {
        const char *body, *arrives;
    } cases[] = {
        {"A: b\r\n\r\n.\r\n..\r\n.x\r\n", "A: b\r\n\r\n.\r\n..\r\n.x\r\n"},
        {"A: b\r\n\r\nno line end", "A: b\r\n\r\nno line end\r\n"},
        {".", ".\r\n"},
        {"", ""},
    };
    bench_start(&bench);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(deliver(span_str(cases[i].body), "bob@example.com", NULL), OUTCOME_DELIVERED);
        assert_int_equal(bench.smtpd.last.len, strlen(cases[i].arrives));
        assert_memory_equal(bench.smtpd.last.data, cases[i].arrives, bench.smtpd.last.len);
    }
    assert_int_equal(bench.smtpd.connections, 1);
    assert_false(said("DATA"));
    assert_int_equal(deliver(span_str("A: b\r\n\r\nx\n"), "bob@example.com", NULL), OUTCOME_BOUNCED);
    assert_int_equal(bench.smtpd.messages, sizeof cases / sizeof cases[0]);
}

static void a_large_message_in_pieces(void **state)
{
    (void)state;
    struct buf body;
    buf_init(&body, 64 << 20);
    for (int i = 0; body.len < 5 << 20; i++)
        buf_printf(&body, "%d: .\r\n.\r\n", i);
    bench_start(&bench);
    assert_int_equal(deliver(buf_span(&body), "bob@example.com", NULL), OUTCOME_DELIVERED);
    assert_int_equal(bench.smtpd.last.len, body.len);
    assert_memory_equal(bench.smtpd.last.data, body.data, body.len);
    buf_free(&body);
}

/* Whatever a refused one leaves behind is cleared away before the next. */
static void a_refused_one_is_reset(void **state)
{
    (void)state;
    bench_start(&bench);
    bench.smtpd.step = AT_END;
    bench.smtpd.deed = DO_5XX;
    bench.smtpd.deeds = 1;
    assert_int_equal(deliver(span_str(small), "bob@example.com", NULL), OUTCOME_BOUNCED);
    assert_int_equal(deliver(span_str(small), "bob@example.com", NULL), OUTCOME_DELIVERED);
    assert_int_equal(bench.smtpd.connections, 1);
    assert_int_equal(bench.smtpd.resets, 1);
    assert_true(said(" LAST\nRSET\nMAIL"));
}

static void nothing_is_sent_to_nobody(void **state)
{
    (void)state;
    bench_start(&bench);
    bench.smtpd.refuse = "bob";
    assert_int_equal(deliver(span_str(small), "bob@example.com", NULL), OUTCOME_BOUNCED);
    assert_false(said("BDAT"));
    assert_int_equal(deliver(span_str(small), "bob@example.com", "carol@example.com"), OUTCOME_BOUNCED);
    assert_int_equal(bench.smtpd.messages, 1);
    assert_string_equal(bench.smtpd.recipients, "<carol@example.com>,");
    assert_int_equal(bench.smtpd.connections, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a2_what_arrives_is_what_was_queued),
        TEST(a_large_message_in_pieces),
        TEST(a_refused_one_is_reset),
        TEST(nothing_is_sent_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
