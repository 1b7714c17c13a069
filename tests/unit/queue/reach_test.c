/* Destinations that cannot be reached (doc/queue.md "Destinations"): one probe at a time, the rest waits. */
#include "tests/unit/queue/database.h"

#include "gateway/queue/reach.h"

/* Claims and says how many copies it got; the first one's id in *FIRST. */
static size_t claim(const struct database *d, int64_t now, int64_t *first)
{
    struct row_ids ids = database_claim(d, DELIVERY_1, 50, now);
    size_t n = ids.n;
    if (first)
        *first = n > 0 ? ids.ids[0] : 0;
    free(ids.ids);
    return n;
}

/* The outcome of the copy's only recipient. */
static void tell(const struct database *d, int64_t copy_id, enum delivery_outcome what,
                 enum delivery_reach reach, int64_t now)
{
    struct error err;
    struct outcome_counts counts;
    struct outcome_recipient r = {
        .id = copy_id, .outcome = what, .reach = reach, .reply = text("timed out"), .host = text("mx")};
    const struct queue_outcome outcome = {.copy_id = copy_id, .recipients = &r, .n_recipients = 1};
    OK(sql_begin(d->sql, &err));
    OK(outcome_apply(d->sql, &d->settings, DELIVERY_1, &outcome, span_of(NULL, 0), now, &counts, &err));
    OK(sql_commit(d->sql, &err));
    assert_int_equal(counts.skipped, 0);
}

static int64_t retry_at(const struct database *d)
{
    return database_ask(d, "SELECT retry_ms FROM destination");
}

/* Three messages, the first of which found nobody at T0. */
static void fail_once(struct database *d)
{
    int64_t first;
    database_make(d);
    database_store_one(d, "a@dead.example", T0);
    assert_int_equal(claim(d, T0, &first), 1);
    tell(d, first, OUTCOME_DEFERRED, REACH_NO_HOST, T0);
    database_store_one(d, "b@dead.example", T0 + 1);
    database_store_one(d, "c@dead.example", T0 + 1);
}

static void test_others_wait_for_one_probe(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    int64_t next, probe;
    fail_once(&d);
    assert_int_equal(claim(&d, T0 + 1, NULL), 0);
    int64_t at = retry_at(&d);
    assert_in_range(at, T0 + 4 * MINUTE, T0 + 6 * MINUTE);
    /* The queue sleeps until then. */
    OK(lease_next_due(d.sql, T0 + 1, &next, &err));
    assert_int_equal(next, at);
    assert_int_equal(claim(&d, at - 1, NULL), 0);
    assert_int_equal(claim(&d, at, &probe), 1);
    assert_int_equal(claim(&d, at + 1, NULL), 0);
    tell(&d, probe, OUTCOME_DEFERRED, REACH_NO_HOST, at + 2);
    assert_int_equal(database_ask(&d, "SELECT failures FROM destination"), 2);
    assert_int_equal(database_ask(&d, "SELECT since_ms FROM destination"), T0);
    assert_in_range(retry_at(&d), at + 8 * MINUTE, at + 12 * MINUTE);
    /* Others are not concerned, even of the same sender. */
    database_store_one(&d, "bob@example.com", at + 3);
    assert_int_equal(claim(&d, at + 3, NULL), 1);
    database_remove(&d);
}

static void test_all_go_when_it_is_back(void **state)
{
    (void)state;
    struct database d;
    int64_t probe;
    fail_once(&d);
    int64_t at = retry_at(&d);
    assert_int_equal(claim(&d, at, &probe), 1);
    tell(&d, probe, OUTCOME_DELIVERED, REACH_OK, at + 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM destination"), 0);
    assert_true(claim(&d, at + 1, NULL) >= 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'queued'"), 0);
    database_remove(&d);
}

/* A 4xx for one recipient says that the host is there. */
static void test_a_4xx_is_not_silence(void **state)
{
    (void)state;
    struct database d;
    int64_t first;
    database_make(&d);
    database_store_one(&d, "a@example.com", T0);
    assert_int_equal(claim(&d, T0, &first), 1);
    tell(&d, first, OUTCOME_DEFERRED, REACH_OK, T0);
    database_store_one(&d, "b@example.com", T0 + 1);
    assert_int_equal(claim(&d, T0 + 1, NULL), 1);
    database_remove(&d);
}

static void test_many_failures_at_once_are_one(void **state)
{
    (void)state;
    struct database d;
    database_make(&d);
    for (int i = 0; i < 5; i++)
        database_store_one(&d, "a@dead.example", T0);
    assert_int_equal(claim(&d, T0, NULL), 5);
    for (int i = 1; i <= 5; i++)
        tell(&d, i, OUTCOME_DEFERRED, REACH_NO_HOST, T0 + i);
    assert_int_equal(database_ask(&d, "SELECT failures FROM destination"), 1);
    database_remove(&d);
}

static void test_it_is_remembered_over_a_restart(void **state)
{
    (void)state;
    struct database d;
    fail_once(&d);
    int64_t at = retry_at(&d);
    sql_close(d.sql);
    database_open(&d);
    assert_int_equal(claim(&d, at - 1, NULL), 0);
    assert_int_equal(claim(&d, at, NULL), 1);
    database_remove(&d);
}

static void test_a_probe_that_dies_is_followed_by_another(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    fail_once(&d);
    int64_t at = retry_at(&d);
    assert_int_equal(claim(&d, at, NULL), 1);
    /* Delivery dies: its leases end. */
    OK(lease_end_of(d.sql, DELIVERY_1, false, at + 1, &err));
    assert_int_equal(claim(&d, at + 1, NULL), 1);
    database_remove(&d);
}

static void test_a_probe_that_tells_nothing_is_followed_by_another(void **state)
{
    (void)state;
    struct database d;
    int64_t probe;
    fail_once(&d);
    int64_t at = retry_at(&d);
    assert_int_equal(claim(&d, at, &probe), 1);
    tell(&d, probe, OUTCOME_DEFERRED, REACH_UNKNOWN, at + 1);
    assert_int_equal(claim(&d, at + 2, NULL), 0);
    assert_int_equal(claim(&d, at + 1 + 5 * MINUTE, NULL), 1);
    database_remove(&d);
}

/* One copy may be the probe of two: what is unknown of one says nothing of the other, and has a policy of its
 * own. */
static void test_a_probe_of_two_tells_of_each(void **state)
{
    (void)state;
    static const struct retry_policy policy = {
        .domain = "slow.example", .first_retry_ms = DAY, .last_retry_ms = DAY, .lifetime_ms = 2 * DAY};
    struct database d;
    struct error err;
    struct sample s;
    database_make(&d);
    d.settings.retry_policies = &policy;
    d.settings.n_retry_policies = 1;
    sample_start(&s);
    struct store_copy *copy = sample_copy(&s, COPY_QUEUED, FORMAT_OPENPGP, "sealed");
    sample_recipient(&s, copy, "x@slow.example");
    sample_recipient(&s, copy, "y@dead.example");
    database_store(&d, &s, T0);
    database_run(&d, "INSERT INTO destination (name, failures, since_ms, retry_ms) VALUES "
                     "('slow.example', 1, 1, 1), ('dead.example', 1, 1, 1)");
    assert_int_equal(claim(&d, T0, NULL), 1);
    OK(reach_learn(d.sql, &d.settings, "slow.example", REACH_UNKNOWN, 1, "", T0 + 1, &err));
    assert_int_equal(database_ask(&d, "SELECT retry_ms FROM destination WHERE name = 'slow.example'"),
                     T0 + 1 + DAY);
    assert_int_equal(database_ask(&d, "SELECT probe_copy FROM destination WHERE name = 'dead.example'"), 1);
    OK(reach_learn(d.sql, &d.settings, "dead.example", REACH_NO_HOST, 1, "silent", T0 + 2, &err));
    assert_int_equal(database_ask(&d, "SELECT failures FROM destination WHERE name = 'dead.example'"), 2);
    database_remove(&d);
}

static void test_what_is_too_old_is_tried_a_last_time_reached_or_not(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    int64_t next, probe;
    fail_once(&d);
    database_run(&d, "UPDATE destination SET retry_ms = retry_ms + 864000000");
    database_run(&d, "UPDATE recipient SET expires_ms = next_ms + 60000 WHERE address = 'b@dead.example'");
    assert_int_equal(claim(&d, T0 + 1, NULL), 0);
    OK(lease_next_due(d.sql, T0 + 1, &next, &err));
    assert_int_equal(next, T0 + 1 + MINUTE);
    assert_int_equal(claim(&d, next, &probe), 1);
    assert_int_equal(probe, 2);
    assert_int_equal(claim(&d, next + 1, NULL), 0);
    database_remove(&d);
}

static void test_what_is_returned_needs_no_destination(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    fail_once(&d);
    sample_start(&s);
    sample_recipient(&s, sample_copy(&s, COPY_RETURN, FORMAT_CLEAR, "body"), "x@dead.example");
    database_store(&d, &s, T0 + 2);
    assert_int_equal(claim(&d, T0 + 2, NULL), 1);
    database_remove(&d);
}

/* Only those whose destination can be tried are leased with their copy. */
static void test_a_copy_for_two_domains_goes_to_the_one_that_is_there(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    fail_once(&d);
    sample_start(&s);
    struct store_copy *copy = sample_copy(&s, COPY_QUEUED, FORMAT_OPENPGP, "sealed");
    sample_recipient(&s, copy, "x@dead.example");
    sample_recipient(&s, copy, "y@example.net");
    database_store(&d, &s, T0 + 2);
    assert_int_equal(claim(&d, T0 + 2, NULL), 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'leased'"), 1);
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'leased' AND domain = 'example.net'"),
        1);
    database_remove(&d);
}

static void test_behind_a_smarthost_all_wait_for_it(void **state)
{
    (void)state;
    struct database d;
    int64_t first;
    database_make(&d);
    d.settings.route = "[relay.example]:25";
    database_store_one(&d, "a@example.com", T0);
    assert_int_equal(claim(&d, T0, &first), 1);
    tell(&d, first, OUTCOME_DEFERRED, REACH_NO_HOST, T0);
    database_store_one(&d, "b@example.net", T0 + 1);
    database_store_one(&d, "c@example.org", T0 + 1);
    assert_int_equal(claim(&d, T0 + 1, NULL), 0);
    int64_t at = retry_at(&d);
    assert_int_equal(claim(&d, at, &first), 1);
    tell(&d, first, OUTCOME_DELIVERED, REACH_OK, at);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM destination"), 0);
    assert_int_equal(claim(&d, at + DAY, NULL), 2);
    database_remove(&d);
}

/* TLS that one domain demands says nothing of the smarthost. */
static void test_tls_that_a_domain_demands_is_its_own_trouble(void **state)
{
    (void)state;
    struct database d;
    int64_t first;
    database_make(&d);
    d.settings.route = "[relay.example]:25";
    database_store_one(&d, "a@strict.example", T0);
    assert_int_equal(claim(&d, T0, &first), 1);
    tell(&d, first, OUTCOME_DEFERRED, REACH_NO_PRIVACY, T0);
    database_store_one(&d, "b@strict.example", T0 + 1);
    database_store_one(&d, "c@example.org", T0 + 1);
    assert_int_equal(claim(&d, T0 + 1, NULL), 1);
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'leased' AND domain = 'example.org'"),
        1);
    database_remove(&d);
}

/* With TLS-Required: No in its header. */
static void store_tls_optional(const struct database *d, const char *address, int64_t now)
{
    struct sample s;
    sample_simple(&s, address);
    s.copies[0].tls_optional = true;
    database_store(d, &s, now);
}

static int64_t leased(const struct database *d)
{
    return database_ask(d, "SELECT copy_id FROM recipient WHERE state = 'leased'");
}

/* What a destination owes those who demand TLS of it does not hold up who demands none (RFC 8689 §3), and
 * that such mail goes through says nothing for the others. */
static void test_mail_that_needs_no_tls_does_not_wait_for_it(void **state)
{
    (void)state;
    static const char *const routes[] = {NULL, "[relay.example]:25"};
    for (size_t i = 0; i < 2; i++) {
        struct database d;
        int64_t first;
        database_make(&d);
        d.settings.route = routes[i];
        database_store_one(&d, "a@strict.example", T0);
        assert_int_equal(claim(&d, T0, &first), 1);
        tell(&d, first, OUTCOME_DEFERRED, REACH_NO_PRIVACY, T0);
        int64_t at = retry_at(&d);
        database_store_one(&d, "b@strict.example", T0 + 1);
        store_tls_optional(&d, "c@Strict.example", T0 + 2);
        database_store_one(&d, "d@strict.example", T0 + 3);
        assert_int_equal(claim(&d, T0 + 3, &first), 1);
        assert_int_equal(first, 3);
        tell(&d, first, OUTCOME_DELIVERED, REACH_OK, T0 + 4);
        assert_int_equal(claim(&d, T0 + 5, NULL), 0);
        assert_int_equal(retry_at(&d), at);
        assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM destination"), 1);
        assert_int_equal(database_ask(&d, "SELECT failures FROM destination WHERE name = 'strict.example'"),
                         1);
        /* Their probe is one of them, and holds up nobody either. */
        assert_int_equal(claim(&d, at, NULL), 1);
        assert_int_not_equal(leased(&d), 3);
        store_tls_optional(&d, "e@strict.example", at);
        assert_int_equal(claim(&d, at + 1, &first), 1);
        assert_int_equal(first, 5);
        database_remove(&d);
    }
}

/* It is tried by one probe of its own, at the times that the domain's policy says, where it fails as well. */
static void test_what_needs_no_tls_has_failures_of_its_own(void **state)
{
    (void)state;
    static const enum delivery_reach failures[] = {REACH_NO_HOST, REACH_NO_PRIVACY};
    static const struct retry_policy policy = {
        .domain = ".example", .first_retry_ms = HOUR, .last_retry_ms = HOUR, .lifetime_ms = DAY};
    for (size_t i = 0; i < 2; i++) {
        struct database d;
        int64_t first;
        database_make(&d);
        d.settings.retry_policies = &policy;
        d.settings.n_retry_policies = 1;
        store_tls_optional(&d, "a@dead.example", T0);
        assert_int_equal(database_ask(&d, "SELECT expires_ms FROM recipient"), T0 + DAY);
        assert_int_equal(claim(&d, T0, &first), 1);
        tell(&d, first, OUTCOME_DEFERRED, failures[i], T0);
        int64_t at = retry_at(&d);
        assert_in_range(at, T0 + 54 * MINUTE, T0 + 66 * MINUTE);
        store_tls_optional(&d, "b@dead.example", T0 + 1);
        store_tls_optional(&d, "c@dead.example", T0 + 1);
        assert_int_equal(claim(&d, T0 + 1, NULL), 0);
        assert_int_equal(claim(&d, at, &first), 1);
        assert_int_equal(claim(&d, at + 1, NULL), 0);
        tell(&d, first, OUTCOME_DEFERRED, failures[i], at + 1);
        assert_int_equal(database_ask(&d, "SELECT failures FROM destination"), 2);
        /* Nothing is known for other mail. */
        database_store_one(&d, "d@dead.example", at + 2);
        assert_int_equal(claim(&d, at + 2, &first), 1);
        assert_int_equal(first, 4);
        tell(&d, first, OUTCOME_DELIVERED, REACH_OK, at + 3);
        assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM destination"), 1);
        assert_int_equal(claim(&d, at + 4, NULL), 0);
        database_remove(&d);
    }
}

static void test_what_needs_no_tls_waits_for_the_smarthost_too(void **state)
{
    (void)state;
    struct database d;
    int64_t first;
    database_make(&d);
    d.settings.route = "[relay.example]:25";
    database_store_one(&d, "a@example.com", T0);
    assert_int_equal(claim(&d, T0, &first), 1);
    tell(&d, first, OUTCOME_DEFERRED, REACH_NO_HOST, T0);
    store_tls_optional(&d, "b@example.net", T0 + 1);
    assert_int_equal(claim(&d, T0 + 1, NULL), 0);
    /* And may be the one that finds it back. */
    int64_t at = retry_at(&d);
    database_run(&d, "UPDATE recipient SET next_ms = next_ms + 3600000 WHERE id = 1");
    assert_int_equal(claim(&d, at, &first), 1);
    assert_int_equal(first, 2);
    tell(&d, first, OUTCOME_DELIVERED, REACH_OK, at);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM destination"), 0);
    database_remove(&d);
}

/* Whoever else waits for the destination: of the same sender, of others, and what has just come. */
static void test_the_administrator_asks_for_a_probe(void **state)
{
    (void)state;
    static const char *const senders[] = {"aaron", "alice", "zoe"};
    for (int i = 0; i < 3; i++) {
        struct database d;
        struct error err;
        struct sample s;
        char id[ID_SIZE];
        int64_t first;
        fail_once(&d);
        for (int k = 0; k < 3; k++) {
            sample_simple(&s, "d@dead.example");
            s.store.envelope.user = text(senders[k]);
            database_store(&d, &s, T0 + 1);
        }
        lease_message_id(d.sql, 4 + i, id);
        assert_int_equal(claim(&d, T0 + 2, NULL), 0);
        sample_simple(&s, "e@dead.example");
        s.store.envelope.user = text("aa");
        database_store(&d, &s, T0 + 3);
        OK(reach_hasten(d.sql, &d.settings, id, T0 + 3, &err));
        OK(rows_run(d.sql, "UPDATE recipient SET next_ms = 0 WHERE id = ?1", &(int64_t){4 + i}, 1, &err));
        assert_int_equal(claim(&d, T0 + 3, &first), 1);
        assert_int_equal(first, 4 + i);
        assert_int_equal(claim(&d, T0 + 3, NULL), 0);
        database_remove(&d);
    }
}

static void test_a_policy_says_when_a_destination_is_tried_again(void **state)
{
    (void)state;
    static const struct retry_policy policy = {
        .domain = "dead.example", .first_retry_ms = HOUR, .last_retry_ms = HOUR, .lifetime_ms = DAY};
    struct database d;
    int64_t first;
    database_make(&d);
    d.settings.retry_policies = &policy;
    d.settings.n_retry_policies = 1;
    database_store_one(&d, "a@dead.example", T0);
    assert_int_equal(database_ask(&d, "SELECT expires_ms FROM recipient"), T0 + DAY);
    assert_int_equal(claim(&d, T0, &first), 1);
    tell(&d, first, OUTCOME_DEFERRED, REACH_NO_HOST, T0);
    assert_in_range(retry_at(&d), T0 + 54 * MINUTE, T0 + 66 * MINUTE);
    assert_in_range(database_ask(&d, "SELECT next_ms FROM recipient"), T0 + 54 * MINUTE, T0 + 66 * MINUTE);
    database_remove(&d);
}

static void test_nobody_wants_it_any_more(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    fail_once(&d);
    OK(reach_forget(d.sql, T0 + 6 * DAY, &err));
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM destination"), 1);
    OK(reach_forget(d.sql, T0 + 8 * DAY, &err));
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM destination"), 0);
    database_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others_wait_for_one_probe),
        cmocka_unit_test(test_all_go_when_it_is_back),
        cmocka_unit_test(test_a_4xx_is_not_silence),
        cmocka_unit_test(test_many_failures_at_once_are_one),
        cmocka_unit_test(test_it_is_remembered_over_a_restart),
        cmocka_unit_test(test_a_probe_that_dies_is_followed_by_another),
        cmocka_unit_test(test_a_probe_that_tells_nothing_is_followed_by_another),
        cmocka_unit_test(test_a_probe_of_two_tells_of_each),
        cmocka_unit_test(test_what_is_too_old_is_tried_a_last_time_reached_or_not),
        cmocka_unit_test(test_what_is_returned_needs_no_destination),
        cmocka_unit_test(test_a_copy_for_two_domains_goes_to_the_one_that_is_there),
        cmocka_unit_test(test_behind_a_smarthost_all_wait_for_it),
        cmocka_unit_test(test_tls_that_a_domain_demands_is_its_own_trouble),
        cmocka_unit_test(test_mail_that_needs_no_tls_does_not_wait_for_it),
        cmocka_unit_test(test_what_needs_no_tls_has_failures_of_its_own),
        cmocka_unit_test(test_what_needs_no_tls_waits_for_the_smarthost_too),
        cmocka_unit_test(test_the_administrator_asks_for_a_probe),
        cmocka_unit_test(test_a_policy_says_when_a_destination_is_tried_again),
        cmocka_unit_test(test_nobody_wants_it_any_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
