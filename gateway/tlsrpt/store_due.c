/* What is to be sent, and when. */
#include <stdlib.h>

#include "base/id.h"
#include "gateway/tlsrpt/store_private.h"

/* In one go of the loop. */
#define SCHEDULED_MAX 200

void tlsrpt_due_free(struct tlsrpt_due *due)
{
    free(due->domain);
    free(due->targets);
    *due = (struct tlsrpt_due){0};
}

static enum status add_report(struct sql *sql, int64_t day, const char *domain, int64_t due_ms,
                              struct error *err)
{
    struct sql_stmt *stmt;
    char id[ID_SIZE];
    id_make(id);
    enum status st =
        sql_prepare(sql,
                    "INSERT INTO report (day, domain, id, state, due_ms, first_ms, attempts, looked_up,"
                    " targets, why) VALUES (?1, ?2, ?3, 'waiting', ?4, 0, 0, 0, '', '')",
                    &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, day);
    sql_bind_str(stmt, 2, domain);
    sql_bind_str(stmt, 3, id);
    sql_bind_int(stmt, 4, due_ms);
    return sql_run(stmt, err);
}

/* A domain of FROM to TO that has results and no report; DOMAIN NULL: any. To be freed. */
static enum status find_new(struct sql *sql, int64_t from, int64_t to, const char *domain, int64_t *day_out,
                            char **domain_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    enum status st = sql_prepare(sql,
                                 "SELECT p.day, p.domain FROM policy p WHERE p.day BETWEEN ?1 AND ?2"
                                 " AND (?3 IS NULL OR p.domain = ?3) AND NOT EXISTS"
                                 " (SELECT 1 FROM report r WHERE r.day = p.day AND r.domain = p.domain)"
                                 " LIMIT 1",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, from);
    sql_bind_int(stmt, 2, to);
    sql_bind_str(stmt, 3, domain);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK)
        return st;
    if (!row)
        return error_set(err, STATUS_NOT_FOUND, "no domain is without a report");
    *day_out = sql_col_int(stmt, 0);
    *domain_out = strdup(sql_col_str(stmt, 1));
    sql_reset(stmt);
    return *domain_out ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "out of memory for a domain");
}

/* Many gateways begin their day at once (RFC 8460 §4.1). */
static int64_t random_below(int64_t ms)
{
    return ms >= 1000 ? (int64_t)arc4random_uniform((uint32_t)(ms / 1000)) * 1000 : 0;
}

/* At most MAX of them; no more is STATUS_OK. */
static enum status add_reports(struct sql *sql, int64_t from, int64_t to, const char *domain, int64_t now_ms,
                               int64_t spread_ms, int max, struct error *err)
{
    enum status st = STATUS_OK;
    for (int i = 0; st == STATUS_OK && i < max; i++) {
        int64_t day = 0;
        char *found = NULL;
        st = find_new(sql, from, to, domain, &day, &found, err);
        if (st == STATUS_NOT_FOUND)
            return STATUS_OK;
        if (st == STATUS_OK)
            st = add_report(sql, day, found, now_ms + random_below(spread_ms), err);
        free(found);
    }
    return st;
}

static enum status finish(struct sql *sql, enum status st, struct error *err)
{
    if (st == STATUS_OK)
        st = sql_commit(sql, err);
    if (st != STATUS_OK)
        sql_rollback(sql);
    return st;
}

enum status tlsrpt_store_schedule(struct tlsrpt_store *store, int64_t today, int64_t now_ms,
                                  int64_t spread_ms, struct error *err)
{
    enum status st = sql_begin(store->sql, err);
    if (st != STATUS_OK)
        return st;
    st = add_reports(store->sql, 0, today - 1, NULL, now_ms, spread_ms, SCHEDULED_MAX, err);
    return finish(store->sql, st, err);
}

enum status tlsrpt_store_ask(struct tlsrpt_store *store, int64_t day, const char *domain, int64_t now_ms,
                             int64_t *n_out, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_begin(store->sql, err);
    if (st != STATUS_OK)
        return st;
    st = add_reports(store->sql, day, day, domain, now_ms, 0, SCHEDULED_MAX, err);
    /* One that is over begins anew; one that waits goes on where it was. */
    if (st == STATUS_OK)
        st = sql_prepare(store->sql,
                         "UPDATE report SET due_ms = ?3,"
                         " first_ms = CASE state WHEN 'waiting' THEN first_ms ELSE 0 END,"
                         " looked_up = CASE state WHEN 'waiting' THEN looked_up ELSE 0 END,"
                         " attempts = CASE state WHEN 'waiting' THEN attempts ELSE 0 END, state = 'waiting'"
                         " WHERE day = ?1 AND (?2 IS NULL OR domain = ?2)",
                         &stmt, err);
    if (st == STATUS_OK) {
        sql_bind_int(stmt, 1, day);
        sql_bind_str(stmt, 2, domain);
        sql_bind_int(stmt, 3, now_ms);
        st = sql_run(stmt, err);
        *n_out = sql_changes(store->sql);
    }
    return finish(store->sql, st, err);
}

static enum status read_due(struct sql_stmt *stmt, struct tlsrpt_due *due, struct error *err)
{
    const char *id = sql_col_str(stmt, 2);
    due->day = sql_col_int(stmt, 0);
    due->domain = strdup(sql_col_str(stmt, 1));
    if (id_is_valid(id))
        memcpy(due->id, id, ID_SIZE);
    else
        id_make(due->id);
    due->first_ms = sql_col_int(stmt, 3);
    due->attempts = sql_col_int(stmt, 4);
    due->looked_up = sql_col_int(stmt, 5) != 0;
    due->targets = strdup(sql_col_str(stmt, 6));
    if (due->domain && due->targets)
        return STATUS_OK;
    tlsrpt_due_free(due);
    return error_set(err, STATUS_TEMPORARY, "out of memory for a TLS report");
}

enum status tlsrpt_store_claim(struct tlsrpt_store *store, int64_t now_ms, int64_t until_ms,
                               struct tlsrpt_due *due_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    *due_out = (struct tlsrpt_due){0};
    enum status st = sql_prepare(store->sql,
                                 "SELECT day, domain, id, first_ms, attempts, looked_up, targets FROM report"
                                 " WHERE state = 'waiting' AND due_ms <= ?1 ORDER BY due_ms LIMIT 1",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, now_ms);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK)
        return st;
    if (!row)
        return error_set(err, STATUS_NOT_FOUND, "no TLS report is due");
    st = read_due(stmt, due_out, err);
    sql_reset(stmt);
    if (st == STATUS_OK)
        st = tlsrpt_store_put(store, due_out, until_ms, "is being sent", err);
    if (st != STATUS_OK)
        tlsrpt_due_free(due_out);
    return st;
}

static enum status put(struct tlsrpt_store *store, const struct tlsrpt_due *due, const char *state,
                       int64_t due_ms, const char *why, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(store->sql,
                                 "UPDATE report SET state = ?3, due_ms = ?4, first_ms = ?5, attempts = ?6,"
                                 " looked_up = ?7, targets = ?8, why = ?9 WHERE day = ?1 AND domain = ?2",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, due->day);
    sql_bind_str(stmt, 2, due->domain);
    sql_bind_str(stmt, 3, state);
    sql_bind_int(stmt, 4, due_ms);
    sql_bind_int(stmt, 5, due->first_ms);
    sql_bind_int(stmt, 6, due->attempts);
    sql_bind_int(stmt, 7, due->looked_up);
    sql_bind_str(stmt, 8, due->targets);
    sql_bind_str(stmt, 9, why);
    return sql_run(stmt, err);
}

enum status tlsrpt_store_put(struct tlsrpt_store *store, const struct tlsrpt_due *due, int64_t due_ms,
                             const char *why, struct error *err)
{
    return put(store, due, "waiting", due_ms, why, err);
}

enum status tlsrpt_store_end(struct tlsrpt_store *store, const struct tlsrpt_due *due, const char *state,
                             const char *why, struct error *err)
{
    return put(store, due, state, 0, why, err);
}

static enum status forget(struct sql *sql, const char *text, int64_t day, const char *domain,
                          struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(sql, text, &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, day);
    if (domain)
        sql_bind_str(stmt, 2, domain);
    return sql_run(stmt, err);
}

enum status tlsrpt_store_forget(struct tlsrpt_store *store, const struct tlsrpt_due *due, bool data,
                                struct error *err)
{
    enum status st = sql_begin(store->sql, err);
    if (st != STATUS_OK)
        return st;
    st = forget(store->sql, "DELETE FROM report WHERE day = ?1 AND domain = ?2", due->day, due->domain, err);
    if (st == STATUS_OK && data)
        st = forget(store->sql, "DELETE FROM policy WHERE day = ?1 AND domain = ?2", due->day, due->domain,
                    err);
    return finish(store->sql, st, err);
}

enum status tlsrpt_store_forget_before(struct tlsrpt_store *store, int64_t day, struct error *err)
{
    enum status st = sql_begin(store->sql, err);
    if (st != STATUS_OK)
        return st;
    st = forget(store->sql, "DELETE FROM report WHERE day < ?1", day, NULL, err);
    if (st == STATUS_OK)
        st = forget(store->sql, "DELETE FROM policy WHERE day < ?1", day, NULL, err);
    return finish(store->sql, st, err);
}
