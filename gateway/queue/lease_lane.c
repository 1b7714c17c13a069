#include "gateway/queue/lease_lane.h"

#include "gateway/queue/reach.h"
#include "gateway/queue/schema.h"

/* What due mail on lease for other recipients blocks is looked at after this, if the lease's end did not wake
 * it. */
#define BLOCKED_MS 60000
/* While a large body waits for room only such small ones go. */
#define SMALL_BODY ((int64_t)256 << 10)

/* What is known of a lane's destination. */
struct look {
    int64_t until_ms; /* it can be tried */
    bool unreachable; /* not now */
    int64_t warn_ms;  /* from when on the first sender is told of the delay although nobody tries; 0: none */
};

struct due {
    bool found;
    bool tells; /* leased for the report of a delay alone */
    int64_t copy_id;
    int64_t to_return;
    int64_t body_len;
};

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

/* Nothing in the lane can be leased now: when it is worth looking again. */
static enum status set_aside(const struct claim *c, const char *sender, const struct lane *lane,
                             const struct look *look, struct error *err)
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
    if (look->unreachable && due < look->until_ms)
        due = expires > c->now_ms && expires < look->until_ms ? expires : look->until_ms;
    /* All of it belongs to copies that are on lease already; their end wakes it (lease_over). */
    else if (due <= c->now_ms)
        due = c->now_ms + BLOCKED_MS;
    /* What is late already and could not be leased belongs to a copy on lease as well. */
    int64_t warn = look->warn_ms > c->now_ms ? look->warn_ms : c->now_ms + BLOCKED_MS;
    if (look->warn_ms > 0 && warn < due)
        due = warn;
    const int64_t values[] = {lane->id, due, expires};
    return rows_run(c->sql, "UPDATE lane SET due_ms = ?2, expires_ms = ?3 WHERE id = ?1", values, 3, err);
}

/* ---- copies ---- */

/* A copy of the lane that is not on lease: ?3 and ?4 are UNTIL_MS and EXPIRES_MS. With several queue nodes
 * (PostgreSQL) this wants FOR UPDATE SKIP LOCKED. */
#define COPY_OF_LANE                                                                                         \
    "SELECT r.copy_id, r.to_return, c.body_len FROM recipient r JOIN copy c ON c.id = r.copy_id "            \
    "WHERE r.domain = ?1 AND r.sender = ?2 AND c.lease_instance IS NULL "

static enum status find(const struct claim *c, const char *sender, const struct lane *lane, const char *text,
                        int64_t until_ms, int64_t expires_ms, struct due *due_out, struct error *err)
{
    struct sql_stmt *stmt;
    *due_out = (struct due){0};
    enum status st = sql_prepare(c->sql, text, &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, lane->domain);
    sql_bind_str(stmt, 2, sender);
    sql_bind_int(stmt, 3, until_ms);
    sql_bind_int(stmt, 4, expires_ms);
    st = sql_step(stmt, &due_out->found, err);
    if (st == STATUS_OK && due_out->found) {
        due_out->copy_id = sql_col_int(stmt, 0);
        due_out->to_return = sql_col_int(stmt, 1);
        due_out->body_len = sql_col_int(stmt, 2);
        sql_reset(stmt);
    }
    return st;
}

/* The copy that is due longest; with EXPIRED only one that is too old. */
static enum status find_due(const struct claim *c, const char *sender, const struct lane *lane, bool expired,
                            struct due *due_out, struct error *err)
{
    return find(c, sender, lane,
                COPY_OF_LANE "AND r.next_ms <= ?3 AND r.expires_ms <= ?4 ORDER BY r.next_ms LIMIT 1",
                c->now_ms, expired ? c->now_ms : INT64_MAX, due_out, err);
}

/* The copy whose sender was to be told of the delay longest ago. */
static enum status find_late(const struct claim *c, const char *sender, const struct lane *lane,
                             struct due *due_out, struct error *err)
{
    enum status st = find(c, sender, lane,
                          COPY_OF_LANE "AND r.warn_ms <= ?3 AND r.next_ms IS NOT NULL AND r.expires_ms > ?4 "
                                       "ORDER BY r.warn_ms LIMIT 1",
                          c->now_ms, c->now_ms, due_out, err);
    due_out->tells = due_out->found;
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

/* All recipients of the copy who are late because of their destinations; why, stands in their replies. */
static enum status take_late(const struct claim *c, const struct due *due, struct error *err)
{
    const int64_t values[] = {due->copy_id, c->now_ms};
    return rows_run(c->sql,
                    "UPDATE recipient SET state = '" STATE_LEASED "', next_ms = NULL, reply = "
                    "(SELECT d.reply FROM destination d WHERE d.name = recipient.domain) "
                    "WHERE copy_id = ?1 AND next_ms IS NOT NULL AND warn_ms <= ?2 AND expires_ms > ?2 "
                    "AND EXISTS (SELECT 1 FROM destination d WHERE d.name = recipient.domain "
                    "AND d.retry_ms > ?2)",
                    values, 2, err);
}

static enum status take(struct claim *c, const char *sender, const struct lane *lane, const struct due *due,
                        struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(
        c->sql,
        "UPDATE copy SET lease_instance = ?2, lease_domain = ?3, lease_sender = ?4, lease_tells = ?5 "
        "WHERE id = ?1",
        &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, due->copy_id);
    sql_bind_str(stmt, 2, c->instance);
    sql_bind_str(stmt, 3, lane->domain);
    sql_bind_str(stmt, 4, sender);
    sql_bind_int(stmt, 5, due->tells);
    st = sql_run(stmt, err);
    if (st == STATUS_OK)
        st = due->tells ? take_late(c, due, err) : take_recipients(c, due, err);
    if (st == STATUS_OK && !due->to_return && !due->tells)
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

static enum status look_at(const struct claim *c, const char *sender, const struct lane *lane,
                           struct look *look_out, struct error *err)
{
    struct reach_wait wait;
    enum status st = reach_wait(c->sql, c->settings, lane->domain, c->now_ms, &wait, err);
    if (st != STATUS_OK)
        return st;
    *look_out = (struct look){.until_ms = wait.until_ms, .unreachable = wait.until_ms > c->now_ms};
    /* Behind a route that is silent a report would wait as well. */
    if (!look_out->unreachable || wait.route || c->settings->delay_warning_ms <= 0)
        return STATUS_OK;
    return ask_lane(c, sender, lane,
                    "SELECT MIN(warn_ms) FROM recipient WHERE domain = ?1 AND sender = ?2 "
                    "AND next_ms IS NOT NULL AND warn_ms IS NOT NULL",
                    &look_out->warn_ms, err);
}

enum status lane_serve(struct claim *c, const char *sender, const struct lane *lane,
                       enum lane_yield *yield_out, struct error *err)
{
    struct due due = {0};
    struct look look;

    *yield_out = LANE_WAITS;
    enum status st = look_at(c, sender, lane, &look, err);
    if (st == STATUS_OK && (!look.unreachable || lane->expires_ms <= c->now_ms))
        st = find_due(c, sender, lane, look.unreachable, &due, err);
    if (st == STATUS_OK && !due.found && look.warn_ms > 0 && look.warn_ms <= c->now_ms)
        st = find_late(c, sender, lane, &due, err);
    if (st != STATUS_OK)
        return st;
    if (!due.found) {
        *yield_out = LANE_ASIDE;
        return set_aside(c, sender, lane, &look, err);
    }
    if (!has_room(c, &due))
        return STATUS_OK;
    *yield_out = LANE_SERVED;
    return take(c, sender, lane, &due, err);
}
