/* Reports of a delay for what waits untried, because its destination cannot be reached (doc/queue.md
 * "Delays"). */
#include "tests/unit/queue/database.h"

#define LATE (T0 + 4 * HOUR)

/* The destination of recipient and copy 1 … N, which nobody reaches for days. */
static void make_waiting(struct database *d, int n)
{
    database_make(d);
    for (int i = 0; i < n; i++)
        database_store_one(d, "bob@dead.example", T0);
    database_run(d, "INSERT INTO destination (name, failures, since_ms, retry_ms, reply) VALUES "
                    "('dead.example', 3, 1, 9000000000000, 'nobody answers')");
}

static size_t claim(const struct database *d, int64_t now)
{
    return database_claim_count(d, DELIVERY_1, 50, now);
}

/* The outcome of a report, for copy ID and its only recipient. */
static void tell(const struct database *d, int64_t id, bool told, int64_t now)
{
    struct error err;
    struct outcome_counts counts;
    struct outcome_recipient r = {.id = id, .outcome = OUTCOME_DEFERRED, .delay_told = told};
    struct queue_outcome outcome = {.copy_id = id,
                                    .recipients = &r,
                                    .n_recipients = 1,
                                    .has_dsn = told,
                                    .dsn_recipient = text("alice@example.org")};
    id_make(outcome.dsn_id);
    OK(sql_begin(d->sql, &err));
    OK(outcome_apply(d->sql, &d->settings, DELIVERY_1, &outcome, span_str(told ? "locked dsn" : ""), now,
                     &counts, &err));
    OK(sql_commit(d->sql, &err));
    assert_int_equal(counts.deferred, 1);
    assert_int_equal(counts.dsn_stored, told);
}

static void test_what_waits_untried_is_reported_once(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    int64_t next;
    make_waiting(&d, 3);
    assert_int_equal(claim(&d, T0), 0);
    OK(lease_next_due(d.sql, T0, &next, &err));
    assert_int_equal(next, LATE);
    assert_int_equal(claim(&d, LATE - 1), 0);
    assert_int_equal(claim(&d, LATE), 3);
    for (int i = 1; i <= 3; i++)
        tell(&d, i, true, LATE + i);
    /* Their reports go, and nothing else. */
    assert_int_equal(claim(&d, LATE + 10), 3);
    database_run(&d, "DELETE FROM lane WHERE domain = 'example.org'");
    assert_int_equal(claim(&d, LATE + DAY), 0);
    OK(lease_next_due(d.sql, LATE + DAY, &next, &err));
    assert_int_equal(next, T0 + 5 * DAY); /* the last attempt */
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'queued' AND attempts = "
                                      "0 AND delay_told = 1 AND next_ms IS NOT NULL"),
                     3);
    /* Nobody tried. */
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM destination WHERE failures = 3 AND probe_copy IS NULL AND "
                         "retry_ms = 9000000000000"),
        1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit WHERE event = 'deferred'"), 0);
    database_verify(&d);
    database_remove(&d);
}

static void test_its_lease_says_that_nobody_is_to_try(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    struct queue_lease lease;
    int fd;
    make_waiting(&d, 1);
    assert_int_equal(claim(&d, LATE), 1);
    /* Also after a restart of queue: it is on disk. */
    sql_close(d.sql);
    database_open(&d);
    OK(lease_load(d.sql, 1, &lease, &fd, &err));
    assert_int_equal(lease.state, COPY_DELAYED);
    assert_string_equal(lease.recipients[0].reason, "nobody answers");
    queue_lease_free(&lease);
    close(fd);
    /* Delivery dies: told by the next one; and when the destination is back, it is tried as ever. */
    OK(lease_end_of(d.sql, DELIVERY_1, false, LATE + 1, &err));
    database_run(&d, "DELETE FROM destination");
    assert_int_equal(claim(&d, LATE + 1), 1);
    OK(lease_load(d.sql, 1, &lease, &fd, &err));
    assert_int_equal(lease.state, COPY_QUEUED);
    queue_lease_free(&lease);
    close(fd);
    database_remove(&d);
}

static void test_a_report_that_was_not_written_is_tried_again(void **state)
{
    (void)state;
    struct database d;
    make_waiting(&d, 1);
    assert_int_equal(claim(&d, LATE), 1);
    tell(&d, 1, false, LATE);
    assert_int_equal(claim(&d, LATE + 1), 0);
    assert_int_equal(claim(&d, LATE + 5 * MINUTE), 1);
    database_remove(&d);
}

/* No report by NOTIFY, to the null reverse-path, by the configuration, or when it would wait itself. */
static void test_who_is_not_told(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct database d;
        struct sample s;
        make_waiting(&d, 0);
        sample_simple(&s, "bob@dead.example");
        if (i == 0)
            s.recipients[0][0].notify = text("FAILURE");
        else if (i == 1)
            s.store.envelope.reverse_path = text("");
        else if (i == 2)
            d.settings.delay_warning_ms = 0;
        else
            d.settings.route = "dead.example";
        database_store(&d, &s, T0);
        assert_int_equal(claim(&d, LATE + HOUR), 0);
        database_remove(&d);
    }
}

static void test_what_is_too_old_is_tried_and_not_told(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    struct queue_lease lease;
    int fd;
    make_waiting(&d, 1);
    database_run(&d, "UPDATE recipient SET expires_ms = 2");
    assert_int_equal(claim(&d, LATE), 1);
    OK(lease_load(d.sql, 1, &lease, &fd, &err));
    assert_int_equal(lease.state, COPY_QUEUED);
    queue_lease_free(&lease);
    close(fd);
    database_remove(&d);
}

/* The outcome of an attempt before, said again after a break. */
static void test_a_late_delivered_counts(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    struct outcome_counts counts;
    make_waiting(&d, 1);
    assert_int_equal(claim(&d, LATE), 1);
    struct outcome_recipient r = {.id = 1, .outcome = OUTCOME_DELIVERED};
    struct queue_outcome outcome = {.copy_id = 1, .recipients = &r, .n_recipients = 1};
    OK(outcome_apply(d.sql, &d.settings, DELIVERY_1, &outcome, span_of(NULL, 0), LATE, &counts, &err));
    assert_int_equal(counts.delivered, 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM message"), 0);
    database_remove(&d);
}

/* The probe's outcome told its own sender. */
static void test_who_was_told_by_an_attempt_is_not_told_again(void **state)
{
    (void)state;
    struct database d;
    make_waiting(&d, 1);
    database_run(&d, "UPDATE destination SET retry_ms = 1");
    assert_int_equal(claim(&d, LATE), 1);
    tell(&d, 1, true, LATE);
    database_run(&d, "UPDATE destination SET retry_ms = 9000000000000");
    database_run(&d, "DELETE FROM lane WHERE domain = 'example.org'");
    assert_int_equal(claim(&d, LATE + DAY), 0);
    assert_int_equal(database_ask(&d, "SELECT attempts FROM recipient WHERE id = 1"), 1);
    database_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_waits_untried_is_reported_once),
        cmocka_unit_test(test_its_lease_says_that_nobody_is_to_try),
        cmocka_unit_test(test_a_report_that_was_not_written_is_tried_again),
        cmocka_unit_test(test_who_is_not_told),
        cmocka_unit_test(test_what_is_too_old_is_tried_and_not_told),
        cmocka_unit_test(test_a_late_delivered_counts),
        cmocka_unit_test(test_who_was_told_by_an_attempt_is_not_told_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
