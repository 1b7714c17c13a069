#include "gateway/delivery/sts_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/sql.h"

#define MINUTE_MS ((int64_t)60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
/* So long one that is over, or a failure, can still be looked at. */
#define KEPT_MS (30 * DAY_MS)
/* One that no mail asked for so long is not fetched again. */
#define UNUSED_MS (30 * DAY_MS)
/* After a failure (§3.3: "five minutes or longer"). */
#define RETRY_MIN_MS (5 * MINUTE_MS)

struct sts_store {
    struct sql *sql;
};

static const char *const steps[] = {
    "CREATE TABLE sts (domain TEXT PRIMARY KEY, id TEXT NOT NULL, policy BLOB NOT NULL,"
    " fetched_ms BIGINT NOT NULL, expires_ms BIGINT NOT NULL, tried_id TEXT NOT NULL,"
    " tried_ms BIGINT NOT NULL, error TEXT NOT NULL)",
    "ALTER TABLE sts ADD COLUMN result BIGINT NOT NULL DEFAULT 1",
    "ALTER TABLE sts ADD COLUMN used_ms BIGINT NOT NULL DEFAULT 0;"
    "ALTER TABLE sts ADD COLUMN due_ms BIGINT NOT NULL DEFAULT 0;"
    "ALTER TABLE sts ADD COLUMN tries BIGINT NOT NULL DEFAULT 0;"
    "UPDATE sts SET used_ms = fetched_ms, due_ms = fetched_ms + 43200000;"
    "CREATE INDEX sts_due ON sts (due_ms);",
    NULL,
};

void sts_entry_free(struct sts_entry *entry)
{
    buf_free(&entry->text);
}

enum status sts_store_forget_old(struct sts_store *store, int64_t now_ms, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st =
        sql_prepare(store->sql, "DELETE FROM sts WHERE expires_ms < ?1 AND tried_ms < ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, now_ms - KEPT_MS);
    return sql_run(stmt, err);
}

enum status sts_store_open(const char *path, int64_t now_ms, struct sts_store **store_out, struct error *err)
{
    struct sts_store *store = calloc(1, sizeof *store);
    if (!store)
        return error_set(err, STATUS_TEMPORARY, "out of memory for MTA-STS policies");
    enum status st = sql_open(path, steps, &store->sql, err);
    if (st == STATUS_OK)
        st = sts_store_forget_old(store, now_ms, err);
    if (st != STATUS_OK) {
        sts_store_close(store);
        return st;
    }
    *store_out = store;
    return STATUS_OK;
}

void sts_store_close(struct sts_store *store)
{
    if (store->sql)
        sql_close(store->sql);
    free(store);
}

static void read_row(struct sql_stmt *stmt, struct sts_entry *entry)
{
    snprintf(entry->id, sizeof entry->id, "%s", sql_col_str(stmt, 0));
    buf_append_span(&entry->text, sql_col_blob(stmt, 1));
    entry->fetched_ms = sql_col_int(stmt, 2);
    entry->expires_ms = sql_col_int(stmt, 3);
    snprintf(entry->tried_id, sizeof entry->tried_id, "%s", sql_col_str(stmt, 4));
    entry->tried_ms = sql_col_int(stmt, 5);
    snprintf(entry->error, sizeof entry->error, "%s", sql_col_str(stmt, 6));
    int64_t result = sql_col_int(stmt, 7);
    entry->result =
        result > STS_FETCHED && result <= STS_FETCH_WEBPKI ? (enum sts_fetch_result)result : STS_FETCH_ERROR;
    entry->used_ms = sql_col_int(stmt, 8);
}

enum status sts_store_get(struct sts_store *store, const char *domain, struct sts_entry *entry_out,
                          struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    *entry_out = (struct sts_entry){0};
    buf_init(&entry_out->text, STS_POLICY_MAX);
    enum status st = sql_prepare(store->sql,
                                 "SELECT id, policy, fetched_ms, expires_ms, tried_id, tried_ms, error,"
                                 " result, used_ms FROM sts WHERE domain = ?1",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, domain);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK)
        return st;
    if (!row)
        return error_set(err, STATUS_NOT_FOUND, "no MTA-STS policy of %s is known", domain);
    read_row(stmt, entry_out);
    sql_reset(stmt);
    st = buf_check(&entry_out->text, "MTA-STS policy", err);
    if (st != STATUS_OK)
        sts_entry_free(entry_out);
    return st;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* §3.3: once a day, so that an attacker who keeps us from it needs the whole max_age (§10.2); and before one
 * of less is over. */
static int64_t first_due(int64_t fetched_ms, int64_t expires_ms)
{
    return fetched_ms + least(DAY_MS, (expires_ms - fetched_ms) / 2);
}

enum status sts_store_put(struct sts_store *store, const char *domain, const char *id, struct span text,
                          int64_t fetched_ms, int64_t expires_ms, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st =
        sql_prepare(store->sql,
                    "INSERT INTO sts (domain, id, policy, fetched_ms, expires_ms, tried_id, tried_ms, error,"
                    " used_ms, due_ms) VALUES (?1, ?2, ?3, ?4, ?5, '', 0, '', ?4, ?6) ON CONFLICT (domain)"
                    " DO UPDATE SET id = ?2, policy = ?3, fetched_ms = ?4, expires_ms = ?5, tried_id = '',"
                    " tried_ms = 0, error = '', due_ms = ?6, tries = 0",
                    &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, domain);
    sql_bind_str(stmt, 2, id);
    sql_bind_blob(stmt, 3, text);
    sql_bind_int(stmt, 4, fetched_ms);
    sql_bind_int(stmt, 5, expires_ms);
    sql_bind_int(stmt, 6, first_due(fetched_ms, expires_ms));
    return sql_run(stmt, err);
}

enum status sts_store_put_failure(struct sts_store *store, const char *domain, const char *id,
                                  enum sts_fetch_result result, const char *why, int64_t now_ms,
                                  struct error *err)
{
    struct sql_stmt *stmt;
    enum status st =
        sql_prepare(store->sql,
                    "INSERT INTO sts (domain, id, policy, fetched_ms, expires_ms, tried_id, tried_ms, error,"
                    " result, used_ms) VALUES (?1, '', ?5, 0, 0, ?2, ?3, ?4, ?6, ?3) ON CONFLICT (domain)"
                    " DO UPDATE SET tried_id = ?2, tried_ms = ?3, error = ?4, result = ?6",
                    &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, domain);
    sql_bind_str(stmt, 2, id);
    sql_bind_int(stmt, 3, now_ms);
    sql_bind_str(stmt, 4, why);
    sql_bind_blob(stmt, 5, span_of("", 0));
    sql_bind_int(stmt, 6, result);
    return sql_run(stmt, err);
}

enum status sts_store_use(struct sts_store *store, const char *domain, int64_t now_ms, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(store->sql, "UPDATE sts SET used_ms = ?2 WHERE domain = ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, domain);
    sql_bind_int(stmt, 2, now_ms);
    return sql_run(stmt, err);
}

/* After TRIES that were in vain, of a policy that has LEFT_MS to go. */
static int64_t retry_after(int64_t tries, int64_t left_ms)
{
    int64_t wait = least(HOUR_MS << least(tries, 5), DAY_MS);
    wait = least(wait, left_ms / 4);
    return wait > RETRY_MIN_MS ? wait : RETRY_MIN_MS;
}

static enum status put_off(struct sts_store *store, const char *domain, int64_t due_ms, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(
        store->sql, "UPDATE sts SET due_ms = ?2, tries = tries + 1 WHERE domain = ?1", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, domain);
    sql_bind_int(stmt, 2, due_ms);
    return sql_run(stmt, err);
}

/* The one whose turn it is; *DUE_OUT: when it is due again. */
static enum status find_due(struct sts_store *store, int64_t now_ms, char **domain_out,
                            char id_out[STS_ID_MAX + 1], int64_t *due_out, struct error *err)
{
    struct sql_stmt *stmt;
    bool row;
    enum status st = sql_prepare(store->sql,
                                 "SELECT domain, id, expires_ms, tries FROM sts WHERE due_ms <= ?1"
                                 " AND expires_ms > ?1 AND used_ms > ?2 ORDER BY due_ms LIMIT 1",
                                 &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_int(stmt, 1, now_ms);
    sql_bind_int(stmt, 2, now_ms - UNUSED_MS);
    st = sql_step(stmt, &row, err);
    if (st != STATUS_OK)
        return st;
    if (!row)
        return error_set(err, STATUS_NOT_FOUND, "no MTA-STS policy is to be fetched again");
    *domain_out = strdup(sql_col_str(stmt, 0));
    snprintf(id_out, STS_ID_MAX + 1, "%s", sql_col_str(stmt, 1));
    *due_out = now_ms + retry_after(sql_col_int(stmt, 3), sql_col_int(stmt, 2) - now_ms);
    sql_reset(stmt);
    return *domain_out ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "out of memory for a domain");
}

enum status sts_store_claim(struct sts_store *store, int64_t now_ms, char **domain_out,
                            char id_out[STS_ID_MAX + 1], struct error *err)
{
    int64_t due_ms = now_ms;
    enum status st = find_due(store, now_ms, domain_out, id_out, &due_ms, err);
    if (st != STATUS_OK)
        return st;
    st = put_off(store, *domain_out, due_ms, err);
    if (st != STATUS_OK)
        free(*domain_out);
    return st;
}
