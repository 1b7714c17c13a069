/* Held copies: replaced only by sealed ones for exactly their recipients, expired, quarantined. */
#include "tests/unit/queue/database.h"

static int64_t held(struct database *d, struct sample *s, const char *address)
{
    database_make(d);
    sample_held(s, address);
    database_store(d, s, T0);
    return 1;
}

static enum status replace(const struct database *d, int64_t copy_id, const struct sample *s, int64_t now_ms)
{
    struct error err;
    struct error why;
    OK(sql_begin(d->sql, &err));
    OK(sql_savepoint(d->sql, &err));
    enum status st = hold_replace(d->sql, &d->settings, copy_id, &s->store, sample_bodies(s), now_ms, &why);
    if (st == STATUS_OK)
        OK(sql_release(d->sql, &err));
    else
        OK(sql_undo(d->sql, &err));
    OK(sql_commit(d->sql, &err));
    database_verify(d);
    return st;
}

/* What seal makes of it: same id, sealed. */
static void sealed_for(struct sample *s, const struct sample *of, const char *address)
{
    sample_simple(s, address);
    memcpy(s->store.envelope.id, of->store.envelope.id, ID_SIZE);
}

static void test_seal_is_asked_with_what_was_submitted(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct error err;
    struct queue_release release;
    struct span body;
    int fd;
    int64_t copy = held(&d, &s, "bob@example.com");
    OK(hold_load(d.sql, copy, &release, &fd, &err));
    assert_string_equal(release.envelope.id, s.store.envelope.id);
    assert_string_equal(release.envelope.user, "alice");
    assert_int_equal(release.envelope.received_ms, T0);
    assert_int_equal(release.envelope.n_recipients, 1);
    assert_string_equal(release.envelope.recipients[0].address, "bob@example.com");
    assert_int_equal(release.copy_id, copy);
    OK(memfile_map(fd, SIZE_MAX, &body, &err));
    assert_true(span_is(body, "locked body"));
    memfile_unmap(body);
    close(fd);
    queue_release_free(&release);
    database_run(&d, "UPDATE recipient SET hold = 'administrator'");
    assert_int_equal(hold_load(d.sql, copy, &release, &fd, &err), STATUS_NOT_FOUND);
    assert_int_equal(hold_load(d.sql, 77, &release, &fd, &err), STATUS_NOT_FOUND);
    database_remove(&d);
}

/* Its rules may ask for the relay client; people see it where they see users. */
static void test_a_held_message_remembers_its_relay_client(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct error err;
    struct queue_release release;
    int fd;
    database_make(&d);
    sample_held(&s, "bob@example.com");
    s.store.envelope.user = text("");
    s.store.envelope.client = text("scanner");
    database_store(&d, &s, T0);
    OK(hold_load(d.sql, 1, &release, &fd, &err));
    assert_string_equal(release.envelope.user, "");
    assert_string_equal(release.envelope.client, "scanner");
    close(fd);
    queue_release_free(&release);
    assert_int_equal(database_ask(&d, "SELECT count(*) FROM audit WHERE user_name = 'client:scanner'"), 2);
    database_remove(&d);
}

static void test_sealed_copies_take_the_place_of_the_held_one(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct sample sealed;
    int64_t copy = held(&d, &s, "bob@example.com");
    sealed_for(&sealed, &s, "bob@example.com");
    assert_int_equal(replace(&d, copy, &sealed, T0 + DAY), STATUS_OK);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM message"), 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM copy WHERE format = 3 AND locked = 0"), 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM body"), 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'queued'"), 1);
    assert_int_equal(database_ask(&d, "SELECT expires_ms FROM recipient"), T0 + DAY + 5 * DAY);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit WHERE event = 'released'"), 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit WHERE event = 'sealed'"), 1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit WHERE event = 'accepted'"), 1);
    /* The answer to a second question for the same copy comes too late. */
    assert_int_equal(replace(&d, copy, &sealed, T0 + DAY), STATUS_INVALID);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient"), 1);
    database_remove(&d);
}

static void as_clear(struct sample *s)
{
    s->copies[0].format = FORMAT_CLEAR;
    s->copies[0].locked = true;
}
static void as_plaintext(struct sample *s)
{
    s->copies[0].format = FORMAT_CLEAR;
}
static void for_another(struct sample *s)
{
    s->recipients[0][0].address = s->to[0].address = text("mallory@example.com");
}
static void for_one_more(struct sample *s)
{
    sample_recipient(s, &s->copies[0], "mallory@example.com");
}
static void twice(struct sample *s)
{
    sample_recipient(s, &s->copies[0], "bob@example.com");
}
static void other_message(struct sample *s)
{
    id_make(s->store.envelope.id);
}
static void no_copies(struct sample *s)
{
    s->store.n_copies = 0;
}

static void test_a33_nothing_but_sealed_copies_for_the_same_recipients(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        void (*spoil)(struct sample *s);
    } table[] = {
        {"clear under the spool key", as_clear},
        {"plaintext", as_plaintext},
        {"another recipient", for_another},
        {"one more", for_one_more},
        {"the same twice", twice},
        {"another message", other_message},
        {"nothing", no_copies},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct database d;
        struct sample s;
        struct sample sealed;
        int64_t copy = held(&d, &s, "bob@example.com");
        sealed_for(&sealed, &s, "bob@example.com");
        table[i].spoil(&sealed);
        if (replace(&d, copy, &sealed, T0 + DAY) != STATUS_INVALID)
            fail_msg("%s: not refused", table[i].what);
        assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE hold = 'key'"), 1);
        assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM copy"), 1);
        database_remove(&d);
    }
}

static void test_only_what_waits_for_a_key_is_replaced(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "UPDATE recipient SET hold = 'damaged'",
        "UPDATE recipient SET hold = 'administrator'",
        "UPDATE recipient SET state = 'queued', hold = NULL, to_return = 1, next_ms = 1",
        "UPDATE recipient SET state = 'removed', hold = NULL",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct database d;
        struct sample s;
        struct sample sealed;
        int64_t copy = held(&d, &s, "bob@example.com");
        sealed_for(&sealed, &s, "bob@example.com");
        database_run(&d, changes[i]);
        assert_int_equal(replace(&d, copy, &sealed, T0 + DAY), STATUS_INVALID);
        database_remove(&d);
    }
}

static void test_a_part_may_stay_held_as_long_as_before(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct sample next;
    database_make(&d);
    sample_start(&s);
    struct store_copy *copy = sample_copy(&s, COPY_HELD, FORMAT_CLEAR, "locked");
    sample_recipient(&s, copy, "bob@example.com");
    sample_recipient(&s, copy, "carol@example.net");
    database_store(&d, &s, T0);
    sealed_for(&next, &s, "carol@example.net");
    sample_recipient(&next, sample_copy(&next, COPY_HELD, FORMAT_CLEAR, "locked again"), "bob@example.com");
    assert_int_equal(replace(&d, 1, &next, T0 + DAY), STATUS_OK);
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE address = 'bob@example.com' AND hold = "
                         "'key'"),
        1);
    assert_int_equal(database_ask(&d, "SELECT hold_until_ms FROM copy WHERE hold_until_ms IS NOT NULL"),
                     T0 + 7 * DAY);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit WHERE event = 'released'"), 1);
    database_remove(&d);
}

static void test_expiry_returns_what_waits_and_what_is_damaged(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    int64_t n = 0;
    int64_t next = 0;
    static const char *const kinds[] = {"key", "damaged", "administrator"};
    database_make(&d);
    for (int i = 0; i < 3; i++) {
        struct sample s;
        struct sql_stmt *stmt;
        sample_held(&s, "bob@example.com");
        database_store(&d, &s, T0);
        OK(sql_prepare(d.sql, "UPDATE recipient SET hold = ?1 WHERE id = (SELECT MAX(id) FROM recipient)",
                       &stmt, &err));
        sql_bind_str(stmt, 1, kinds[i]);
        OK(sql_run(stmt, &err));
    }
    OK(hold_expire(d.sql, T0 + 7 * DAY - 1, &n, &err));
    assert_int_equal(n, 0);
    OK(hold_next_due(d.sql, T0 + 6 * DAY, &next, &err));
    assert_int_equal(next, T0 + 7 * DAY);
    OK(hold_expire(d.sql, T0 + 7 * DAY, &n, &err));
    assert_int_equal(n, 2);
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE state = 'queued' AND to_return = 1"), 2);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE hold = 'administrator'"), 1);
    OK(hold_expire(d.sql, T0 + 8 * DAY, &n, &err));
    assert_int_equal(n, 0);
    /* No recheck for what is on its way back. */
    struct row_ids due;
    OK(hold_due(d.sql, T0 + 30 * DAY, 10, &due, &err));
    assert_int_equal(due.n, 0);
    free(due.ids);
    database_remove(&d);
}

static void test_rechecks_come_round(void **state)
{
    (void)state;
    struct database d;
    struct sample s;
    struct error err;
    struct row_ids due;
    int64_t copy = held(&d, &s, "bob@example.com");
    OK(hold_due(d.sql, T0 + 15 * MINUTE - 1, 10, &due, &err));
    assert_int_equal(due.n, 0);
    free(due.ids);
    OK(hold_due(d.sql, T0 + 15 * MINUTE, 10, &due, &err));
    assert_int_equal(due.n, 1);
    assert_int_equal(due.ids[0], copy);
    free(due.ids);
    int64_t seen = 0;
    OK(hold_recheck_at(d.sql, copy, &seen, &err));
    assert_int_equal(seen, T0 + 15 * MINUTE);
    OK(hold_postpone(d.sql, copy, seen, T0 + 30 * MINUTE, &err));
    OK(hold_due(d.sql, T0 + 15 * MINUTE, 10, &due, &err));
    assert_int_equal(due.n, 0);
    free(due.ids);
    /* An answer that was on its way when a recheck was asked for does not undo it, even in the same ms. */
    seen = T0 + 30 * MINUTE;
    OK(hold_hasten(d.sql, copy, seen, &err));
    OK(hold_postpone(d.sql, copy, seen, T0 + 60 * MINUTE, &err));
    OK(hold_due(d.sql, seen, 10, &due, &err));
    assert_int_equal(due.n, 1);
    free(due.ids);
    /* What is not held for a key does not become so. */
    database_run(&d, "UPDATE copy SET recheck_ms = NULL");
    OK(hold_postpone(d.sql, copy, 0, T0, &err));
    OK(hold_hasten(d.sql, copy, T0, &err));
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM copy WHERE recheck_ms IS NOT NULL"), 0);
    database_remove(&d);
}

static void test_r7_quarantine(void **state)
{
    (void)state;
    struct database d;
    struct error err;
    database_make(&d);
    database_store_one(&d, "bob@example.com", T0);
    struct row_ids ids = database_claim(&d, DELIVERY_1, 5, T0);
    OK(hold_quarantine(d.sql, &d.settings, ids.ids[0], "the body is damaged", T0 + HOUR, &err));
    free(ids.ids);
    assert_int_equal(
        database_ask(&d, "SELECT COUNT(*) FROM recipient WHERE hold = 'damaged' AND reason = 'the body "
                         "is damaged'"),
        1);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM copy WHERE lease_instance IS NOT NULL"), 0);
    assert_int_equal(database_ask(&d, "SELECT hold_until_ms FROM copy"), T0 + HOUR + 7 * DAY);
    assert_int_equal(database_ask(&d, "SELECT COUNT(*) FROM audit WHERE event = 'held'"), 1);
    assert_int_equal(database_claim_count(&d, DELIVERY_1, 5, T0 + 2 * HOUR), 0);
    database_verify(&d);
    database_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seal_is_asked_with_what_was_submitted),
        cmocka_unit_test(test_a_held_message_remembers_its_relay_client),
        cmocka_unit_test(test_sealed_copies_take_the_place_of_the_held_one),
        cmocka_unit_test(test_a33_nothing_but_sealed_copies_for_the_same_recipients),
        cmocka_unit_test(test_only_what_waits_for_a_key_is_replaced),
        cmocka_unit_test(test_a_part_may_stay_held_as_long_as_before),
        cmocka_unit_test(test_expiry_returns_what_waits_and_what_is_damaged),
        cmocka_unit_test(test_rechecks_come_round),
        cmocka_unit_test(test_r7_quarantine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
