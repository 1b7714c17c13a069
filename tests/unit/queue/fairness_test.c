/* Fairness (doc/queue.md "Fairness"): no destination, sender or list takes the window from the others. */
#include "tests/unit/queue/database.h"

#define WINDOW 200

/* In place: a sample points into itself. */
static void from(struct sample *s, const char *user, const char *address)
{
    sample_simple(s, address);
    s->store.envelope.user = text(user);
}

static void store_many(const struct database *d, const char *user, const char *domain, int n, int64_t at)
{
    struct error err;
    OK(sql_begin(d->sql, &err));
    for (int i = 0; i < n; i++) {
        char address[100];
        snprintf(address, sizeof address, "n%d@%s", i, domain);
        struct sample s;
        from(&s, user, address);
        OK(store_insert(d->sql, &d->settings, &s.store, sample_bodies(&s), at, &err));
    }
    OK(sql_commit(d->sql, &err));
}

static void store_one(const struct database *d, const char *user, const char *address, int64_t at)
{
    struct sample s;
    from(&s, user, address);
    database_store(d, &s, at);
}

static int64_t leased_of(const struct database *d, const char *domain)
{
    struct error err;
    struct row_ids ids;
    OK(rows_list_for(d->sql, "SELECT id FROM recipient WHERE state = 'leased' AND domain = ?1", domain, &ids,
                     &err));
    free(ids.ids);
    return (int64_t)ids.n;
}

static void claim(const struct database *d, int64_t now)
{
    database_claim_count(d, DELIVERY_1, WINDOW, now);
}

/* Claims until the round is over, COUNT leased. Returns how many claims that took; 100: it has no end. */
static int claim_round(const struct database *d, int64_t now, size_t *count)
{
    struct error err;
    struct lease_cursor cursor = {0};
    struct row_ids ids = {0};
    int claims = 0;
    do {
        OK(sql_begin(d->sql, &err));
        OK(lease_claim(d->sql, &d->settings, DELIVERY_1, WINDOW, now, &cursor, &ids, &err));
        OK(sql_commit(d->sql, &err));
        claims++;
    } while (cursor.more && claims < 100);
    *count = ids.n;
    free(ids.ids);
    lease_cursor_free(&cursor);
    return claims;
}

/* It answers nothing: what is leased stays so. */
static void test_a_silent_destination_leaves_room_for_the_others(void **state)
{
    (void)state;
    struct database d;
    database_make(&d);
    for (int i = 0; i < 20; i++) {
        char user[20];
        snprintf(user, sizeof user, "user%d", i);
        store_many(&d, user, "silent.example", 40, T0);
    }
    claim(&d, T0);
    int64_t silent = leased_of(&d, "silent.example");
    assert_in_range(silent, 50, WINDOW - 20);
    store_one(&d, "user1", "bob@example.com", T0 + 1);
    claim(&d, T0 + 1);
    assert_int_equal(leased_of(&d, "example.com"), 1);
    assert_int_equal(leased_of(&d, "silent.example"), silent);
    database_remove(&d);
}

static void test_many_silent_destinations_leave_room_still(void **state)
{
    (void)state;
    struct database d;
    database_make(&d);
    for (int i = 0; i < 30; i++) {
        char user[20], domain[40];
        snprintf(user, sizeof user, "user%d", i);
        snprintf(domain, sizeof domain, "silent%d.example", i);
        store_many(&d, user, domain, 30, T0);
    }
    claim(&d, T0);
    store_one(&d, "alice", "bob@example.com", T0 + 1);
    claim(&d, T0 + 1);
    assert_int_equal(leased_of(&d, "example.com"), 1);
    database_remove(&d);
}

static void test_a_list_to_one_domain_lets_others_send_there(void **state)
{
    (void)state;
    struct database d;
    database_make(&d);
    store_many(&d, "list", "example.com", 10000, T0);
    claim(&d, T0);
    assert_in_range(leased_of(&d, "example.com"), 10, 60);
    store_one(&d, "alice", "bob@example.com", T0 + 1);
    claim(&d, T0 + 1);
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'leased' AND sender = 'alice'"), 1);
    database_remove(&d);
}

/* More lanes than one claim looks at, all of a sender over its share. */
static void test_a_list_to_ten_thousand_domains_holds_nobody_up(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    size_t n;
    database_make(&d);
    OK(sql_begin(d.sql, &err));
    for (int i = 0; i < 3000; i++) {
        char address[40];
        snprintf(address, sizeof address, "bob@d%d.example", i);
        struct sample s;
        from(&s, "list", address);
        OK(store_insert(d.sql, &d.settings, &s.store, sample_bodies(&s), T0, &err));
    }
    OK(sql_commit(d.sql, &err));
    store_one(&d, "alice", "bob@example.com", T0 + 1);
    assert_in_range(claim_round(&d, T0 + 1, &n), 1, 10);
    assert_int_equal(leased_of(&d, "example.com"), 1);
    assert_in_range(n, 100, WINDOW - 10);
    database_remove(&d);
}

/* More senders than one claim looks at, each with one message. */
static void store_of_many(struct database *d, int n, int64_t at)
{
    struct error err;
    database_make(d);
    OK(sql_begin(d->sql, &err));
    for (int i = 0; i < n; i++) {
        char user[20];
        snprintf(user, sizeof user, "user%04d", i);
        struct sample s;
        from(&s, user, "bob@example.com");
        OK(store_insert(d->sql, &d->settings, &s.store, sample_bodies(&s), at, &err));
    }
    OK(sql_commit(d->sql, &err));
}

static void test_many_senders_with_nothing_due_are_soon_done_with(void **state)
{
    (void)state;
    struct database d;
    size_t n;
    store_of_many(&d, 1000, T0 + HOUR);
    assert_int_equal(claim_round(&d, T0, &n), 1);
    assert_int_equal(n, 0);
    database_remove(&d);
}

static void test_the_last_of_many_senders_is_served(void **state)
{
    (void)state;
    struct database d;
    size_t n;
    store_of_many(&d, 600, T0 + HOUR);
    database_run(&d, "UPDATE recipient SET next_ms = 1 WHERE sender = 'user0599'");
    assert_in_range(claim_round(&d, T0, &n), 2, 4);
    assert_int_equal(n, 1);
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'leased' AND sender = 'user0599'"), 1);
    database_remove(&d);
}

/* All of them due, and none fits beside the one that is on lease. */
static void test_a_round_that_finds_nothing_to_lease_ends(void **state)
{
    (void)state;
    struct database d;
    size_t n;
    store_of_many(&d, 600, T0);
    database_run(&d, "UPDATE copy SET body_len = 200000000");
    assert_in_range(claim_round(&d, T0, &n), 1, 6);
    assert_int_equal(n, 1);
    assert_in_range(claim_round(&d, T0 + 1, &n), 1, 6);
    assert_int_equal(n, 0);
    database_remove(&d);
}

static void test_all_of_many_senders_get_their_turn(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    struct lease_cursor cursor = {0};
    struct row_ids ids = {0};
    store_of_many(&d, 600, T0);
    for (int i = 0; i < 20; i++) {
        OK(sql_begin(d.sql, &err));
        OK(lease_claim(d.sql, &d.settings, DELIVERY_1, 50, T0 + i, &cursor, &ids, &err));
        database_run(&d, "UPDATE recipient SET state = 'delivered' WHERE state = 'leased'");
        database_run(&d, "UPDATE copy SET lease_instance = NULL");
        OK(sql_commit(d.sql, &err));
    }
    assert_int_equal(ids.n, 600);
    free(ids.ids);
    lease_cursor_free(&cursor);
    database_remove(&d);
}

/* One copy to so many domains that its lanes are all that a claim looks at of the sender; the first recipient
 * is in delivery, the others have become due meanwhile. */
static void store_blocked(struct database *d, int n)
{
    struct error err;
    struct sql_stmt *stmt;
    database_make(d);
    store_one(d, "list", "bob@first.example", T0);
    claim(d, T0);
    for (int i = 0; i < n; i++) {
        char domain[40];
        snprintf(domain, sizeof domain, "d%d.example", i);
        OK(sql_prepare(d->sql,
                       "INSERT INTO recipient (copy_id, address, state, next_ms, domain, sender, expires_ms) "
                       "VALUES (1, 'bob@' || ?1, 'queued', ?2, ?1, 'list', ?3)",
                       &stmt, &err));
        sql_bind_str(stmt, 1, domain);
        sql_bind_int(stmt, 2, T0);
        sql_bind_int(stmt, 3, T0 + DAY);
        OK(sql_run(stmt, &err));
    }
}

static void test_what_a_lease_blocks_lets_other_mail_pass(void **state)
{
    (void)state;
    struct database d;
    size_t n;
    store_blocked(&d, 100);
    store_one(&d, "list", "bob@example.com", T0 + 1);
    assert_in_range(claim_round(&d, T0 + 2, &n), 1, 10);
    assert_int_equal(n, 1);
    assert_int_equal(leased_of(&d, "example.com"), 1);
    assert_int_equal(claim_round(&d, T0 + 3, &n), 1);
    assert_int_equal(n, 0);
    database_remove(&d);
}

static void test_the_end_of_a_lease_wakes_what_it_blocked(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    size_t n;
    store_blocked(&d, 100);
    claim_round(&d, T0 + 2, &n);
    assert_int_equal(n, 0);
    /* Of the outcome. */
    OK(sql_begin(d.sql, &err));
    database_run(&d, "UPDATE recipient SET state = 'delivered' WHERE state = 'leased'");
    OK(lease_settle(d.sql, 1, T0 + 3, &err));
    OK(sql_commit(d.sql, &err));
    claim_round(&d, T0 + 3, &n);
    assert_int_equal(n, 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'leased'"), 100);
    database_remove(&d);
}

static void test_lanes_take_turns(void **state)
{
    (void)state;
    struct database d;
    database_make(&d);
    store_many(&d, "list", "example.com", 10, T0);
    store_many(&d, "alice", "example.net", 3, T0 + 1);
    struct row_ids ids = database_claim(&d, DELIVERY_1, 6, T0 + 1);
    assert_int_equal(ids.n, 6);
    assert_int_equal(leased_of(&d, "example.net"), 3);
    free(ids.ids);
    database_remove(&d);
}

static void test_a_large_body_waits_without_holding_up_small_ones(void **state)
{
    (void)state;
    struct database d;
    database_make(&d);
    store_one(&d, "alice", "bob@a.example", T0);
    store_one(&d, "alice", "bob@b.example", T0 + 1);
    store_one(&d, "alice", "bob@c.example", T0 + 2);
    store_one(&d, "alice", "bob@d.example", T0 + 3);
    /* Two that do not fit together, one that is not small, a small one. */
    database_run(&d, "UPDATE copy SET body_len = 200000000 WHERE id <= 2");
    database_run(&d, "UPDATE copy SET body_len = 1000000 WHERE id = 3");
    claim(&d, T0 + 3);
    assert_int_equal(leased_of(&d, "a.example"), 1);
    assert_int_equal(leased_of(&d, "b.example"), 0);
    assert_int_equal(leased_of(&d, "c.example"), 0);
    assert_int_equal(leased_of(&d, "d.example"), 1);
    database_remove(&d);
}

static void test_a_lane_goes_with_its_last_recipient_and_comes_again(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    int64_t next;
    database_make(&d);
    store_one(&d, "alice", "Bob@Example.COM", T0);
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM lane WHERE domain = 'example.com' AND sender = 'alice'"), 1);
    claim(&d, T0);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM lane"), 0);
    OK(lease_next_due(d.sql, T0, &next, &err));
    assert_int_equal(next, 0);
    OK(lease_end(d.sql, 1, T0 + 5000, &err));
    OK(lease_next_due(d.sql, T0, &next, &err));
    assert_int_equal(next, T0 + 5000);
    database_remove(&d);
}

static void test_shares_of_relay_clients_and_reports_are_their_own(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    database_make(&d);
    sample_simple(&s, "bob@example.com");
    s.store.envelope.user = NULL;
    s.store.envelope.client = text("scanner");
    database_store(&d, &s, T0);
    sample_simple(&s, "bob@example.com");
    s.store.envelope.user = NULL;
    s.store.envelope.reverse_path = text("");
    database_store(&d, &s, T0);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM lane WHERE sender = 'client:scanner'"), 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM lane WHERE sender = ''"), 1);
    database_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_silent_destination_leaves_room_for_the_others),
        cmocka_unit_test(test_many_silent_destinations_leave_room_still),
        cmocka_unit_test(test_a_list_to_one_domain_lets_others_send_there),
        cmocka_unit_test(test_a_list_to_ten_thousand_domains_holds_nobody_up),
        cmocka_unit_test(test_many_senders_with_nothing_due_are_soon_done_with),
        cmocka_unit_test(test_the_last_of_many_senders_is_served),
        cmocka_unit_test(test_a_round_that_finds_nothing_to_lease_ends),
        cmocka_unit_test(test_all_of_many_senders_get_their_turn),
        cmocka_unit_test(test_what_a_lease_blocks_lets_other_mail_pass),
        cmocka_unit_test(test_the_end_of_a_lease_wakes_what_it_blocked),
        cmocka_unit_test(test_lanes_take_turns),
        cmocka_unit_test(test_a_large_body_waits_without_holding_up_small_ones),
        cmocka_unit_test(test_a_lane_goes_with_its_last_recipient_and_comes_again),
        cmocka_unit_test(test_shares_of_relay_clients_and_reports_are_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
