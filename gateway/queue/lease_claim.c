/* Which due copies are leased next: fairly between lanes, none for a destination that cannot be reached. */
#include <stdlib.h>

#include "gateway/queue/lease.h"
#include "gateway/queue/reach.h"
#include "gateway/queue/schema.h"
#include "gateway/queue/share.h"

/* Lanes looked at in one transaction. */
#define LANES_MAX 500
/* While a large body waits for room only such small ones go. */
#define SMALL_BODY ((int64_t)256 << 10)

struct lane {
    int64_t id;
    int64_t due_ms;
    int64_t expires_ms;
    char *domain, *sender; /* owned */
    bool over;             /* nothing more to be had of it now */
};

struct claim {
    struct sql *sql;
    const struct queue_settings *settings;
    const char *instance;
    int64_t now_ms;
    struct shares shares;
    struct lane lanes[LANES_MAX];
    size_t n_lanes;
    bool large_waits;
    struct row_ids *ids;
};

struct due {
    bool found;
    int64_t copy_id;
    int64_t to_return;
    int64_t body_len;
};

/* ---- lanes ---- */

static enum status read_lanes(struct claim *c, struct sql_stmt *stmt, struct error *err)
{
    bool row = false;
    enum status st;

    for (st = sql_step(stmt, &row, err); st == STATUS_OK && row; st = sql_step(stmt, &row, err)) {
        struct lane *lane = &c->lanes[c->n_lanes++];
        *lane = (struct lane){.id = sql_col_int(stmt, 0),
                              .due_ms = sql_col_int(stmt, 1),
                              .expires_ms = sql_col_int(stmt, 2),
                              .domain = span_dup(span_str(sql_col_str(stmt, 3))),
                              .sender = span_dup(span_str(sql_col_str(stmt, 4)))};
        if (!lane->domain || !lane->sender) {
            st = error_set(err, STATUS_TEMPORARY, "out of memory for what is due");
            break;
        }
    }
    sql_reset(stmt);
    return st;
}

/* The lanes behind CURSOR, which is moved behind them, or to the start when they were the last. */
static enum status load_lanes(struct claim *c, struct lease_cursor *cursor, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(c->sql,
                                 "SELECT id, due_ms, expires_ms, domain, sender FROM lane "
                                 "WHERE due_ms <= ?1 AND (due_ms, id) > (?2, ?3) ORDER BY due_ms, id LIMIT ?4",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, c->now_ms);
    sql_bind_int(stmt, 2, cursor->due_ms);
    sql_bind_int(stmt, 3, cursor->id);
    sql_bind_int(stmt, 4, LANES_MAX);
    st = read_lanes(c, stmt, err);
    if (st != STATUS_OK)
        return st;
    cursor->more = c->n_lanes == LANES_MAX;
    if (cursor->more) {
        cursor->due_ms = c->lanes[LANES_MAX - 1].due_ms;
        cursor->id = c->lanes[LANES_MAX - 1].id;
    } else {
        *cursor = LEASE_CURSOR_START;
    }
    return STATUS_OK;
}

static enum status ask_lane(const struct claim *c, const struct lane *lane, const char *text,
                            int64_t *answer_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    *answer_out = 0;
    enum status st = sql_prepare(c->sql, text, &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, lane->domain);
    sql_bind_str(stmt, 2, lane->sender);
    st = sql_step(stmt, &row, err);
    if (st == STATUS_OK && row) {
        *answer_out = sql_col_int(stmt, 0);
        sql_reset(stmt);
    }
    return st;
}

/* Nothing in the lane can be leased now: when it is worth looking again. UNTIL_MS: its destination can be
 * tried. */
static enum status set_aside(const struct claim *c, const struct lane *lane, int64_t until_ms,
                             struct error *err)
{
    int64_t due = 0;
    int64_t expires = lane->expires_ms;
    /* next_ms may be 0: asked for by the administrator. */
    enum status st = ask_lane(c, lane,
                              "SELECT COALESCE(MIN(next_ms), -1) FROM recipient "
                              "WHERE domain = ?1 AND sender = ?2 AND next_ms IS NOT NULL",
                              &due, err);
    if (st == STATUS_OK && due < 0)
        return rows_run(c->sql, "DELETE FROM lane WHERE id = ?1", &lane->id, 1, err);
    if (st == STATUS_OK && expires <= c->now_ms)
        st = ask_lane(c, lane,
                      "SELECT MIN(expires_ms) FROM recipient "
                      "WHERE domain = ?1 AND sender = ?2 AND next_ms IS NOT NULL",
                      &expires, err);
    if (st != STATUS_OK)
        return st;
    /* What expires is tried a last time, reached or not. */
    if (until_ms > c->now_ms && due < until_ms)
        due = expires > c->now_ms && expires < until_ms ? expires : until_ms;
    const int64_t values[] = {lane->id, due, expires};
    return rows_run(c->sql, "UPDATE lane SET due_ms = ?2, expires_ms = ?3 WHERE id = ?1", values, 3, err);
}

/* ---- copies ---- */

/* The longest due copy of the lane that is not on lease; with EXPIRED only one that is too old. */
static enum status find_due(const struct claim *c, const struct lane *lane, bool expired, struct due *due_out,
                            struct error *err)
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
    sql_bind_str(stmt, 2, lane->sender);
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

static enum status take(struct claim *c, const struct lane *lane, const struct due *due, struct error *err)
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
    sql_bind_str(stmt, 4, lane->sender);
    st = sql_run(stmt, err);
    if (st == STATUS_OK)
        st = take_recipients(c, due, err);
    if (st == STATUS_OK && !due->to_return)
        st = reach_probe(c->sql, c->settings, due->copy_id, c->now_ms, err);
    if (st == STATUS_OK)
        st = shares_add(&c->shares, lane->domain, lane->sender, due->body_len, err);
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
static enum status serve(struct claim *c, struct lane *lane, struct error *err)
{
    struct due due = {0};
    int64_t until_ms;

    if (!shares_allow(&c->shares, lane->domain, lane->sender)) {
        lane->over = true;
        return STATUS_OK;
    }
    enum status st = reach_wait(c->sql, c->settings, lane->domain, c->now_ms, &until_ms, err);
    bool unreachable = until_ms > c->now_ms;
    if (st == STATUS_OK && (!unreachable || lane->expires_ms <= c->now_ms))
        st = find_due(c, lane, unreachable, &due, err);
    if (st != STATUS_OK)
        return st;
    if (!due.found) {
        lane->over = true;
        return set_aside(c, lane, until_ms, err);
    }
    if (has_room(c, &due))
        return take(c, lane, &due, err);
    lane->over = true;
    return STATUS_OK;
}

/* One of each lane, then the next of each, so that no lane waits for the end of another. */
static enum status serve_all(struct claim *c, struct error *err)
{
    enum status st = STATUS_OK;
    bool served = true;

    while (st == STATUS_OK && served) {
        served = false;
        for (size_t i = 0; st == STATUS_OK && i < c->n_lanes && c->shares.copies < c->shares.window; i++) {
            if (c->lanes[i].over)
                continue;
            st = serve(c, &c->lanes[i], err);
            served = true;
        }
    }
    return st;
}

enum status lease_claim(struct sql *sql, const struct queue_settings *settings, const char *instance,
                        int64_t window, int64_t now_ms, struct lease_cursor *cursor, struct row_ids *ids,
                        struct error *err)
{
    struct claim *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(err, STATUS_TEMPORARY, "out of memory for leases");
    c->sql = sql;
    c->settings = settings;
    c->instance = instance;
    c->now_ms = now_ms;
    c->ids = ids;
    cursor->more = false;
    enum status st = shares_load(sql, instance, window, &c->shares, err);
    if (st == STATUS_OK && c->shares.copies < window)
        st = load_lanes(c, cursor, err);
    if (st == STATUS_OK)
        st = serve_all(c, err);
    for (size_t i = 0; i < c->n_lanes; i++) {
        free(c->lanes[i].domain);
        free(c->lanes[i].sender);
    }
    shares_free(&c->shares);
    free(c);
    return st;
}

enum status lease_next_due(struct sql *sql, int64_t now_ms, int64_t *next_ms_out, struct error *err)
{
    return rows_ask(sql, "SELECT MIN(due_ms) FROM lane WHERE due_ms > ?1", &now_ms, 1, next_ms_out, err);
}
