/* Outcomes: which counts in which state, that saying them twice changes nothing, and the DSN beside them. */
#include "tests/unit/queue/database.h"

static struct outcome_counts apply(const struct database *d, const char *instance,
                                   const struct queue_outcome *outcome, const char *dsn)
{
    struct error err;
    struct outcome_counts counts;
    OK(sql_begin(d->sql, &err));
    OK(outcome_apply(d->sql, &d->settings, instance, outcome, span_str(dsn), T0 + 5000, &counts, &err));
    OK(sql_commit(d->sql, &err));
    database_verify(d);
    return counts;
}

/* What the first recipient's row is made before the outcome comes. */
struct before {
    const char *name;
    const char *recipient; /* SET … */
    const char *copy;      /* SET … */
};

enum { LEASED_HERE, LEASED_ELSEWHERE, QUEUED, DEFERRED, HELD, RETURNING, DELIVERED, BOUNCED, BEFORES };

static const struct before befores[BEFORES] = {
    [LEASED_HERE] = {"leased here", "UPDATE recipient SET state = 'leased', next_ms = NULL",
                     "UPDATE copy SET lease_instance = '" DELIVERY_1 "'"},
    [LEASED_ELSEWHERE] = {"leased elsewhere", "UPDATE recipient SET state = 'leased', next_ms = NULL",
                          "UPDATE copy SET lease_instance = '" DELIVERY_2 "'"},
    [QUEUED] = {"queued", "UPDATE recipient SET attempts = 0", NULL},
    [DEFERRED] = {"deferred", "UPDATE recipient SET state = 'deferred', next_ms = 5, attempts = 1", NULL},
    [HELD] = {"held", "UPDATE recipient SET state = 'held', hold = 'administrator', next_ms = NULL", NULL},
    [RETURNING] = {"returning", "UPDATE recipient SET state = 'leased', next_ms = NULL, to_return = 1",
                   "UPDATE copy SET lease_instance = '" DELIVERY_1 "'"},
    [DELIVERED] = {"delivered", "UPDATE recipient SET state = 'delivered', next_ms = NULL", NULL},
    [BOUNCED] = {"bounced", "UPDATE recipient SET state = 'bounced', next_ms = NULL", NULL},
};

/* A second copy keeps the message, so that the rows can be looked at. */
static void prepare(struct database *d, const struct before *before)
{
    struct sample s;
    database_make(d);
    sample_start(&s);
    sample_recipient(&s, sample_copy(&s, COPY_QUEUED, FORMAT_OPENPGP, "sealed"), "bob@example.com");
    database_store(d, &s, T0);
    if (before->recipient)
        database_run(d, before->recipient);
    if (before->copy)
        database_run(d, before->copy);
    database_run(d, "INSERT INTO copy (message_id, format, locked, body_len, body_hash) SELECT "
                    "message_id, format, locked, body_len, body_hash FROM copy");
    database_run(d, "INSERT INTO recipient (copy_id, address, state, next_ms) VALUES (2, 'keep@example.com', "
                    "'queued', 99)");
}

static void test_table_of_outcomes(void **state)
{
    (void)state;
    static const struct {
        int before;
        enum delivery_outcome outcome;
        const char *after;
    } table[] = {
        {LEASED_HERE, OUTCOME_DELIVERED, "state = 'delivered'"},
        {LEASED_HERE, OUTCOME_DEFERRED, "state = 'deferred' AND attempts = 1 AND next_ms IS NOT NULL"},
        {LEASED_HERE, OUTCOME_BOUNCED, "state = 'bounced'"},
        {LEASED_ELSEWHERE, OUTCOME_DELIVERED, "state = 'delivered'"},
        {LEASED_ELSEWHERE, OUTCOME_DEFERRED, "state = 'leased' AND attempts = 0"},
        {LEASED_ELSEWHERE, OUTCOME_BOUNCED, "state = 'leased'"},
        {QUEUED, OUTCOME_DELIVERED, "state = 'delivered'"},
        {QUEUED, OUTCOME_DEFERRED, "state = 'queued' AND attempts = 0"},
        {QUEUED, OUTCOME_BOUNCED, "state = 'bounced'"},
        {DEFERRED, OUTCOME_DELIVERED, "state = 'delivered'"},
        {DEFERRED, OUTCOME_DEFERRED, "state = 'deferred' AND attempts = 1 AND next_ms = 5"},
        {DEFERRED, OUTCOME_BOUNCED, "state = 'bounced'"},
        {HELD, OUTCOME_DELIVERED, "state = 'delivered' AND hold IS NULL"},
        {HELD, OUTCOME_DEFERRED, "state = 'held'"},
        {HELD, OUTCOME_BOUNCED, "state = 'held'"},
        {RETURNING, OUTCOME_DELIVERED, "state = 'deferred' AND to_return = 1"},
        {RETURNING, OUTCOME_DEFERRED, "state = 'deferred' AND to_return = 1"},
        {RETURNING, OUTCOME_BOUNCED, "state = 'returned'"},
        {DELIVERED, OUTCOME_DELIVERED, "state = 'delivered'"},
        {DELIVERED, OUTCOME_DEFERRED, "state = 'delivered'"},
        {DELIVERED, OUTCOME_BOUNCED, "state = 'delivered'"},
        {BOUNCED, OUTCOME_DELIVERED, "state = 'bounced'"},
        {BOUNCED, OUTCOME_DEFERRED, "state = 'bounced'"},
        {BOUNCED, OUTCOME_BOUNCED, "state = 'bounced'"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct database d;
        struct sql_stmt *stmt;
        struct error err;
        char sql[200];
        bool row;
        struct outcome_recipient r = {.id = 1, .outcome = table[i].outcome, .reply = text("250 2.0.0 ok")};
        struct queue_outcome outcome = {.copy_id = 1, .recipients = &r, .n_recipients = 1};
        prepare(&d, &befores[table[i].before]);
        /* Twice: idempotent. */
        apply(&d, DELIVERY_1, &outcome, NULL);
        int64_t lines = database_ask(&d, "SELECT COUNT(*) FROM audit");
        struct outcome_counts again = apply(&d, DELIVERY_1, &outcome, NULL);
        assert_int_equal(again.skipped, 1);
        assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit"), lines);
        snprintf(sql, sizeof sql, "SELECT 1 FROM recipient WHERE id = 1 AND %s", table[i].after);
        OK(sql_prepare(d.sql, sql, &stmt, &err));
        OK(sql_step(stmt, &row, &err));
        if (!row)
            fail_msg("%s, outcome %d: not %s", befores[table[i].before].name, table[i].outcome,
                     table[i].after);
        database_remove(&d);
    }
}

/* ---- DSNs ---- */

static void leased(struct database *d)
{
    struct sample s;
    database_make(d);
    sample_start(&s);
    struct store_copy *copy = sample_copy(&s, COPY_QUEUED, FORMAT_OPENPGP, "sealed");
    sample_recipient(&s, copy, "bob@example.com");
    sample_recipient(&s, copy, "carol@example.net");
    database_store(d, &s, T0);
    assert_int_equal(database_claim_count(d, DELIVERY_1, 5, T0), 1);
}

static struct queue_outcome bounce(struct outcome_recipient r[2])
{
    r[0] = (struct outcome_recipient){.id = 1, .outcome = OUTCOME_DELIVERED, .host = text("mx.example.com")};
    r[1] = (struct outcome_recipient){.id = 2,
                                      .outcome = OUTCOME_BOUNCED,
                                      .reply = text("550 5.1.1 no such user"),
                                      .tls_version = text("TLSv1.3"),
                                      .tls_cipher = text("TLS_AES_128_GCM_SHA256"),
                                      .tls_peer = text("verified by CA")};
    struct queue_outcome outcome = {.copy_id = 1,
                                    .recipients = r,
                                    .n_recipients = 2,
                                    .has_dsn = true,
                                    .dsn_recipient = text("alice@example.org")};
    id_make(outcome.dsn_id);
    return outcome;
}

static void test_a_bounce_is_final_and_its_dsn_queued_at_once(void **state)
{
    (void)state;
    struct database d;
    struct outcome_recipient r[2];
    leased(&d);
    struct queue_outcome outcome = bounce(r);
    struct outcome_counts counts = apply(&d, DELIVERY_1, &outcome, "locked dsn");
    assert_int_equal(counts.delivered, 1);
    assert_int_equal(counts.bounced, 1);
    assert_true(counts.dsn_stored);
    /* The message is gone, the DSN is there, with the null reverse-path and under the spool key. */
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM message"), 1);
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM message WHERE reverse_path = '' AND user_name IS NULL"), 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM copy WHERE locked = 1 AND format = 2"), 1);
    assert_int_equal(
        database_ask(
            &d, "SELECT COUNT(*) FROM recipient WHERE address = 'alice@example.org' AND state = 'queued'"),
        1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit WHERE event = 'bounced' AND recipient = "
                                      "'carol@example.net' AND reply = '550 5.1.1 no such user' AND "
                                      "out_tls_version = 'TLSv1.3' AND out_tls_peer = 'verified by CA'"),
                     1);
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM audit WHERE event = 'delivered' AND host = 'mx.example.com'"),
        1);
    /* Said again, by the same or with another id: no second DSN. */
    counts = apply(&d, DELIVERY_1, &outcome, "locked dsn");
    assert_false(counts.dsn_stored);
    id_make(outcome.dsn_id);
    counts = apply(&d, DELIVERY_1, &outcome, "locked dsn");
    assert_false(counts.dsn_stored);
    assert_int_equal(counts.skipped, 2);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM message"), 1);
    database_remove(&d);
}

static void test_without_a_readable_dsn_nobody_is_bounced_silently(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct database d;
        struct outcome_recipient r[2];
        leased(&d);
        struct queue_outcome outcome = bounce(r);
        if (i == 1)
            outcome.dsn_id[0] = '\0';
        if (i == 2)
            outcome.dsn_recipient = NULL;
        if (i == 3)
            outcome.dsn_recipient = text("");
        struct outcome_counts counts = apply(&d, DELIVERY_1, &outcome, i == 0 ? NULL : "locked dsn");
        assert_int_equal(counts.delivered, 1);
        assert_int_equal(counts.deferred, 1);
        assert_int_equal(counts.bounced, 0);
        assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'deferred'"), 1);
        database_remove(&d);
    }
}

static void test_a_bounce_without_dsn_is_final(void **state)
{
    (void)state;
    struct database d;
    struct outcome_recipient r[2];
    leased(&d);
    struct queue_outcome outcome = bounce(r);
    outcome.has_dsn = false; /* NOTIFY=NEVER, or the null reverse-path */
    assert_int_equal(apply(&d, DELIVERY_1, &outcome, NULL).bounced, 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM message"), 0);
    database_remove(&d);
}

/* Told once; unless what should have told it is lost, for then nobody knows. */
static void test_that_a_delay_was_told_is_remembered(void **state)
{
    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        struct database d;
        struct outcome_recipient r[2];
        leased(&d);
        struct queue_outcome outcome = bounce(r);
        r[0].outcome = r[1].outcome = OUTCOME_DEFERRED;
        r[0].delay_told = true;
        struct outcome_counts counts = apply(&d, DELIVERY_1, &outcome, lost ? NULL : "locked dsn");
        assert_int_equal(counts.deferred, 2);
        assert_int_equal(counts.dsn_stored, !lost);
        assert_int_equal(database_ask(&d, "SELECT SUM(delay_told) FROM recipient"), !lost);
        database_remove(&d);
    }
}

/* One transaction and one report again; copies that failed together spread. */
static void test_what_is_deferred_together_comes_back_together(void **state)
{
    (void)state;
    struct database d;
    struct outcome_recipient r[25];
    database_make(&d);
    for (int copy = 1; copy <= 10; copy++) {
        struct queue_outcome outcome = {.copy_id = copy, .recipients = r, .n_recipients = 25};
        database_store_one(&d, "bob@example.com", T0);
        for (int i = 1; i < 25; i++)
            database_run(&d, "INSERT INTO recipient (copy_id, address, state, next_ms, expires_ms) "
                             "SELECT MAX(id), 'carol@example.com', 'queued', 1, 9000000000000 FROM copy");
        for (int i = 0; i < 25; i++)
            r[i] = (struct outcome_recipient){.id = (copy - 1) * 25 + i + 1, .outcome = OUTCOME_DEFERRED};
        database_run(&d, "UPDATE recipient SET state = 'leased', next_ms = NULL WHERE state = 'queued'");
        database_run(&d, "UPDATE copy SET lease_instance = '" DELIVERY_1 "'");
        assert_int_equal(apply(&d, DELIVERY_1, &outcome, NULL).deferred, 25);
    }
    assert_int_equal(database_ask(&d, "SELECT MAX(n) FROM (SELECT COUNT(DISTINCT next_ms) AS n FROM "
                                      "recipient GROUP BY copy_id)"),
                     1);
    assert_in_range(database_ask(&d, "SELECT COUNT(DISTINCT next_ms) FROM recipient"), 5, 10);
    database_remove(&d);
}

static void test_a_dsn_to_a_utf8_address_is_smtputf8(void **state)
{
    (void)state;
    struct database d;
    struct outcome_recipient r[2];
    leased(&d);
    struct queue_outcome outcome = bounce(r);
    outcome.dsn_recipient = text("\xc3\xa4rzte@example.org");
    apply(&d, DELIVERY_1, &outcome, "locked dsn");
    assert_int_equal(database_ask(&d, "SELECT smtputf8 FROM message"), 1);
    database_remove(&d);
}

static void test_outcomes_of_one_lease_may_come_one_by_one(void **state)
{
    (void)state;
    struct database d;
    leased(&d);
    struct outcome_recipient r = {.id = 2, .outcome = OUTCOME_DEFERRED};
    struct queue_outcome outcome = {.copy_id = 1, .recipients = &r, .n_recipients = 1};
    apply(&d, DELIVERY_1, &outcome, NULL);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM copy WHERE lease_instance IS NOT NULL"), 1);
    r = (struct outcome_recipient){.id = 1, .outcome = OUTCOME_DELIVERED};
    apply(&d, DELIVERY_1, &outcome, NULL);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM copy WHERE lease_instance IS NOT NULL"), 0);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'deferred'"), 1);
    database_remove(&d);
}

static void test_an_outcome_moves_only_recipients_of_its_copy(void **state)
{
    (void)state;
    struct database d;
    leased(&d);
    database_store_one(&d, "dave@example.com", T0);
    struct outcome_recipient r[] = {{.id = 3, .outcome = OUTCOME_DELIVERED},
                                    {.id = 99, .outcome = OUTCOME_DELIVERED},
                                    {.id = -1, .outcome = OUTCOME_BOUNCED}};
    struct queue_outcome outcome = {.copy_id = 1, .recipients = r, .n_recipients = 3};
    assert_int_equal(apply(&d, DELIVERY_1, &outcome, NULL).skipped, 3);
    outcome.copy_id = 77;
    assert_int_equal(apply(&d, DELIVERY_1, &outcome, NULL).skipped, 3);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state IN ('leased', 'queued')"),
                     3);
    database_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_of_outcomes),
        cmocka_unit_test(test_a_bounce_is_final_and_its_dsn_queued_at_once),
        cmocka_unit_test(test_without_a_readable_dsn_nobody_is_bounced_silently),
        cmocka_unit_test(test_a_bounce_without_dsn_is_final),
        cmocka_unit_test(test_that_a_delay_was_told_is_remembered),
        cmocka_unit_test(test_what_is_deferred_together_comes_back_together),
        cmocka_unit_test(test_a_dsn_to_a_utf8_address_is_smtputf8),
        cmocka_unit_test(test_outcomes_of_one_lease_may_come_one_by_one),
        cmocka_unit_test(test_an_outcome_moves_only_recipients_of_its_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
