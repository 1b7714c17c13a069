#include "gateway/queue/lease.h"

#include <stdlib.h>

#include "gateway/queue/clean.h"
#include "gateway/queue/schema.h"

struct usage {
    int64_t copies;
    int64_t bytes;
};

static enum status usage_of(struct sql *sql, const char *instance, struct usage *usage_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    enum status st = sql_prepare(
        sql, "SELECT COUNT(*), COALESCE(SUM(body_len), 0) FROM copy WHERE lease_instance = ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, instance);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK)
        return st;
    *usage_out = (struct usage){.copies = sql_col_int(stmt, 0), .bytes = sql_col_int(stmt, 1)};
    sql_reset(stmt);
    return STATUS_OK;
}

struct due {
    bool found;
    int64_t copy_id;
    int64_t to_return;
    int64_t body_len;
};

static enum status find_due(struct sql *sql, int64_t now_ms, struct due *due_out, struct error *err)
{
    struct sql_stmt *stmt;
    /* With several queue nodes (PostgreSQL) this wants FOR UPDATE SKIP LOCKED. */
    enum status st = sql_prepare(sql,
                                 "SELECT r.copy_id, r.to_return, c.body_len FROM recipient r "
                                 "JOIN copy c ON c.id = r.copy_id "
                                 "WHERE r.next_ms <= ?1 AND c.lease_instance IS NULL "
                                 "ORDER BY r.next_ms LIMIT 1",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, now_ms);
    *due_out = (struct due){0};
    st = sql_step(stmt, &due_out->found, err);
    if (st == STATUS_OK && due_out->found) {
        due_out->copy_id = sql_col_int(stmt, 0);
        due_out->to_return = sql_col_int(stmt, 1);
        due_out->body_len = sql_col_int(stmt, 2);
        sql_reset(stmt);
    }
    return st;
}

static enum status take(struct sql *sql, const char *instance, const struct due *due, int64_t now_ms,
                        struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(sql, "UPDATE copy SET lease_instance = ?2 WHERE id = ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, due->copy_id);
    sql_bind_str(stmt, 2, instance);
    st = sql_run(stmt, err);
    if (st != STATUS_OK)
        return st;
    const int64_t values[] = {due->copy_id, now_ms, due->to_return};
    return rows_run(sql,
                    "UPDATE recipient SET state = '" STATE_LEASED "', next_ms = NULL "
                    "WHERE copy_id = ?1 AND next_ms <= ?2 AND to_return = ?3",
                    values, 3, err);
}

enum status lease_claim(struct sql *sql, const char *instance, int64_t window, int64_t now_ms,
                        struct row_ids *ids, struct error *err)
{
    struct usage used;
    enum status st = usage_of(sql, instance, &used, err);

    while (st == STATUS_OK && used.copies < window) {
        struct due due;
        st = find_due(sql, now_ms, &due, err);
        if (st != STATUS_OK || !due.found)
            break;
        if (used.copies > 0 && due.body_len > LEASE_BYTES_MAX - used.bytes)
            break;
        st = take(sql, instance, &due, now_ms, err);
        if (st == STATUS_OK)
            st = rows_add(ids, due.copy_id, err);
        used.copies++;
        used.bytes += due.body_len;
    }
    return st;
}

enum status lease_next_due(struct sql *sql, int64_t now_ms, int64_t *next_ms_out, struct error *err)
{
    return rows_ask(sql, "SELECT MIN(next_ms) FROM recipient WHERE next_ms > ?1", &now_ms, 1, next_ms_out,
                    err);
}

enum status lease_kept(struct sql *sql, const char *instance, struct row_ids *ids_out, struct error *err)
{
    return rows_list_for(sql, "SELECT id FROM copy WHERE lease_instance = ?1 ORDER BY id", instance, ids_out,
                         err);
}

enum status lease_end(struct sql *sql, int64_t copy_id, int64_t at_ms, struct error *err)
{
    const int64_t values[] = {copy_id, at_ms};
    enum status st = rows_run(sql,
                              "UPDATE recipient SET state = CASE WHEN attempts > 0 THEN '" STATE_DEFERRED
                              "' ELSE '" STATE_QUEUED
                              "' END, next_ms = ?2 WHERE copy_id = ?1 AND state = '" STATE_LEASED "'",
                              values, 2, err);
    return st == STATUS_OK
               ? rows_run(sql, "UPDATE copy SET lease_instance = NULL WHERE id = ?1", values, 1, err)
               : st;
}

enum status lease_end_of(struct sql *sql, const char *instance, bool except, int64_t at_ms, struct error *err)
{
    struct row_ids ids;
    enum status st = rows_list_for(sql,
                                   except ? "SELECT id FROM copy WHERE lease_instance <> ?1"
                                          : "SELECT id FROM copy WHERE lease_instance = ?1 ORDER BY id",
                                   instance, &ids, err);
    for (size_t i = 0; st == STATUS_OK && i < ids.n; i++)
        st = lease_end(sql, ids.ids[i], at_ms, err);
    free(ids.ids);
    return st;
}

enum status lease_settle(struct sql *sql, int64_t copy_id, struct error *err)
{
    int64_t leased = 0;
    enum status st =
        rows_ask(sql, "SELECT COUNT(*) FROM recipient WHERE copy_id = ?1 AND state = '" STATE_LEASED "'",
                 &copy_id, 1, &leased, err);
    if (st == STATUS_OK && leased == 0)
        st = rows_run(sql, "UPDATE copy SET lease_instance = NULL WHERE id = ?1", &copy_id, 1, err);
    return st == STATUS_OK ? clean_copy(sql, copy_id, err) : st;
}
