/* What is stored, what is refused at the door, and that bodies come back as they were or not at all (R7). */
#include "tests/unit/queue/database.h"

#include "gateway/queue/body.h"
#include "gateway/queue/clean.h"

static void test_rows_of_each_kind_of_copy(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    database_make(&d);
    sample_start(&s);
    struct store_copy *sealed = sample_copy(&s, COPY_QUEUED, FORMAT_SMIME, "sealed");
    sample_recipient(&s, sealed, "bob@example.com");
    sample_recipient(&s, sealed, "carol@example.net");
    sample_recipient(&s, sample_copy(&s, COPY_HELD, FORMAT_CLEAR, "locked 1"), "dave@example.com");
    sample_recipient(&s, sample_copy(&s, COPY_RETURN, FORMAT_CLEAR, "locked 2"), "erin@example.com");
    database_store(&d, &s, T0);
    static const struct {
        const char *sql;
        int64_t count;
    } table[] = {
        {"SELECT COUNT(*) FROM message", 1},
        {"SELECT COUNT(*) FROM copy", 3},
        {"SELECT COUNT(*) FROM recipient", 4},
        {"SELECT COUNT(*) FROM recipient WHERE state = 'queued' AND to_return = 0 AND next_ms IS NOT NULL",
         2},
        {"SELECT COUNT(*) FROM recipient WHERE state = 'held' AND hold = 'key' AND next_ms IS NULL", 1},
        {"SELECT COUNT(*) FROM recipient WHERE state = 'queued' AND to_return = 1", 1},
        {"SELECT COUNT(*) FROM copy WHERE recheck_ms IS NOT NULL AND hold_until_ms IS NOT NULL", 1},
        {"SELECT COUNT(*) FROM audit WHERE event = 'accepted'", 4},
        {"SELECT COUNT(*) FROM audit WHERE event = 'sealed'", 2},
        {"SELECT COUNT(*) FROM audit WHERE event = 'held' AND reason = 'none found'", 1},
        {"SELECT COUNT(*) FROM copy WHERE cipher = 'AES256'", 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (database_ask(&d, table[i].sql) != table[i].count)
            fail_msg("%s: not %lld", table[i].sql, (long long)table[i].count);
    assert_int_equal(database_ask(&d, "SELECT MAX(expires_ms) FROM recipient"), T0 + 5 * DAY);
    assert_int_equal(database_ask(&d, "SELECT MAX(hold_until_ms) FROM copy"), T0 + 7 * DAY);
    database_verify(&d);
    database_remove(&d);
}

static void no_id(struct sample *s)
{
    strcpy(s->store.envelope.id, "../../etc/passwd");
}
static void short_id(struct sample *s)
{
    s->store.envelope.id[19] = '\0';
}
static void no_copies(struct sample *s)
{
    s->store.n_copies = 0;
}
static void copy_of_nobody(struct sample *s)
{
    s->copies[0].n_recipients = 0;
    s->store.envelope.n_recipients = 0;
}
static void forgotten_recipient(struct sample *s)
{
    s->to[s->store.envelope.n_recipients++].address = text("forgotten@example.com");
}
static void empty_body(struct sample *s)
{
    s->copies[0].body_len = 0;
}
static void body_outside(struct sample *s)
{
    s->copies[0].body_len++;
}
static void body_far_outside(struct sample *s)
{
    s->copies[0].body_at = UINT64_MAX - 3;
}
static void header_outside(struct sample *s)
{
    s->copies[0].header_at = 5;
    s->copies[0].header_len = UINT64_MAX - 4;
}
static void plaintext(struct sample *s)
{
    s->copies[0].format = FORMAT_CLEAR;
    s->copies[0].locked = false;
}
static void sealed_and_held(struct sample *s)
{
    s->copies[0].state = COPY_HELD;
}
static void no_reverse_path(struct sample *s)
{
    s->store.envelope.reverse_path = NULL;
}

static void test_refused_at_the_door_and_nothing_kept(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        void (*spoil)(struct sample *s);
    } table[] = {
        {"A24: an id with ../", no_id},
        {"an id cut short", short_id},
        {"no copies", no_copies},
        {"a copy of nobody", copy_of_nobody},
        {"a recipient in no copy", forgotten_recipient},
        {"an empty body", empty_body},
        {"a body over the end", body_outside},
        {"a body far outside", body_far_outside},
        {"a header outside", header_outside},
        {"plaintext", plaintext},
        {"sealed and held", sealed_and_held},
        {"no reverse-path", no_reverse_path},
    };
    struct database d;
    database_make(&d);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct sample s;
        struct error err;
        sample_simple(&s, "bob@example.com");
        table[i].spoil(&s);
        OK(sql_begin(d.sql, &err));
        OK(sql_savepoint(d.sql, &err));
        if (store_insert(d.sql, &d.settings, &s.store, sample_bodies(&s), T0, &err) != STATUS_INVALID)
            fail_msg("%s: not refused", table[i].what);
        OK(sql_undo(d.sql, &err));
        OK(sql_commit(d.sql, &err));
        assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM message"), 0);
        assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit"), 0);
    }
    database_remove(&d);
}

static void test_an_id_is_stored_once(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct error err;
    database_make(&d);
    sample_simple(&s, "bob@example.com");
    database_store(&d, &s, T0);
    OK(sql_begin(d.sql, &err));
    assert_int_not_equal(store_insert(d.sql, &d.settings, &s.store, sample_bodies(&s), T0, &err), STATUS_OK);
    sql_rollback(d.sql);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient"), 1);
    database_remove(&d);
}

/* ---- bodies ---- */

static int64_t bare_copy(const struct database *d)
{
    database_store_one(d, "bob@example.com", T0);
    int64_t id = database_ask(d, "SELECT MAX(id) FROM copy");
    database_run(d, "DELETE FROM body");
    return id;
}

static void test_bodies_of_every_length_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 262143, 262144, 262145, 524288, 1000003};
    struct database d;
    database_make(&d);
    int64_t id = bare_copy(&d);
    char *bytes = malloc(1000003);
    for (size_t i = 0; i < 1000003; i++)
        bytes[i] = (char)(i * 131 + i / 251);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct span body = span_of(bytes, sizes[i]);
        struct span back;
        struct error err;
        char hash[DIGEST_HEX_SIZE];
        int fd;
        OK(body_hash(body, hash, &err));
        OK(body_insert(d.sql, id, body, &err));
        OK(body_read(d.sql, id, sizes[i], hash, &fd, &err));
        OK(memfile_map(fd, SIZE_MAX, &back, &err));
        assert_true(span_eq(back, body));
        memfile_unmap(back);
        close(fd);
        OK(body_delete(d.sql, id, &err));
    }
    free(bytes);
    database_remove(&d);
}

static void test_r7_a_damaged_body_is_told_from_no_memory(void **state)
{
    (void)state;
    static const char *const damages[] = {
        "UPDATE body SET bytes = 'sealed bodY'",  "UPDATE body SET bytes = 'sealed bod'",
        "UPDATE body SET bytes = 'sealed body '", "DELETE FROM body",
        "UPDATE copy SET body_len = 12",          "UPDATE copy SET body_hash = 'none'",
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct database d;
        struct error err;
        struct queue_lease lease;
        int fd;
        database_make(&d);
        database_store_one(&d, "bob@example.com", T0);
        struct row_ids ids = database_claim(&d, DELIVERY_1, 5, T0);
        assert_int_equal(ids.n, 1);
        database_run(&d, damages[i]);
        assert_int_equal(lease_load(d.sql, ids.ids[0], &lease, &fd, &err), STATUS_INTERNAL);
        free(ids.ids);
        database_remove(&d);
    }
}

/* From the store to delivery, and through the hold of a key. */
static void test_what_a_rule_demands_of_tls_goes_with_the_copy(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct error err;
    database_make(&d);
    sample_start(&s);
    struct store_copy *copies[] = {sample_copy(&s, COPY_QUEUED, FORMAT_OPENPGP, "first"),
                                   sample_copy(&s, COPY_QUEUED, FORMAT_CLEAR, "second"),
                                   sample_copy(&s, COPY_HELD, FORMAT_CLEAR, "third")};
    for (size_t i = 0; i < 3; i++)
        sample_recipient(&s, copies[i], "bob@example.com");
    copies[0]->tls = TLS_LEVEL_SECURE;
    copies[0]->recipients[0].rule = text("confidential");
    copies[2]->tls = TLS_LEVEL_ENCRYPT;
    database_store(&d, &s, T0);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM copy WHERE tls = 2 AND recheck_ms IS NOT NULL"),
                     1);
    struct row_ids ids = database_claim(&d, DELIVERY_1, 5, T0);
    assert_int_equal(ids.n, 2);
    for (size_t i = 0; i < 2; i++) {
        struct queue_lease lease;
        int fd;
        OK(lease_load(d.sql, ids.ids[i], &lease, &fd, &err));
        assert_int_equal(lease.tls, lease.format == FORMAT_OPENPGP ? TLS_LEVEL_SECURE : TLS_LEVEL_NONE);
        assert_string_equal(lease.rule, lease.format == FORMAT_OPENPGP ? "confidential" : "default");
        queue_lease_free(&lease);
        close(fd);
    }
    free(ids.ids);
    database_remove(&d);
}

static void test_message_goes_with_its_last_recipient(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct error err;
    database_make(&d);
    sample_start(&s);
    struct store_copy *one = sample_copy(&s, COPY_QUEUED, FORMAT_OPENPGP, "first");
    sample_recipient(&s, one, "bob@example.com");
    sample_recipient(&s, one, "carol@example.net");
    sample_recipient(&s, sample_copy(&s, COPY_QUEUED, FORMAT_SMIME, "second"), "dave@example.com");
    database_store(&d, &s, T0);
    int64_t first = database_ask(&d, "SELECT MIN(id) FROM copy");
    int64_t second = database_ask(&d, "SELECT MAX(id) FROM copy");

    database_run(
        &d, "UPDATE recipient SET state = 'delivered', next_ms = NULL WHERE address = 'bob@example.com'");
    OK(clean_copy(d.sql, first, &err));
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM body"), 2);
    database_run(
        &d, "UPDATE recipient SET state = 'bounced', next_ms = NULL WHERE address = 'carol@example.net'");
    OK(clean_copy(d.sql, first, &err));
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM body"), 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient"), 3);
    database_run(&d,
                 "UPDATE recipient SET state = 'removed', next_ms = NULL WHERE address = 'dave@example.com'");
    OK(clean_copy(d.sql, second, &err));
    assert_int_equal(database_ask(&d,
                                  "SELECT (SELECT COUNT(*) FROM body) + (SELECT COUNT(*) FROM recipient) + "
                                  "(SELECT COUNT(*) FROM copy) + (SELECT COUNT(*) FROM message)"),
                     0);
    assert_int_not_equal(database_ask(&d, "SELECT COUNT(*) FROM audit"), 0);
    database_remove(&d);
}

static void test_numbers_of_copies_are_never_used_twice(void **state)
{
    (void)state;
    struct database d;
    database_make(&d);
    database_store_one(&d, "bob@example.com", T0);
    int64_t first = database_ask(&d, "SELECT MAX(id) FROM copy");
    database_run(&d, "DELETE FROM body");
    database_run(&d, "DELETE FROM recipient");
    database_run(&d, "DELETE FROM copy");
    database_store_one(&d, "bob@example.com", T0);
    assert_true(database_ask(&d, "SELECT MAX(id) FROM copy") > first);
    assert_true(database_ask(&d, "SELECT MAX(id) FROM recipient") > 1);
    database_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_each_kind_of_copy),
        cmocka_unit_test(test_refused_at_the_door_and_nothing_kept),
        cmocka_unit_test(test_an_id_is_stored_once),
        cmocka_unit_test(test_bodies_of_every_length_come_back),
        cmocka_unit_test(test_r7_a_damaged_body_is_told_from_no_memory),
        cmocka_unit_test(test_what_a_rule_demands_of_tls_goes_with_the_copy),
        cmocka_unit_test(test_message_goes_with_its_last_recipient),
        cmocka_unit_test(test_numbers_of_copies_are_never_used_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
