/* Which due copies are leased next: fairly between lanes, none for a destination that cannot be reached. */
#include <stdlib.h>
#include <string.h>

#include "gateway/queue/lease.h"
#include "gateway/queue/reach.h"
#include "gateway/queue/schema.h"
#include "gateway/queue/share.h"

/* Senders looked at in one transaction, so many at a time, and lanes of one sender. */
#define SENDERS_MAX 256
#define SENDERS_AT_ONCE 64
#define LANES_MAX 32
/* What due mail on lease for other recipients blocks is looked at after this, if the lease's end did not wake
 * it. */
#define BLOCKED_MS 60000
/* While a large body waits for room only such small ones go. */
#define SMALL_BODY ((int64_t)256 << 10)

struct lane {
    int64_t id;
    int64_t expires_ms;
    char *domain; /* owned */
    bool over;    /* nothing more to be had of it now */
};

/* A sender whose turn it is. */
struct turn {
    char *sender; /* owned */
    struct lane lanes[LANES_MAX];
    size_t n_lanes;
    size_t next; /* lane */
    size_t n_aside;
    bool over;
};

struct claim {
    struct sql *sql;
    const struct queue_settings *settings;
    const char *instance;
    int64_t now_ms;
    struct shares shares;
    struct turn turns[SENDERS_AT_ONCE];
    size_t n_turns;
    bool large_waits;
    bool set_aside_all; /* as many lanes of a sender as were looked at: behind them there may be others */
    struct row_ids *ids;
};

struct due {
    bool found;
    int64_t copy_id;
    int64_t to_return;
    int64_t body_len;
};

/* ---- senders and their lanes ---- */

static void forget_turns(struct claim *c)
{
    for (size_t i = 0; i < c->n_turns; i++) {
        for (size_t k = 0; k < c->turns[i].n_lanes; k++)
            free(c->turns[i].lanes[k].domain);
        free(c->turns[i].sender);
    }
    c->n_turns = 0;
}

/* The sender behind AFTER that has lanes, owned; NULL: there is none. */
static enum status next_sender(const struct claim *c, const char *after, char **sender_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    *sender_out = NULL;
    enum status st = sql_prepare(c->sql,
                                 after ? "SELECT sender FROM lane WHERE sender > ?1 ORDER BY sender LIMIT 1"
                                       : "SELECT sender FROM lane ORDER BY sender LIMIT 1",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    if (after)
        sql_bind_str(stmt, 1, after);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK || !row)
        return st;
    *sender_out = span_dup(span_str(sql_col_str(stmt, 0)));
    sql_reset(stmt);
    return *sender_out ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "out of memory for what is due");
}

/* Its due lanes, the longest due first. */
static enum status load_lanes(const struct claim *c, struct turn *turn, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    enum status st = sql_prepare(c->sql,
                                 "SELECT id, expires_ms, domain FROM lane WHERE sender = ?1 AND due_ms <= ?2 "
                                 "ORDER BY due_ms LIMIT ?3",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, turn->sender);
    sql_bind_int(stmt, 2, c->now_ms);
    sql_bind_int(stmt, 3, LANES_MAX);
    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        struct lane *lane = &turn->lanes[turn->n_lanes];
        *lane = (struct lane){.id = sql_col_int(stmt, 0),
                              .expires_ms = sql_col_int(stmt, 1),
                              .domain = span_dup(span_str(sql_col_str(stmt, 2)))};
        if (!lane->domain) {
            st = error_set(err, STATUS_TEMPORARY, "out of memory for what is due");
            break;
        }
        turn->n_lanes++;
    }
    sql_reset(stmt);
    return st;
}

/* SENDER is owned from here on. */
static enum status add_turn(struct claim *c, char *sender, struct error *err)
{
    struct turn *turn = &c->turns[c->n_turns++];
    *turn = (struct turn){.sender = sender};
    /* Those of a sender over its share, however many they are, are not even looked at. */
    if (shares_allow(&c->shares, "", sender))
        return load_lanes(c, turn, err);
    turn->over = true;
    return STATUS_OK;
}

static enum status ask_lane(const struct claim *c, const char *sender, const struct lane *lane,
                            const char *text, int64_t *answer_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    *answer_out = 0;
    enum status st = sql_prepare(c->sql, text, &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, lane->domain);
    sql_bind_str(stmt, 2, sender);
    st = sql_step(stmt, &row, err);
    if (st == STATUS_OK && row) {
        *answer_out = sql_col_int(stmt, 0);
        sql_reset(stmt);
    }
    return st;
}

/* Nothing in the lane can be leased now: when it is worth looking again. UNTIL_MS: its destination can be
 * tried. */
static enum status set_aside(const struct claim *c, const char *sender, const struct lane *lane,
                             int64_t until_ms, struct error *err)
{
    int64_t due = 0;
    int64_t expires = lane->expires_ms;
    /* next_ms may be 0: asked for by the administrator. */
    enum status st = ask_lane(c, sender, lane,
                              "SELECT COALESCE(MIN(next_ms), -1) FROM recipient "
                              "WHERE domain = ?1 AND sender = ?2 AND next_ms IS NOT NULL",
                              &due, err);
    if (st == STATUS_OK && due < 0)
        return rows_run(c->sql, "DELETE FROM lane WHERE id = ?1", &lane->id, 1, err);
    if (st == STATUS_OK && expires <= c->now_ms)
        st = ask_lane(c, sender, lane,
                      "SELECT MIN(expires_ms) FROM recipient "
                      "WHERE domain = ?1 AND sender = ?2 AND next_ms IS NOT NULL",
                      &expires, err);
    if (st != STATUS_OK)
        return st;
    /* What expires is tried a last time, reached or not. */
    if (until_ms > c->now_ms && due < until_ms)
        due = expires > c->now_ms && expires < until_ms ? expires : until_ms;
    /* All of it belongs to copies that are on lease already; their end wakes it (lease_over). */
    else if (due <= c->now_ms)
        due = c->now_ms + BLOCKED_MS;
    const int64_t values[] = {lane->id, due, expires};
    return rows_run(c->sql, "UPDATE lane SET due_ms = ?2, expires_ms = ?3 WHERE id = ?1", values, 3, err);
}

/* ---- copies ---- */

/* The longest due copy of the lane that is not on lease; with EXPIRED only one that is too old. */
static enum status find_due(const struct claim *c, const char *sender, const struct lane *lane, bool expired,
                            struct due *due_out, struct error *err)
{
    struct sql_stmt *stmt;
    *due_out = (struct due){0};
    /* With several queue nodes (PostgreSQL) this wants FOR UPDATE SKIP LOCKED. */
    enum status st = sql_prepare(c->sql,
                                 "SELECT r.copy_id, r.to_return, c.body_len FROM recipient r "
                                 "JOIN copy c ON c.id = r.copy_id "
                                 "WHERE r.domain = ?1 AND r.sender = ?2 AND r.next_ms <= ?3 "
                                 "AND r.expires_ms <= ?4 AND c.lease_instance IS NULL "
                                 "ORDER BY r.next_ms LIMIT 1",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, lane->domain);
    sql_bind_str(stmt, 2, sender);
    sql_bind_int(stmt, 3, c->now_ms);
    sql_bind_int(stmt, 4, expired ? c->now_ms : INT64_MAX);
    st = sql_step(stmt, &due_out->found, err);
    if (st == STATUS_OK && due_out->found) {
        due_out->copy_id = sql_col_int(stmt, 0);
        due_out->to_return = sql_col_int(stmt, 1);
        due_out->body_len = sql_col_int(stmt, 2);
        sql_reset(stmt);
    }
    return st;
}

/* All due recipients of the copy, but those whose destination cannot be tried, unless they are too old. */
static enum status take_recipients(const struct claim *c, const struct due *due, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(c->sql,
                                 "UPDATE recipient SET state = '" STATE_LEASED "', next_ms = NULL "
                                 "WHERE copy_id = ?1 AND next_ms <= ?2 AND to_return = ?3 "
                                 "AND (expires_ms <= ?2 OR domain = '' OR NOT EXISTS (SELECT 1 FROM "
                                 "destination d WHERE d.name IN (recipient.domain, ?4) AND d.retry_ms > ?2))",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, due->copy_id);
    sql_bind_int(stmt, 2, c->now_ms);
    sql_bind_int(stmt, 3, due->to_return);
    sql_bind_str(stmt, 4, c->settings->route ? c->settings->route : "");
    return sql_run(stmt, err);
}

static enum status take(struct claim *c, const char *sender, const struct lane *lane, const struct due *due,
                        struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(
        c->sql, "UPDATE copy SET lease_instance = ?2, lease_domain = ?3, lease_sender = ?4 WHERE id = ?1",
        &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, due->copy_id);
    sql_bind_str(stmt, 2, c->instance);
    sql_bind_str(stmt, 3, lane->domain);
    sql_bind_str(stmt, 4, sender);
    st = sql_run(stmt, err);
    if (st == STATUS_OK)
        st = take_recipients(c, due, err);
    if (st == STATUS_OK && !due->to_return)
        st = reach_probe(c->sql, c->settings, due->copy_id, c->now_ms, err);
    if (st == STATUS_OK)
        st = shares_add(&c->shares, lane->domain, sender, due->body_len, err);
    return st == STATUS_OK ? rows_add(c->ids, due->copy_id, err) : st;
}

static bool has_room(struct claim *c, const struct due *due)
{
    if (c->shares.copies == 0)
        return true;
    if (due->body_len > LEASE_BYTES_MAX - c->shares.bytes) {
        c->large_waits = true;
        return false;
    }
    return !c->large_waits || due->body_len <= SMALL_BODY;
}

/* Leases one copy of the lane, or finds that there is none to be had. */
static enum status serve_lane(struct claim *c, struct turn *turn, struct lane *lane, bool *served,
                              struct error *err)
{
    const char *sender = turn->sender;
    struct due due = {0};
    int64_t until_ms;

    if (!shares_allow(&c->shares, lane->domain, sender)) {
        lane->over = true;
        return STATUS_OK;
    }
    enum status st = reach_wait(c->sql, c->settings, lane->domain, c->now_ms, &until_ms, err);
    bool unreachable = until_ms > c->now_ms;
    if (st == STATUS_OK && (!unreachable || lane->expires_ms <= c->now_ms))
        st = find_due(c, sender, lane, unreachable, &due, err);
    if (st != STATUS_OK)
        return st;
    if (!due.found) {
        lane->over = true;
        if (++turn->n_aside == LANES_MAX)
            c->set_aside_all = true;
        return set_aside(c, sender, lane, until_ms, err);
    }
    *served = has_room(c, &due);
    lane->over = !*served;
    return *served ? take(c, sender, lane, &due, err) : STATUS_OK;
}

/* One copy of the sender, from the lane behind the one that was served last. */
static enum status serve_turn(struct claim *c, struct turn *turn, struct error *err)
{
    enum status st = STATUS_OK;
    bool served = false;

    for (size_t i = 0; st == STATUS_OK && !served && i < turn->n_lanes; i++) {
        struct lane *lane = &turn->lanes[turn->next++ % turn->n_lanes];
        if (!lane->over)
            st = serve_lane(c, turn, lane, &served, err);
    }
    turn->over = !served;
    return st;
}

static bool is_open(const struct claim *c)
{
    return c->shares.copies < c->shares.window;
}

/* A copy of each sender, then the next of each. *LAST_OUT: who was served last, of TURNS; else as it was. */
static enum status serve_turns(struct claim *c, const char **last_out, struct error *err)
{
    enum status st = STATUS_OK;

    for (bool going = true; st == STATUS_OK && going && is_open(c);) {
        going = false;
        for (size_t i = 0; st == STATUS_OK && i < c->n_turns && is_open(c); i++) {
            struct turn *turn = &c->turns[i];
            if (turn->over)
                continue;
            st = serve_turn(c, turn, err);
            going = true;
            if (!turn->over)
                *last_out = turn->sender;
        }
    }
    return st;
}

/* ---- the round of senders ---- */

static void set_text(char **text, const char *to)
{
    char *copy = to ? strdup(to) : NULL;

    free(*text);
    *text = copy; /* NULL also for want of memory: from the first again */
}

static void begin_round(const struct claim *c, struct lease_cursor *cursor)
{
    set_text(&cursor->end, cursor->sender);
    if (!cursor->end)
        set_text(&cursor->sender, NULL);
    cursor->wrapped = false;
    cursor->again = false;
    cursor->since_ms = c->now_ms;
}

/* The next sender of the round; NULL: it is over. */
static enum status step(const struct claim *c, struct lease_cursor *cursor, char **sender_out,
                        struct error *err)
{
    enum status st = next_sender(c, cursor->sender, sender_out, err);

    if (st == STATUS_OK && !*sender_out && !cursor->wrapped && cursor->end) {
        cursor->wrapped = true;
        st = next_sender(c, NULL, sender_out, err);
    }
    if (st == STATUS_OK && *sender_out && cursor->wrapped && strcmp(*sender_out, cursor->end) > 0) {
        free(*sender_out);
        *sender_out = NULL;
    }
    return st;
}

/* As many of the next senders as there is room for. */
static enum status gather(struct claim *c, struct lease_cursor *cursor, bool *over_out, struct error *err)
{
    int64_t room = c->shares.window - c->shares.copies;
    enum status st = STATUS_OK;

    while (st == STATUS_OK && c->n_turns < SENDERS_AT_ONCE && (int64_t)c->n_turns < room) {
        char *sender;
        st = step(c, cursor, &sender, err);
        *over_out = st == STATUS_OK && !sender;
        if (st != STATUS_OK || *over_out)
            break;
        set_text(&cursor->sender, sender);
        st = add_turn(c, sender, err);
        if (st == STATUS_OK && !cursor->sender)
            st = error_set(err, STATUS_TEMPORARY, "out of memory for what is due");
    }
    return st;
}

/* A round would find nothing when no lane is due. */
static enum status ask_due(const struct claim *c, bool *due_out, struct error *err)
{
    int64_t due = 0;
    enum status st =
        rows_ask(c->sql, "SELECT 1 FROM lane WHERE due_ms <= ?1 LIMIT 1", &c->now_ms, 1, &due, err);
    *due_out = due != 0;
    return st;
}

/*
 * A part of a round. While there is room all that a sender has is leased when it is its turn, so one round is
 * enough, and one that finds nothing that may be leased ends too.
 */
static enum status serve_all(struct claim *c, struct lease_cursor *cursor, struct error *err)
{
    bool over = false;
    bool due = true;
    size_t n = 0;
    enum status st = ask_due(c, &due, err);

    if (!cursor->more)
        begin_round(c, cursor);
    while (st == STATUS_OK && due && is_open(c) && !over && n < SENDERS_MAX) {
        const char *last = NULL;
        st = gather(c, cursor, &over, err);
        n += c->n_turns;
        if (st == STATUS_OK)
            st = serve_turns(c, &last, err);
        if (last && !is_open(c))
            set_text(&cursor->sender, last);
        forget_turns(c);
        if (st == STATUS_OK)
            st = ask_due(c, &due, err);
    }
    cursor->again = cursor->again || c->set_aside_all;
    cursor->more = st == STATUS_OK && due && is_open(c) && (!over || cursor->again);
    if (over && cursor->more)
        begin_round(c, cursor);
    return st;
}

enum status lease_claim(struct sql *sql, const struct queue_settings *settings, const char *instance,
                        int64_t window, int64_t now_ms, struct lease_cursor *cursor, struct row_ids *ids,
                        struct error *err)
{
    struct claim *c = calloc(1, sizeof *c);
    if (!c) {
        cursor->more = false;
        return error_set(err, STATUS_TEMPORARY, "out of memory for leases");
    }
    c->sql = sql;
    c->settings = settings;
    c->instance = instance;
    c->now_ms = now_ms;
    c->ids = ids;
    enum status st = shares_load(sql, instance, window, &c->shares, err);
    if (st == STATUS_OK)
        st = serve_all(c, cursor, err);
    if (st != STATUS_OK)
        cursor->more = false;
    forget_turns(c);
    shares_free(&c->shares);
    free(c);
    return st;
}

void lease_cursor_free(struct lease_cursor *cursor)
{
    free(cursor->sender);
    free(cursor->end);
    *cursor = (struct lease_cursor){0};
}

enum status lease_next_due(struct sql *sql, int64_t now_ms, int64_t *next_ms_out, struct error *err)
{
    return rows_ask(sql, "SELECT MIN(due_ms) FROM lane WHERE due_ms > ?1", &now_ms, 1, next_ms_out, err);
}
