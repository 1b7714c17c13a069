/*
 * doc/queue.md row by row: each row of its tables of states and of transitions has a test here, under the
 * text of the row's first cell, and a row without a test fails. A crash leaves the files as they are at that
 * moment; that the role dies at any moment is in crash_test.c and tests/fault.
 */
#include "tests/unit/queue/database.h"

#include "base/file.h"
#include "gateway/queue/verbs.h"

struct bench {
    struct database d;
    struct sample s;
};

/* ---- what the tests do ---- */

static void store(struct bench *b, int64_t now)
{
    database_store(&b->d, &b->s, now);
}

static void with_queued(struct bench *b)
{
    database_make(&b->d);
    sample_simple(&b->s, "bob@example.com");
    store(b, T0);
}

static void with_held(struct bench *b)
{
    database_make(&b->d);
    sample_held(&b->s, "bob@example.com");
    store(b, T0);
}

static void with_returning(struct bench *b)
{
    database_make(&b->d);
    sample_start(&b->s);
    sample_recipient(&b->s, sample_copy(&b->s, COPY_RETURN, FORMAT_CLEAR, "locked body"), "bob@example.com");
    store(b, T0);
}

static size_t lease(struct bench *b, int64_t now)
{
    return database_claim_count(&b->d, DELIVERY_1, 10, now);
}

static void with_leased(struct bench *b)
{
    with_queued(b);
    assert_int_equal(lease(b, T0), 1);
}

static void quarantine(struct bench *b, int64_t copy_id)
{
    struct error err;
    OK(sql_begin(b->d.sql, &err));
    OK(hold_quarantine(b->d.sql, &b->d.settings, copy_id, "its hash is wrong", T0, &err));
    OK(sql_commit(b->d.sql, &err));
}

static void with_damaged(struct bench *b)
{
    with_leased(b);
    quarantine(b, 1);
}

static void keep_file(const char *path, struct buf *out)
{
    struct error err;
    buf_init(out, 16 << 20);
    OK(file_read(path, 16 << 20, out, &err));
}

static void put_file(const char *path, struct buf *bytes)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes->data, 1, bytes->len, f), bytes->len);
    assert_int_equal(fclose(f), 0);
    buf_free(bytes);
}

/* What a process leaves that did not close it: the database and its log, not written back into it. */
static void crash(struct bench *b)
{
    struct buf file, log;
    char log_path[sizeof b->d.path + 8];
    snprintf(log_path, sizeof log_path, "%s-wal", b->d.path);
    keep_file(b->d.path, &file);
    keep_file(log_path, &log);
    assert_true(log.len > 0);
    sql_close(b->d.sql);
    put_file(b->d.path, &file);
    put_file(log_path, &log);
    database_open(&b->d);
}

static void end(struct bench *b)
{
    database_verify(&b->d);
    database_remove(&b->d);
}

/* A verb of the administrator for the message; what it answered. */
static enum status verb(struct bench *b, verb_change_fn *run, int64_t now)
{
    struct queue queue = {.sql = b->d.sql, .settings = &b->d.settings};
    struct error err;
    json_t *reply = NULL;
    json_t *args = json_pack("{s:s}", "id", b->s.store.envelope.id);
    OK(sql_begin(b->d.sql, &err));
    enum status st = run(&queue, args, now, &reply, &err);
    if (st == STATUS_OK) {
        struct error commit;
        if (sql_commit(b->d.sql, &commit) != STATUS_OK)
            fail_msg("%s", commit.text);
    } else {
        sql_rollback(b->d.sql);
    }
    json_decref(args);
    json_decref(reply);
    return st;
}

static void outcome(struct bench *b, enum delivery_outcome what, bool with_dsn, int64_t now)
{
    struct error err;
    struct outcome_counts counts;
    struct outcome_recipient r = {.id = 1,
                                  .outcome = what,
                                  .reach = REACH_OK,
                                  .reply = text("the next hop's words"),
                                  .host = text("mx")};
    struct queue_outcome o = {.copy_id = 1, .recipients = &r, .n_recipients = 1, .has_dsn = with_dsn};
    id_make(o.dsn_id);
    o.dsn_recipient = text("alice@example.org");
    OK(sql_begin(b->d.sql, &err));
    OK(outcome_apply(b->d.sql, &b->d.settings, DELIVERY_1, &o, span_str(with_dsn ? "a locked DSN" : ""), now,
                     &counts, &err));
    OK(sql_commit(b->d.sql, &err));
}

/* ---- what the tests see ---- */

#define SEE(b, where)                                                                                        \
    do {                                                                                                     \
        if (database_ask(&(b)->d,                                                                            \
                         "SELECT COUNT(*) FROM recipient r JOIN copy c ON c.id = r.copy_id WHERE " where) != \
            1)                                                                                               \
            fail_msg("no recipient with %s", where);                                                         \
    } while (0)

/* The events of the trail in order, as in "accepted sealed". */
static void see_trail(struct bench *b, const char *wanted)
{
    struct error err;
    struct sql_stmt *stmt;
    bool row;
    char found[300] = "";
    OK(sql_prepare(b->d.sql, "SELECT event FROM audit ORDER BY seq", &stmt, &err));
    while (sql_step(stmt, &row, &err) == STATUS_OK && row)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", *found ? " " : "",
                 sql_col_str(stmt, 0));
    assert_string_equal(found, wanted);
}

static void see_nothing_left(struct bench *b)
{
    assert_int_equal(database_ask(&b->d, "SELECT COUNT(*) FROM message WHERE reverse_path <> ''"), 0);
    assert_int_equal(database_ask(&b->d,
                                  "SELECT COUNT(*) FROM copy c JOIN message m ON m.id = c.message_id WHERE "
                                  "m.reverse_path <> ''"),
                     0);
}

/* A bounce whose DSN waits for seal's word: copy 2, of a message of its own whose id B's sample gets. */
static void with_notice(struct bench *b)
{
    struct error err;
    struct sql_stmt *stmt;
    bool row = false;
    with_leased(b);
    b->d.settings.seal_notices = true;
    outcome(b, OUTCOME_BOUNCED, true, T0);
    OK(sql_prepare(b->d.sql, "SELECT id FROM message", &stmt, &err));
    OK(sql_step(stmt, &row, &err));
    assert_true(row);
    snprintf(b->s.store.envelope.id, ID_SIZE, "%s", sql_col_str(stmt, 0));
    sql_reset(stmt);
}

/* Seal's answer with the copies of S; undone when it is refused. */
static enum status replace(struct bench *b, int64_t copy_id, struct sample *s, int64_t now)
{
    struct error err, why;
    memcpy(s->store.envelope.id, b->s.store.envelope.id, ID_SIZE);
    OK(sql_begin(b->d.sql, &err));
    enum status st = hold_replace(b->d.sql, &b->d.settings, copy_id, &s->store, sample_bodies(s), now, &why);
    if (st == STATUS_OK)
        OK(sql_commit(b->d.sql, &err));
    else
        sql_rollback(b->d.sql);
    return st;
}

/* ---- states ---- */

static void test_state_accepted(void **state)
{
    (void)state;
    struct bench b;
    struct error err;
    database_make(&b.d);
    sample_simple(&b.s, "bob@example.com");
    OK(sql_begin(b.d.sql, &err));
    OK(store_insert(b.d.sql, &b.d.settings, &b.s.store, sample_bodies(&b.s), T0, &err));
    crash(&b);
    assert_int_equal(database_ask(&b.d, "SELECT COUNT(*) FROM message"), 0);
    assert_int_equal(database_ask(&b.d, "SELECT COUNT(*) FROM body"), 0);
    see_trail(&b, "");
    end(&b);
}

static void test_state_queued(void **state)
{
    (void)state;
    struct bench b;
    with_queued(&b);
    crash(&b);
    SEE(&b, "r.state = 'queued' AND r.next_ms = 1800000000000 AND c.body_len = 11");
    assert_int_equal(lease(&b, T0), 1);
    end(&b);
}

static void test_state_leased(void **state)
{
    (void)state;
    struct bench b;
    with_leased(&b);
    crash(&b);
    SEE(&b, "r.state = 'leased' AND c.lease_instance = '" DELIVERY_1 "'");
    assert_int_equal(database_claim_count(&b.d, DELIVERY_2, 10, T0 + DAY), 0);
    end(&b);
}

static void test_state_deferred(void **state)
{
    (void)state;
    struct bench b;
    with_leased(&b);
    outcome(&b, OUTCOME_DEFERRED, false, T0);
    crash(&b);
    SEE(&b, "r.state = 'deferred' AND r.attempts = 1 AND r.next_ms > 1800000000000 AND r.reply IS NOT NULL");
    assert_int_equal(lease(&b, T0 + MINUTE), 0);
    assert_int_equal(lease(&b, T0 + 6 * MINUTE), 1);
    end(&b);
}

static void test_state_held_for_a_key(void **state)
{
    (void)state;
    struct bench b;
    with_held(&b);
    crash(&b);
    SEE(&b,
        "r.state = 'held' AND r.hold = 'key' AND r.reason IS NOT NULL AND c.locked = 1 AND c.format = 1 AND "
        "c.recheck_ms = 1800000900000 AND c.hold_until_ms = 1800604800000");
    assert_int_equal(lease(&b, T0 + 365 * DAY), 0);
    end(&b);
}

static void test_state_held_by_the_administrator(void **state)
{
    (void)state;
    struct bench b;
    struct error err;
    int64_t moved;
    with_queued(&b);
    assert_int_equal(verb(&b, verb_queue_hold, T0), STATUS_OK);
    crash(&b);
    SEE(&b,
        "r.state = 'held' AND r.hold = 'administrator' AND r.next_ms IS NULL AND c.hold_until_ms IS NULL");
    OK(hold_expire(b.d.sql, T0 + 365 * DAY, &moved, &err));
    assert_int_equal(moved, 0);
    assert_int_equal(lease(&b, T0 + 365 * DAY), 0);
    end(&b);
}

static void test_state_held_damaged(void **state)
{
    (void)state;
    struct bench b;
    with_damaged(&b);
    crash(&b);
    SEE(&b, "r.state = 'held' AND r.hold = 'damaged' AND r.reason = 'its hash is wrong' AND c.hold_until_ms "
            "IS NOT "
            "NULL AND c.lease_instance IS NULL");
    /* Everybody else's goes on. */
    sample_simple(&b.s, "carol@example.com");
    store(&b, T0);
    assert_int_equal(lease(&b, T0), 1);
    end(&b);
}

static void test_state_held_as_a_notice(void **state)
{
    (void)state;
    struct bench b;
    struct error err;
    struct queue_release release;
    int64_t moved;
    int fd;
    with_notice(&b);
    crash(&b);
    SEE(&b, "r.state = 'held' AND r.hold = 'notice' AND r.address = 'alice@example.org' AND c.locked = 1 AND "
            "c.format = 1 AND c.recheck_ms = 1800000000000 AND c.hold_until_ms IS NULL");
    /* Seal is asked, however often it was before the crash; nothing else makes it leave. */
    for (int i = 0; i < 2; i++) {
        struct row_ids due;
        OK(hold_due(b.d.sql, T0, 10, &due, &err));
        assert_int_equal(due.n, 1);
        OK(hold_load(b.d.sql, due.ids[0], &release, &fd, &err));
        assert_true(release.notice);
        assert_string_equal(release.envelope.reverse_path, "");
        assert_string_equal(release.envelope.recipients[0].address, "alice@example.org");
        queue_release_free(&release);
        close(fd);
        free(due.ids);
        crash(&b);
    }
    OK(hold_expire(b.d.sql, T0 + 365 * DAY, &moved, &err));
    assert_int_equal(moved, 0);
    assert_int_equal(lease(&b, T0 + 365 * DAY), 0);
    end(&b);
}

static void test_state_returning(void **state)
{
    (void)state;
    struct bench b;
    struct queue_lease l;
    struct error err;
    int fd;
    with_held(&b);
    assert_int_equal(verb(&b, verb_held_return, T0), STATUS_OK);
    crash(&b);
    SEE(&b, "r.state = 'queued' AND r.to_return = 1");
    assert_int_equal(lease(&b, T0), 1);
    OK(lease_load(b.d.sql, 1, &l, &fd, &err));
    assert_int_equal(l.state, COPY_RETURN);
    assert_true(span_is(buf_span(&l.dsn_header), "Subject: [...]\r\n"));
    assert_int_equal(lseek(fd, 0, SEEK_END), 0);
    close(fd);
    queue_lease_free(&l);
    end(&b);
}

static void test_state_delivered(void **state)
{
    (void)state;
    struct bench b;
    with_leased(&b);
    outcome(&b, OUTCOME_DELIVERED, false, T0);
    crash(&b);
    see_nothing_left(&b);
    see_trail(&b, "accepted sealed delivered");
    /* What the next hop said stays. */
    assert_int_equal(database_ask(&b.d, "SELECT COUNT(*) FROM audit WHERE event = 'delivered' AND reply = "
                                        "'the next hop''s words' AND host = 'mx'"),
                     1);
    end(&b);
}

static void test_state_bounced(void **state)
{
    (void)state;
    struct bench b;
    with_leased(&b);
    outcome(&b, OUTCOME_BOUNCED, true, T0);
    crash(&b);
    see_nothing_left(&b);
    SEE(&b, "r.state = 'queued' AND r.address = 'alice@example.org'");
    see_trail(&b, "accepted sealed bounced accepted");
    end(&b);
}

static void test_state_returned(void **state)
{
    (void)state;
    struct bench b;
    with_returning(&b);
    assert_int_equal(lease(&b, T0), 1);
    outcome(&b, OUTCOME_BOUNCED, true, T0);
    crash(&b);
    see_nothing_left(&b);
    SEE(&b, "r.state = 'queued' AND r.address = 'alice@example.org'");
    see_trail(&b, "accepted returned accepted");
    end(&b);
}

static void test_state_removed(void **state)
{
    (void)state;
    struct bench b;
    with_queued(&b);
    assert_int_equal(verb(&b, verb_queue_remove, T0), STATUS_OK);
    crash(&b);
    assert_int_equal(database_ask(&b.d, "SELECT COUNT(*) FROM message"), 0);
    see_trail(&b, "accepted sealed removed");
    end(&b);
}

/* ---- transitions ---- */

static void test_stored_becomes_queued(void **state)
{
    (void)state;
    struct bench b;
    with_queued(&b);
    SEE(&b, "r.state = 'queued' AND r.to_return = 0");
    see_trail(&b, "accepted sealed");
    end(&b);
}

static void test_stored_becomes_held(void **state)
{
    (void)state;
    struct bench b;
    with_held(&b);
    SEE(&b, "r.state = 'held' AND r.hold = 'key'");
    see_trail(&b, "accepted held");
    end(&b);
}

static void test_stored_becomes_returning(void **state)
{
    (void)state;
    struct bench b;
    with_returning(&b);
    SEE(&b, "r.state = 'queued' AND r.to_return = 1");
    see_trail(&b, "accepted");
    end(&b);
}

static void test_due_becomes_leased(void **state)
{
    (void)state;
    struct bench b;
    with_leased(&b);
    SEE(&b, "r.state = 'leased' AND r.to_return = 0");
    outcome(&b, OUTCOME_DEFERRED, false, T0);
    assert_int_equal(lease(&b, T0 + HOUR), 1);
    SEE(&b, "r.state = 'leased' AND r.attempts = 1");
    see_trail(&b, "accepted sealed deferred");
    end(&b);
    with_returning(&b);
    assert_int_equal(lease(&b, T0), 1);
    SEE(&b, "r.state = 'leased' AND r.to_return = 1");
    see_trail(&b, "accepted");
    end(&b);
}

static void test_leased_becomes_what_delivery_says(void **state)
{
    (void)state;
    static const struct {
        enum delivery_outcome what;
        bool returning;
        const char *trail;
    } rows[] = {{OUTCOME_DELIVERED, false, "accepted sealed delivered"},
                {OUTCOME_DEFERRED, false, "accepted sealed deferred"},
                {OUTCOME_BOUNCED, false, "accepted sealed bounced"},
                {OUTCOME_BOUNCED, true, "accepted returned"},
                {OUTCOME_DEFERRED, true, "accepted deferred"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench b;
        if (rows[i].returning)
            with_returning(&b);
        else
            with_queued(&b);
        assert_int_equal(lease(&b, T0), 1);
        outcome(&b, rows[i].what, false, T0);
        see_trail(&b, rows[i].trail);
        if (rows[i].what == OUTCOME_DEFERRED)
            SEE(&b, "r.state = 'deferred'");
        else
            see_nothing_left(&b);
        end(&b);
    }
}

static void test_leased_becomes_due_again_when_its_lease_ends(void **state)
{
    (void)state;
    struct bench b;
    struct error err;
    with_leased(&b);
    OK(lease_end(b.d.sql, 1, T0 + 1, &err));
    SEE(&b, "r.state = 'queued' AND r.attempts = 0 AND c.lease_instance IS NULL");
    assert_int_equal(lease(&b, T0 + 1), 1);
    outcome(&b, OUTCOME_DEFERRED, false, T0);
    assert_int_equal(lease(&b, T0 + HOUR), 1);
    OK(lease_end(b.d.sql, 1, T0 + HOUR, &err));
    SEE(&b, "r.state = 'deferred' AND r.attempts = 1");
    see_trail(&b, "accepted sealed deferred");
    end(&b);
}

static void test_leased_becomes_damaged(void **state)
{
    (void)state;
    struct bench b;
    with_damaged(&b);
    SEE(&b, "r.state = 'held' AND r.hold = 'damaged'");
    see_trail(&b, "accepted sealed held");
    end(&b);
}

static void test_held_for_a_key_becomes_queued(void **state)
{
    (void)state;
    struct bench b;
    struct sample sealed;
    struct error err;
    with_held(&b);
    sample_simple(&sealed, "bob@example.com");
    memcpy(sealed.store.envelope.id, b.s.store.envelope.id, ID_SIZE);
    OK(sql_begin(b.d.sql, &err));
    OK(hold_replace(b.d.sql, &b.d.settings, 1, &sealed.store, sample_bodies(&sealed), T0 + HOUR, &err));
    OK(sql_commit(b.d.sql, &err));
    SEE(&b, "r.state = 'queued' AND c.format = 3 AND c.id = 2");
    see_trail(&b, "accepted held released sealed");
    end(&b);
}

static void test_stored_becomes_a_notice(void **state)
{
    (void)state;
    struct bench b;
    with_notice(&b);
    SEE(&b, "r.state = 'held' AND r.hold = 'notice' AND r.next_ms IS NULL");
    see_trail(&b, "accepted sealed bounced accepted held");
    end(&b);
    /* Nobody's mail becomes one. */
    struct error err;
    database_make(&b.d);
    sample_start(&b.s);
    sample_recipient(&b.s, sample_copy(&b.s, COPY_NOTICE, FORMAT_CLEAR, "locked body"), "bob@example.com");
    OK(sql_begin(b.d.sql, &err));
    assert_int_equal(store_insert(b.d.sql, &b.d.settings, &b.s.store, sample_bodies(&b.s), T0, &err),
                     STATUS_INVALID);
    sql_rollback(b.d.sql);
    see_trail(&b, "");
    end(&b);
}

static void test_a_notice_becomes_queued(void **state)
{
    (void)state;
    struct bench b;
    struct sample sealed;
    struct error err;
    with_notice(&b);
    sample_simple(&sealed, "alice@example.org");
    assert_int_equal(replace(&b, 2, &sealed, T0 + HOUR), STATUS_OK);
    SEE(&b,
        "r.state = 'queued' AND c.format = 3 AND c.id = 3 AND c.locked = 0 AND r.fingerprint IS NOT NULL");
    see_trail(&b, "accepted sealed bounced accepted held released sealed");
    assert_int_equal(lease(&b, T0 + HOUR), 1);
    end(&b);
    /* Without a certificate: as it was written, and it says so. */
    with_notice(&b);
    OK(sql_begin(b.d.sql, &err));
    OK(hold_let_go(b.d.sql, 2, "none found", T0 + HOUR, &err));
    OK(sql_commit(b.d.sql, &err));
    SEE(&b, "r.state = 'queued' AND c.format = 2 AND c.id = 2 AND c.locked = 1 AND c.recheck_ms IS NULL AND "
            "r.reason = 'none found' AND r.expires_ms = 1800435600000");
    see_trail(&b, "accepted sealed bounced accepted held released");
    assert_int_equal(lease(&b, T0 + HOUR), 1);
    end(&b);
}

static void test_held_becomes_returning_by_time(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bench b;
        struct error err;
        int64_t moved;
        if (i == 0)
            with_held(&b);
        else
            with_damaged(&b);
        OK(hold_expire(b.d.sql, T0 + 7 * DAY - 1, &moved, &err));
        assert_int_equal(moved, 0);
        OK(hold_expire(b.d.sql, T0 + 7 * DAY, &moved, &err));
        assert_int_equal(moved, 1);
        SEE(&b, "r.state = 'queued' AND r.to_return = 1 AND r.hold IS NULL");
        see_trail(&b, i == 0 ? "accepted held" : "accepted sealed held");
        end(&b);
    }
}

static void with_held_by_administrator(struct bench *b)
{
    with_queued(b);
    assert_int_equal(verb(b, verb_queue_hold, T0), STATUS_OK);
}

static void test_held_becomes_returning_by_the_administrator(void **state)
{
    (void)state;
    void (*const with[])(struct bench *) = {with_held, with_held_by_administrator, with_damaged};
    static const char *const trails[] = {"accepted held", "accepted sealed held", "accepted sealed held"};
    for (size_t i = 0; i < 3; i++) {
        struct bench b;
        with[i](&b);
        assert_int_equal(verb(&b, verb_held_return, T0 + 1), STATUS_OK);
        SEE(&b, "r.state = 'queued' AND r.to_return = 1 AND r.hold IS NULL");
        see_trail(&b, trails[i]);
        end(&b);
    }
}

static void with_deferred(struct bench *b)
{
    with_leased(b);
    outcome(b, OUTCOME_DEFERRED, false, T0);
}

static void test_waiting_becomes_held_by_the_administrator(void **state)
{
    (void)state;
    void (*const with[])(struct bench *) = {with_queued, with_deferred, with_returning};
    static const char *const trails[] = {"accepted sealed held", "accepted sealed deferred held",
                                         "accepted held"};
    for (size_t i = 0; i < 3; i++) {
        struct bench b;
        with[i](&b);
        assert_int_equal(verb(&b, verb_queue_hold, T0 + 1), STATUS_OK);
        SEE(&b, "r.state = 'held' AND r.hold = 'administrator'");
        see_trail(&b, trails[i]);
        end(&b);
    }
}

static void test_held_by_the_administrator_is_released(void **state)
{
    (void)state;
    void (*const with[])(struct bench *) = {with_queued, with_returning};
    for (size_t i = 0; i < 2; i++) {
        struct bench b;
        with[i](&b);
        assert_int_equal(verb(&b, verb_queue_hold, T0 + 1), STATUS_OK);
        assert_int_equal(verb(&b, verb_queue_release, T0 + 2), STATUS_OK);
        if (i == 0)
            SEE(&b, "r.state = 'queued' AND r.to_return = 0 AND r.next_ms = 1800000000002");
        else
            SEE(&b, "r.state = 'queued' AND r.to_return = 1 AND r.next_ms = 1800000000002");
        see_trail(&b, i == 0 ? "accepted sealed held released" : "accepted held released");
        end(&b);
    }
}

static void test_waiting_or_held_is_removed(void **state)
{
    (void)state;
    void (*const with[])(struct bench *) = {with_queued, with_deferred, with_returning,
                                            with_held,   with_damaged,  with_held_by_administrator,
                                            with_notice};
    for (size_t i = 0; i < sizeof with / sizeof with[0]; i++) {
        struct bench b;
        with[i](&b);
        assert_int_equal(verb(&b, verb_queue_remove, T0 + 1), STATUS_OK);
        assert_int_equal(database_ask(&b.d, "SELECT COUNT(*) FROM message"), 0);
        assert_int_equal(database_ask(&b.d, "SELECT COUNT(*) FROM body"), 0);
        assert_int_equal(database_ask(&b.d, "SELECT COUNT(*) FROM audit WHERE event = 'removed'"), 1);
        end(&b);
    }
}

/* "A transition that is not in the table is refused and changes nothing." */
static void test_what_is_not_in_the_table_is_refused(void **state)
{
    (void)state;
    static const struct {
        void (*with)(struct bench *);
        verb_change_fn *verb;
        enum status status;
    } rows[] = {
        {with_leased, verb_queue_hold, STATUS_BUSY},       {with_leased, verb_queue_remove, STATUS_BUSY},
        {with_leased, verb_held_return, STATUS_BUSY},      {with_held, verb_queue_hold, STATUS_INVALID},
        {with_held, verb_queue_release, STATUS_INVALID},   {with_damaged, verb_queue_release, STATUS_INVALID},
        {with_queued, verb_queue_release, STATUS_INVALID}, {with_queued, verb_held_return, STATUS_INVALID},
        {with_deferred, verb_held_return, STATUS_INVALID}, {with_notice, verb_held_return, STATUS_INVALID},
        {with_notice, verb_queue_hold, STATUS_INVALID},    {with_notice, verb_queue_release, STATUS_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bench b;
        rows[i].with(&b);
        int64_t before = database_ask(&b.d, "SELECT COUNT(*) FROM audit");
        assert_int_equal(verb(&b, rows[i].verb, T0 + 1), rows[i].status);
        assert_int_equal(database_ask(&b.d, "SELECT COUNT(*) FROM audit"), before);
        end(&b);
    }
}

/* Whatever seal answers: a held message leaves only sealed, and a notice is never held for a key or returned,
 * which would be to nobody. */
static void test_answers_of_seal_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        void (*with)(struct bench *);
        int64_t copy_id;
        const char *address;
        enum copy_state state;
        enum copy_format format;
    } rows[] = {
        {with_held, 1, "bob@example.com", COPY_QUEUED, FORMAT_CLEAR},
        {with_notice, 2, "alice@example.org", COPY_QUEUED, FORMAT_CLEAR},
        {with_notice, 2, "alice@example.org", COPY_HELD, FORMAT_CLEAR},
        {with_notice, 2, "alice@example.org", COPY_RETURN, FORMAT_CLEAR},
        {with_notice, 2, "mallory@example.org", COPY_QUEUED, FORMAT_OPENPGP},
    };
    struct bench b;
    struct error err;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sample s;
        rows[i].with(&b);
        int64_t before = database_ask(&b.d, "SELECT COUNT(*) FROM audit");
        sample_start(&s);
        sample_recipient(&s, sample_copy(&s, rows[i].state, rows[i].format, "body"), rows[i].address);
        assert_int_equal(replace(&b, rows[i].copy_id, &s, T0 + 1), STATUS_INVALID);
        assert_int_equal(database_ask(&b.d, "SELECT COUNT(*) FROM audit"), before);
        SEE(&b, "r.state = 'held' AND c.locked = 1 AND c.format = 1");
        end(&b);
    }
    with_held(&b);
    assert_int_equal(hold_let_go(b.d.sql, 1, "none found", T0 + 1, &err), STATUS_INVALID);
    SEE(&b, "r.state = 'held' AND r.hold = 'key' AND c.format = 1");
    end(&b);
}

/* ---- rows ---- */

/* First cell of each row, as it stands in doc/queue.md. */
static const struct {
    const char *cell;
    CMUnitTestFunction test;
} rows[] = {
    {"*accepted*", test_state_accepted},
    {"`queued`", test_state_queued},
    {"`leased`", test_state_leased},
    {"`deferred`", test_state_deferred},
    {"`held` (`key`)", test_state_held_for_a_key},
    {"`held` (`administrator`)", test_state_held_by_the_administrator},
    {"`held` (`damaged`)", test_state_held_damaged},
    {"`held` (`notice`)", test_state_held_as_a_notice},
    {"`returning`", test_state_returning},
    {"`delivered`", test_state_delivered},
    {"`bounced`", test_state_bounced},
    {"`returned`", test_state_returned},
    {"`removed`", test_state_removed},
    {"– → `queued`", test_stored_becomes_queued},
    {"– → `held` (`key`)", test_stored_becomes_held},
    {"– → `returning`", test_stored_becomes_returning},
    {"– → `held` (`notice`)", test_stored_becomes_a_notice},
    {"`queued`, `deferred`, `returning` → `leased`", test_due_becomes_leased},
    {"`leased` → `delivered` / `deferred` / `bounced` / `returned`", test_leased_becomes_what_delivery_says},
    {"`leased` → `queued` or `deferred`", test_leased_becomes_due_again_when_its_lease_ends},
    {"`leased` → `held` (`damaged`)", test_leased_becomes_damaged},
    {"`held` (`key`) → `queued`", test_held_for_a_key_becomes_queued},
    {"`held` (`notice`) → `queued`", test_a_notice_becomes_queued},
    {"`held` (`key`, `damaged`) → `returning`", test_held_becomes_returning_by_time},
    {"`held` (any but `notice`) → `returning`", test_held_becomes_returning_by_the_administrator},
    {"`queued`, `deferred`, `returning` → `held` (`administrator`)",
     test_waiting_becomes_held_by_the_administrator},
    {"`held` (`administrator`) → `queued` or `returning`", test_held_by_the_administrator_is_released},
    {"any but `leased` and final → `removed`", test_waiting_or_held_is_removed},
};
#define ROWS (sizeof rows / sizeof rows[0])

static bool has_test(const char *cell)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(rows[i].cell, cell) == 0)
            return true;
    return false;
}

/* The rows of the tables under HEADING; those without a test are counted as missing. */
static size_t rows_under(FILE *doc, const char *heading, size_t *missing)
{
    char line[2000];
    size_t n = 0;
    bool inside = false;
    rewind(doc);
    while (fgets(line, sizeof line, doc)) {
        if (strncmp(line, "## ", 3) == 0)
            inside = strncmp(line + 3, heading, strlen(heading)) == 0;
        /* Neither the head of the table nor the line below it. */
        if (!inside || strncmp(line, "| ", 2) != 0 || strncmp(line, "| state |", 9) == 0 ||
            strncmp(line, "| from → to |", strlen("| from → to |")) == 0)
            continue;
        char *cell = line + 2;
        *strstr(cell, " |") = '\0';
        n++;
        if (!has_test(cell)) {
            print_message("no test for the row %s\n", cell);
            ++*missing;
        }
    }
    return n;
}

static void test_every_row_has_a_test(void **state)
{
    (void)state;
    FILE *doc = fopen("doc/queue.md", "re");
    size_t missing = 0;
    assert_non_null(doc);
    size_t n = rows_under(doc, "States of a recipient", &missing);
    n += rows_under(doc, "Transitions", &missing);
    fclose(doc);
    assert_int_equal(missing, 0);
    assert_int_equal(n, ROWS);
}

int main(void)
{
    struct CMUnitTest tests[ROWS + 3];
    for (size_t i = 0; i < ROWS; i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].cell, .test_func = rows[i].test};
    tests[ROWS] = (struct CMUnitTest)cmocka_unit_test(test_every_row_has_a_test);
    tests[ROWS + 1] = (struct CMUnitTest)cmocka_unit_test(test_what_is_not_in_the_table_is_refused);
    tests[ROWS + 2] = (struct CMUnitTest)cmocka_unit_test(test_answers_of_seal_that_are_refused);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
