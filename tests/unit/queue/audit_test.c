/* The audit trail: what is written, and that every tampering is found at its line. */
#include "tests/unit/queue/database.h"

static void append(const struct database *d, const char *event, const char *recipient)
{
    struct error err;
    struct audit_row row = {.time_ms = T0, .text = {[AUDIT_EVENT] = event, [AUDIT_RECIPIENT] = recipient}};
    OK(sql_begin(d->sql, &err));
    OK(audit_append(d->sql, &row, &err));
    OK(sql_commit(d->sql, &err));
}

static struct audit_check check(const struct database *d, unsigned slice)
{
    struct error err;
    struct audit_check c = {0};
    while (!c.done)
        OK(audit_verify(d->sql, &c, slice, &err));
    return c;
}

static void ten_lines(struct database *d)
{
    database_make(d);
    for (int i = 0; i < 10; i++)
        append(d, "accepted", i % 2 ? "bob@example.com" : "carol@example.net");
}

static void test_intact_trail_in_slices_of_any_size(void **state)
{
    (void)state;
    struct database d;
    ten_lines(&d);
    for (unsigned slice = 1; slice < 13; slice++) {
        struct audit_check c = check(&d, slice);
        assert_false(c.wrong);
        assert_int_equal(c.next, 11);
    }
    database_remove(&d);
}

static void test_empty_trail_is_intact(void **state)
{
    (void)state;
    struct database d;
    database_make(&d);
    assert_false(check(&d, 5).wrong);
    database_remove(&d);
}

static void test_tampering_is_found_at_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *sql[3];
        int64_t bad;
    } table[] = {
        {"changed text", {"UPDATE audit SET recipient = 'mallory@example.com' WHERE seq = 4"}, 4},
        {"changed time", {"UPDATE audit SET time_ms = time_ms + 1 WHERE seq = 7"}, 7},
        {"NULL made empty", {"UPDATE audit SET rule = '' WHERE seq = 2"}, 2},
        {"text moved to the next column",
         {"UPDATE audit SET rule = recipient, recipient = NULL WHERE seq = 3"},
         3},
        {"changed hash", {"UPDATE audit SET hash = 'x' WHERE seq = 5"}, 5},
        {"first line changed", {"UPDATE audit SET event = 'sealed' WHERE seq = 1"}, 1},
        {"last line changed", {"UPDATE audit SET event = 'sealed' WHERE seq = 10"}, 10},
        {"removed", {"DELETE FROM audit WHERE seq = 6"}, 6},
        {"first removed", {"DELETE FROM audit WHERE seq = 1"}, 1},
        {"last removed", {"DELETE FROM audit WHERE seq = 10"}, 10},
        {"all removed", {"DELETE FROM audit"}, 1},
        {"last three removed", {"DELETE FROM audit WHERE seq > 7"}, 8},
        {"reordered",
         {"UPDATE audit SET seq = 100 WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 4",
          "UPDATE audit SET seq = 4 WHERE seq = 100"},
         3},
        {"removed and closed up",
         {"DELETE FROM audit WHERE seq = 9", "UPDATE audit SET seq = 9 WHERE seq = 10",
          "UPDATE audit_head SET seq = 9"},
         9},
        {"put in before", {"INSERT INTO audit (seq, time_ms, event, hash) VALUES (0, 1, 'x', 'y')"}, 0},
        {"put in behind", {"INSERT INTO audit (seq, time_ms, event, hash) VALUES (11, 1, 'x', 'y')"}, 11},
        {"head changed", {"UPDATE audit_head SET hash = 'x'"}, 10},
        {"head and end cut", {"DELETE FROM audit WHERE seq = 10", "UPDATE audit_head SET seq = 9"}, 9},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct database d;
        ten_lines(&d);
        for (int j = 0; j < 3 && table[i].sql[j]; j++)
            database_run(&d, table[i].sql[j]);
        struct audit_check c = check(&d, 4);
        if (!c.wrong || c.bad != table[i].bad || !*c.why)
            fail_msg("%s: found at %lld (%s), expected %lld", table[i].what, (long long)c.bad, c.why,
                     (long long)table[i].bad);
        database_remove(&d);
    }
}

static void test_a_rolled_back_event_leaves_no_line(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    struct audit_row row = {.time_ms = T0, .text = {[AUDIT_EVENT] = "accepted"}};
    ten_lines(&d);
    OK(sql_begin(d.sql, &err));
    OK(audit_append(d.sql, &row, &err));
    sql_rollback(d.sql);
    append(&d, "sealed", "bob@example.com");
    assert_false(check(&d, 3).wrong);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit"), 11);
    database_remove(&d);
}

static void test_a_lost_head_is_an_error_not_a_new_trail(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    struct audit_row row = {.time_ms = T0, .text = {[AUDIT_EVENT] = "accepted"}};
    ten_lines(&d);
    database_run(&d, "DELETE FROM audit_head");
    assert_int_equal(audit_append(d.sql, &row, &err), STATUS_INTERNAL);
    database_remove(&d);
}

static void test_a_line_tells_all_that_is_known_of_the_recipient(void **state)
{
    (void)state;
    struct database d;
    database_make(&d);
    database_store_one(&d, "bob@example.com", T0);
    assert_int_equal(
        database_ask(&d,
                     "SELECT COUNT(*) FROM audit WHERE event = 'sealed' AND recipient = "
                     "'bob@example.com' AND user_name = 'alice' AND reverse_path = 'alice@example.org' "
                     "AND rule = 'default' AND format = 'openpgp' AND fingerprint = '0123456789ABCDEF' AND "
                     "source = 'administrator' AND cipher = 'AES256' AND client_address = '192.0.2.1' AND "
                     "in_tls_version = 'TLSv1.3' AND in_tls_cipher = 'TLS_AES_256_GCM_SHA384'"),
        1);
    database_verify(&d);
    database_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_intact_trail_in_slices_of_any_size),
        cmocka_unit_test(test_empty_trail_is_intact),
        cmocka_unit_test(test_tampering_is_found_at_its_line),
        cmocka_unit_test(test_a_rolled_back_event_leaves_no_line),
        cmocka_unit_test(test_a_lost_head_is_an_error_not_a_new_trail),
        cmocka_unit_test(test_a_line_tells_all_that_is_known_of_the_recipient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
