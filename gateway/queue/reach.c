#include "gateway/queue/reach.h"

#include "gateway/queue/rows.h"
#include "gateway/queue/schedule.h"
#include "gateway/queue/schema.h"

/* A probe whose outcome does not come (delivery died) is followed by another after this. */
#define PROBE_MS 300000
#define FORGET_MS (INT64_C(7) * 86400 * 1000)

/* What is remembered of a destination; zeros: it was reached when last tried, or was never. */
struct known {
    int64_t failures, retry_ms, probe_copy;
};

static enum status known_of(struct sql *sql, const char *name, struct known *known_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row = false;
    *known_out = (struct known){0};
    enum status st = sql_prepare(
        sql, "SELECT failures, retry_ms, probe_copy FROM destination WHERE name = ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, name);
    st = sql_step(stmt, &row, err);
    if (st == STATUS_OK && row) {
        *known_out = (struct known){sql_col_int(stmt, 0), sql_col_int(stmt, 1), sql_col_int(stmt, 2)};
        sql_reset(stmt);
    }
    return st;
}

enum status reach_wait(struct sql *sql, const struct queue_settings *settings, const char *domain,
                       int64_t now_ms, struct reach_wait *wait_out, struct error *err)
{
    struct known of_domain = {0};
    struct known of_route = {0};
    enum status st = STATUS_OK;

    if (*domain)
        st = known_of(sql, domain, &of_domain, err);
    if (st == STATUS_OK && *domain && settings->route)
        st = known_of(sql, settings->route, &of_route, err);
    int64_t until = of_domain.retry_ms > of_route.retry_ms ? of_domain.retry_ms : of_route.retry_ms;
    *wait_out =
        (struct reach_wait){.until_ms = until < now_ms ? now_ms : until, .route = of_route.retry_ms > now_ms};
    return st;
}

enum status reach_probe(struct sql *sql, const struct queue_settings *settings, int64_t copy_id,
                        int64_t now_ms, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(sql,
                                 "UPDATE destination SET probe_copy = ?1, retry_ms = ?2 WHERE name = ?3 OR "
                                 "name IN (SELECT domain FROM recipient WHERE copy_id = ?1 AND "
                                 "state = '" STATE_LEASED "')",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, copy_id);
    sql_bind_int(stmt, 2, now_ms + PROBE_MS);
    sql_bind_str(stmt, 3, settings->route);
    return sql_run(stmt, err);
}

enum status reach_probe_ended(struct sql *sql, int64_t copy_id, int64_t retry_ms, struct error *err)
{
    const int64_t values[] = {copy_id, retry_ms};
    return rows_run(sql, "UPDATE destination SET probe_copy = NULL, retry_ms = ?2 WHERE probe_copy = ?1",
                    values, 2, err);
}

/* The probe of NAME, if it was COPY_ID, told nothing of it. */
static enum status untold(struct sql *sql, const struct retry_policy *policy, const char *name,
                          int64_t copy_id, int64_t now_ms, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(
        sql, "UPDATE destination SET probe_copy = NULL, retry_ms = ?3 WHERE name = ?1 AND probe_copy = ?2",
        &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, name);
    sql_bind_int(stmt, 2, copy_id);
    sql_bind_int(stmt, 3, now_ms + policy->first_retry_ms);
    return sql_run(stmt, err);
}

/* What waits for it is looked at again. */
static enum status wake(struct sql *sql, const char *domain, int64_t now_ms, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(sql,
                                 domain ? "UPDATE lane SET due_ms = ?1 WHERE due_ms > ?1 AND domain = ?2"
                                        : "UPDATE lane SET due_ms = ?1 WHERE due_ms > ?1",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, now_ms);
    if (domain)
        sql_bind_str(stmt, 2, domain);
    return sql_run(stmt, err);
}

/* WAKES: the domain that waited for it; NULL: all of them. */
static enum status reached(struct sql *sql, const char *name, const char *wakes, int64_t now_ms,
                           struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(sql, "DELETE FROM destination WHERE name = ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, name);
    st = sql_run(stmt, err);
    return st == STATUS_OK && sql_changes(sql) > 0 ? wake(sql, wakes, now_ms, err) : st;
}

/* Many copies may be on their way when a destination fails: that is one failure. So is only that of the
 * probe. */
static enum status failed(struct sql *sql, const struct retry_policy *policy, const char *name,
                          int64_t copy_id, const char *reply, int64_t now_ms, struct error *err)
{
    struct sql_stmt *stmt;
    struct known known;
    enum status st = known_of(sql, name, &known, err);
    if (st != STATUS_OK || (known.retry_ms > now_ms && known.probe_copy != copy_id))
        return st;
    st = sql_prepare(sql,
                     "INSERT INTO destination (name, failures, since_ms, retry_ms, reply) "
                     "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (name) DO UPDATE SET "
                     "failures = excluded.failures, retry_ms = excluded.retry_ms, probe_copy = NULL, "
                     "reply = excluded.reply",
                     &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, name);
    sql_bind_int(stmt, 2, known.failures + 1);
    sql_bind_int(stmt, 3, now_ms);
    sql_bind_int(stmt, 4, now_ms + schedule_delay(policy, known.failures + 1, schedule_chance()));
    sql_bind_str(stmt, 5, reply);
    return sql_run(stmt, err);
}

enum status reach_learn(struct sql *sql, const struct queue_settings *settings, const char *domain,
                        enum delivery_reach reach, int64_t copy_id, const char *reply, int64_t now_ms,
                        struct error *err)
{
    const struct retry_policy *policy = schedule_policy(settings, domain);
    enum status st = STATUS_OK;

    if (!*domain)
        return STATUS_OK;
    switch (reach) {
    case REACH_UNKNOWN:
        st = untold(sql, policy, domain, copy_id, now_ms, err);
        return st == STATUS_OK && settings->route
                   ? untold(sql, &settings->retry, settings->route, copy_id, now_ms, err)
                   : st;
    case REACH_OK:
        st = reached(sql, domain, domain, now_ms, err);
        return st == STATUS_OK && settings->route ? reached(sql, settings->route, NULL, now_ms, err) : st;
    case REACH_NO_PRIVACY:
        if (settings->route)
            st = reached(sql, settings->route, NULL, now_ms, err);
        return st == STATUS_OK ? failed(sql, policy, domain, copy_id, reply, now_ms, err) : st;
    case REACH_NO_HOST:
        return settings->route ? failed(sql, &settings->retry, settings->route, copy_id, reply, now_ms, err)
                               : failed(sql, policy, domain, copy_id, reply, now_ms, err);
    }
    return STATUS_OK;
}

enum status reach_hasten(struct sql *sql, const struct queue_settings *settings, const char *message_id,
                         int64_t now_ms, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(
        sql,
        message_id ? "UPDATE destination SET retry_ms = ?1 WHERE retry_ms > ?1 AND (name = ?2 OR name IN "
                     "(SELECT r.domain FROM recipient r JOIN copy c ON c.id = r.copy_id "
                     "WHERE c.message_id = ?3))"
                   : "UPDATE destination SET retry_ms = ?1 WHERE retry_ms > ?1",
        &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, now_ms);
    if (message_id) {
        sql_bind_str(stmt, 2, settings->route);
        sql_bind_str(stmt, 3, message_id);
    }
    st = sql_run(stmt, err);
    /* Nobody else's mail is to be the probe. */
    return st == STATUS_OK && !message_id ? wake(sql, NULL, now_ms, err) : st;
}

enum status reach_forget(struct sql *sql, int64_t now_ms, struct error *err)
{
    int64_t before = now_ms - FORGET_MS;
    return rows_run(sql, "DELETE FROM destination WHERE retry_ms < ?1", &before, 1, err);
}
