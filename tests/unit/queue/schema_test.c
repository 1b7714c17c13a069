/* A database of an older version is brought to this one, and what lies in it goes on as before. */
#include "tests/unit/queue/database.h"

#include "gateway/queue/body.h"

#define VERSIONS_MAX 50

/* As version 1 stored it; the body by body_insert, which has not changed. */
static const char *const version_1_rows[] = {
    "INSERT INTO message (id, received_ms, reverse_path, user_name, client_address, body_8bit, smtputf8) "
    "VALUES ('0123456789abcdefghij', 1800000000000, 'alice@example.org', 'alice', '192.0.2.1', 0, 1)",
    "INSERT INTO copy (message_id, format, locked, cipher, body_len, body_hash, expires_ms) "
    "VALUES ('0123456789abcdefghij', 3, 0, 'AES256', 11, '', 1800000900000)",
    "INSERT INTO recipient (copy_id, address, state, next_ms, rule, notify, orcpt) "
    "VALUES (1, 'bob@example.com', 'queued', 1800000000000, 'default', 'NEVER', 'rfc822;b')",
};

static void make_version_1(struct database *d)
{
    const char *const steps[] = {queue_schema[0], NULL};
    const struct span body = span_str("sealed body");
    char hash[DIGEST_HEX_SIZE];
    struct sql_stmt *stmt;
    struct error err;
    database_folder(d);
    OK(sql_open(d->path, steps, &d->sql, &err));
    OK(sql_begin(d->sql, &err));
    for (size_t i = 0; i < sizeof version_1_rows / sizeof version_1_rows[0]; i++)
        database_run(d, version_1_rows[i]);
    OK(body_hash(body, hash, &err));
    OK(sql_prepare(d->sql, "UPDATE copy SET body_hash = ?1", &stmt, &err));
    sql_bind_str(stmt, 1, hash);
    OK(sql_run(stmt, &err));
    OK(body_insert(d->sql, 1, body, &err));
    struct audit_row row = {.time_ms = T0, .text = {[AUDIT_EVENT] = "accepted", [AUDIT_USER] = "alice"}};
    OK(audit_append(d->sql, &row, &err));
    OK(sql_commit(d->sql, &err));
    sql_close(d->sql);
}

static void test_version_1_goes_on(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct queue_lease lease;
    struct error err;
    int fd;
    make_version_1(&d);
    database_open(&d);
    database_verify(&d);
    struct row_ids ids = database_claim(&d, DELIVERY_1, 10, T0);
    assert_int_equal(ids.n, 1);
    OK(lease_load(d.sql, ids.ids[0], &lease, &fd, &err));
    assert_string_equal(lease.recipients[0].notify, "NEVER");
    assert_string_equal(lease.recipients[0].orcpt, "rfc822;b");
    assert_true(lease.smtputf8);
    assert_false(lease.requiretls);
    assert_null(lease.envid);
    assert_null(lease.ret);
    queue_lease_free(&lease);
    close(fd);
    free(ids.ids);
    /* New messages lie beside the old ones. */
    sample_simple(&s, "carol@example.net");
    s.store.envelope.requiretls = true;
    database_store(&d, &s, T0);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM message WHERE requiretls = 1"), 1);
    database_verify(&d);
    database_remove(&d);
}

/* Every state there was, as version 1 wrote it, and a local part with an "@" of its own. */
static const char *const every_state[] = {
    "INSERT INTO message (id, received_ms, reverse_path, user_name, body_8bit, smtputf8) "
    "VALUES ('1123456789abcdefghij', 1800000000000, 'alice@example.org', 'alice', 0, 0)",
    "INSERT INTO message (id, received_ms, reverse_path, body_8bit, smtputf8) "
    "VALUES ('2123456789abcdefghij', 1800000000000, '', 0, 0)",
    "INSERT INTO copy (message_id, format, locked, body_len, body_hash, expires_ms, lease_instance) "
    "VALUES ('1123456789abcdefghij', 3, 0, 1, '', 1800000900000, '00000000000000000001')",
    "INSERT INTO copy (message_id, format, locked, body_len, body_hash, expires_ms, recheck_ms, "
    "hold_until_ms) "
    "VALUES ('1123456789abcdefghij', 1, 1, 1, '', 1800000900000, 5, 6)",
    "INSERT INTO copy (message_id, format, locked, body_len, body_hash, expires_ms) "
    "VALUES ('2123456789abcdefghij', 2, 1, 1, '', 1800000800000)",
    "INSERT INTO recipient (copy_id, address, state) VALUES (2, 'leased@example.com', 'leased')",
    "INSERT INTO recipient (copy_id, address, state, hold) VALUES (3, 'held@example.com', 'held', 'key')",
    "INSERT INTO recipient (copy_id, address, state, next_ms, attempts) "
    "VALUES (4, '\"a@b\"@Example.NET', 'deferred', 1800000500000, 3)",
    "INSERT INTO recipient (copy_id, address, state, next_ms, to_return) "
    "VALUES (4, 'returned@example.net', 'queued', 1800000000000, 1)",
    "INSERT INTO recipient (copy_id, address, state) VALUES (4, 'done@example.net', 'delivered')",
};

static void test_every_state_of_version_1_goes_on(void **state)
{
    (void)state;
    const char *const version_1[] = {queue_schema[0], NULL};
    struct database d;
    struct error err;
    make_version_1(&d);
    OK(sql_open(d.path, version_1, &d.sql, &err));
    for (size_t i = 0; i < sizeof every_state / sizeof every_state[0]; i++)
        database_run(&d, every_state[i]);
    sql_close(d.sql);
    database_open(&d);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient"), 6);
    assert_int_equal(database_ask(&d,
                                  "SELECT COUNT(*) FROM recipient WHERE domain = 'example.com' AND sender = "
                                  "'alice' AND expires_ms = 1800000900000"),
                     3);
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE domain = 'example.net' AND sender = '' "
                         "AND expires_ms = 1800000800000 AND attempts = 3"),
        1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE to_return = 1 AND domain = ''"),
                     1);
    /* Of what was sent by somebody who wants to hear of it, and is to be delivered. */
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE warn_ms = 1800014400000"), 2);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE warn_ms IS NOT NULL"), 2);
    /* What waits is leased, each at its time; the lease of the old delivery is kept for it. */
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM lane"), 3);
    assert_int_equal(database_claim_count(&d, DELIVERY_2, 10, T0), 2);
    OK(lease_end_of(d.sql, DELIVERY_2, true, T0, &err));
    OK(lease_end(d.sql, 4, T0, &err));
    assert_int_equal(database_claim_count(&d, DELIVERY_2, 10, T0 + 500000), 2);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'held' AND hold = 'key'"),
                     1);
    database_remove(&d);
}

/* Stopped between two steps: each is a transaction. */
static void test_an_upgrade_that_was_interrupted_goes_on(void **state)
{
    (void)state;
    const char *const version_2[] = {queue_schema[0], queue_schema[1], NULL};
    struct database d;
    struct error err;
    make_version_1(&d);
    OK(sql_open(d.path, version_2, &d.sql, &err));
    assert_int_equal(database_ask(&d, "PRAGMA user_version"), 2);
    sql_close(d.sql);
    database_open(&d);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE domain = 'example.com'"), 1);
    database_verify(&d);
    database_remove(&d);
}

/* What lies there from before no rule's TLS was asked of; what comes is held to it. */
static void goes_on_from(size_t version)
{
    const char *steps[VERSIONS_MAX] = {NULL};
    struct database d;
    struct sample s;
    struct queue_lease lease;
    struct error err;
    int fd;
    make_version_1(&d);
    memcpy(steps, queue_schema, version * sizeof steps[0]);
    OK(sql_open(d.path, steps, &d.sql, &err));
    assert_int_equal(database_ask(&d, "PRAGMA user_version"), version);
    sql_close(d.sql);
    database_open(&d);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM copy WHERE tls = 0"), 1);
    sample_simple(&s, "carol@example.net");
    s.copies[0].tls = TLS_LEVEL_VERIFY;
    database_store(&d, &s, T0);
    struct row_ids ids = database_claim(&d, DELIVERY_1, 10, T0);
    assert_int_equal(ids.n, 2);
    for (size_t i = 0; i < 2; i++) {
        OK(lease_load(d.sql, ids.ids[i], &lease, &fd, &err));
        bool old = strcmp(lease.recipients[0].address, "bob@example.com") == 0;
        assert_int_equal(lease.tls, old ? TLS_LEVEL_NONE : TLS_LEVEL_VERIFY);
        assert_string_equal(lease.rule, "default");
        queue_lease_free(&lease);
        close(fd);
    }
    free(ids.ids);
    database_verify(&d);
    database_remove(&d);
}

static void test_each_version_before_goes_on(void **state)
{
    (void)state;
    size_t versions = 0;
    while (queue_schema[versions])
        versions++;
    assert_in_range(versions, 6, VERSIONS_MAX);
    for (size_t version = 1; version < versions; version++)
        goes_on_from(version);
}

static void test_a_newer_one_is_not_touched(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    make_version_1(&d);
    database_open(&d);
    database_run(&d, "PRAGMA user_version = 99");
    sql_close(d.sql);
    assert_int_equal(sql_open(d.path, queue_schema, &d.sql, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "version 99"));
    assert_null(d.sql);
    database_remove(&d);
}

/* A second start, and one of an older program, which must not touch what it does not understand. */
static void test_it_is_done_once_and_not_undone(void **state)
{
    (void)state;
    const char *const version_1[] = {queue_schema[0], NULL};
    struct database d;
    struct error err;
    make_version_1(&d);
    database_open(&d);
    sql_close(d.sql);
    assert_int_equal(sql_open(d.path, version_1, &d.sql, &err), STATUS_INVALID);
    database_open(&d);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'queued'"), 1);
    database_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_1_goes_on),
        cmocka_unit_test(test_every_state_of_version_1_goes_on),
        cmocka_unit_test(test_an_upgrade_that_was_interrupted_goes_on),
        cmocka_unit_test(test_each_version_before_goes_on),
        cmocka_unit_test(test_a_newer_one_is_not_touched),
        cmocka_unit_test(test_it_is_done_once_and_not_undone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
