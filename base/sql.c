#include "base/sql_private.h"

#include <stdlib.h>
#include <string.h>

/*
 * SQLite rolls a whole transaction back by itself after some errors (full disk, I/O). What runs after that
 * would be committed one by one, and work that was grouped before it would be lost silently. So nothing runs
 * until the caller has seen it and called sql_rollback.
 */
static enum status check_transaction(const struct sql *sql, struct error *err)
{
    if (sql->in_transaction && sqlite3_get_autocommit(sql->db))
        return error_set(err, STATUS_TEMPORARY,
                         "database %s undid the transaction after an error before this; roll back",
                         sql->path);
    return STATUS_OK;
}

/* ---- transactions ---- */

/* TEXT is compiled once: several of them are run for each piece of work. */
static enum status exec(struct sql *sql, const char *text, const char *what, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = check_transaction(sql, err);

    if (st == STATUS_OK)
        st = sql_prepare(sql, text, &stmt, err);
    if (st != STATUS_OK)
        return st;
    int code = sqlite3_step(stmt->stmt);
    if (code != SQLITE_DONE)
        st = sql_status(sql, sqlite3_extended_errcode(sql->db), what, err);
    sqlite3_reset(stmt->stmt);
    return st;
}

static enum status begin(struct sql *sql, const char *text, struct error *err)
{
    if (sql->in_transaction)
        return error_set(err, STATUS_INTERNAL, "database %s is in a transaction already", sql->path);
    enum status st = exec(sql, text, "begin", err);
    sql->in_transaction = st == STATUS_OK;
    return st;
}

enum status sql_begin(struct sql *sql, struct error *err)
{
    return begin(sql, "BEGIN IMMEDIATE", err);
}

enum status sql_begin_reading(struct sql *sql, struct error *err)
{
    return begin(sql, "BEGIN", err);
}

enum status sql_commit(struct sql *sql, struct error *err)
{
    if (!sql->in_transaction)
        return error_set(err, STATUS_INTERNAL, "database %s has no transaction to commit", sql->path);
    enum status st = exec(sql, "COMMIT", "commit", err);
    if (st == STATUS_OK)
        sql->in_transaction = false;
    return st;
}

void sql_rollback(struct sql *sql)
{
    /* A failed COMMIT may have ended the transaction, or may have left it open. */
    if (!sqlite3_get_autocommit(sql->db))
        sqlite3_exec(sql->db, "ROLLBACK", NULL, NULL, NULL);
    sql->in_transaction = false;
}

static enum status mark(struct sql *sql, const char *text, const char *what, struct error *err)
{
    if (!sql->in_transaction)
        return error_set(err, STATUS_INTERNAL, "database %s: cannot %s outside a transaction", sql->path,
                         what);
    return exec(sql, text, what, err);
}

enum status sql_savepoint(struct sql *sql, struct error *err)
{
    return mark(sql, "SAVEPOINT piece", "set a savepoint", err);
}

enum status sql_release(struct sql *sql, struct error *err)
{
    return mark(sql, "RELEASE piece", "release a savepoint", err);
}

enum status sql_undo(struct sql *sql, struct error *err)
{
    enum status st = mark(sql, "ROLLBACK TO piece", "undo a savepoint", err);
    return st == STATUS_OK ? mark(sql, "RELEASE piece", "undo a savepoint", err) : st;
}

/* ---- statements ---- */

static enum status compile(struct sql *sql, const char *text, struct sql_stmt **stmt_out, struct error *err)
{
    struct sql_stmt *stmt = calloc(1, sizeof *stmt);
    const char *tail = "";

    if (!stmt)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a statement of database %s", sql->path);
    int code = sqlite3_prepare_v3(sql->db, text, -1, SQLITE_PREPARE_PERSISTENT, &stmt->stmt, &tail);
    if (code != SQLITE_OK) {
        free(stmt);
        return sql_status(sql, code, "prepare a statement", err);
    }
    if (!stmt->stmt || tail[strspn(tail, " \n\t;")] != '\0') {
        sqlite3_finalize(stmt->stmt);
        free(stmt);
        return error_set(err, STATUS_INTERNAL, "not exactly one SQL statement: %.100s", text);
    }
    stmt->sql = sql;
    stmt->text_len = strlen(sqlite3_sql(stmt->stmt));
    stmt->next = sql->cached;
    sql->cached = stmt;
    *stmt_out = stmt;
    return STATUS_OK;
}

enum status sql_prepare(struct sql *sql, const char *text, struct sql_stmt **stmt_out, struct error *err)
{
    size_t len = strlen(text);

    for (struct sql_stmt *stmt = sql->cached; stmt; stmt = stmt->next) {
        if (stmt->text_len == len && memcmp(sqlite3_sql(stmt->stmt), text, len) == 0) {
            sql_reset(stmt);
            *stmt_out = stmt;
            return STATUS_OK;
        }
    }
    return compile(sql, text, stmt_out, err);
}

/* Binds return nothing, so that callers write them as a list; the first failure is told when it is run. */
static void bound(struct sql_stmt *stmt, int code)
{
    if (stmt->bind_code == SQLITE_OK)
        stmt->bind_code = code;
}

void sql_bind_int(struct sql_stmt *stmt, int i, int64_t value)
{
    bound(stmt, sqlite3_bind_int64(stmt->stmt, i, value));
}

void sql_bind_str(struct sql_stmt *stmt, int i, const char *value)
{
    bound(stmt, sqlite3_bind_text(stmt->stmt, i, value, -1, SQLITE_STATIC));
}

/* A NULL pointer would bind NULL: an empty value is not that. */
void sql_bind_span(struct sql_stmt *stmt, int i, struct span text)
{
    bound(stmt,
          sqlite3_bind_text64(stmt->stmt, i, text.len ? text.p : "", text.len, SQLITE_STATIC, SQLITE_UTF8));
}

void sql_bind_blob(struct sql_stmt *stmt, int i, struct span bytes)
{
    bound(stmt, sqlite3_bind_blob64(stmt->stmt, i, bytes.len ? bytes.p : "", bytes.len, SQLITE_STATIC));
}

void sql_bind_null(struct sql_stmt *stmt, int i)
{
    bound(stmt, sqlite3_bind_null(stmt->stmt, i));
}

void sql_reset(struct sql_stmt *stmt)
{
    sqlite3_reset(stmt->stmt); /* its code is that of the last step, told already */
    sqlite3_clear_bindings(stmt->stmt);
    stmt->bind_code = SQLITE_OK;
}

static enum status fail(struct sql_stmt *stmt, int code, struct error *err)
{
    enum status st = sql_status(stmt->sql, code, sqlite3_stmt_readonly(stmt->stmt) ? "read" : "write", err);

    sql_reset(stmt);
    return st;
}

enum status sql_step(struct sql_stmt *stmt, bool *row_out, struct error *err)
{
    *row_out = false;
    if (stmt->bind_code != SQLITE_OK)
        return fail(stmt, stmt->bind_code, err);
    enum status st = check_transaction(stmt->sql, err);
    if (st != STATUS_OK) {
        sql_reset(stmt);
        return st;
    }
    switch (sqlite3_step(stmt->stmt)) {
    case SQLITE_ROW:
        *row_out = true;
        return STATUS_OK;
    case SQLITE_DONE:
        sql_reset(stmt);
        return STATUS_OK;
    default:
        return fail(stmt, sqlite3_extended_errcode(stmt->sql->db), err);
    }
}

enum status sql_run(struct sql_stmt *stmt, struct error *err)
{
    bool row;
    enum status st = sql_step(stmt, &row, err);

    if (st == STATUS_OK && row) {
        sql_reset(stmt);
        return error_set(err, STATUS_INTERNAL, "a statement without result gave a row: %.100s",
                         sqlite3_sql(stmt->stmt));
    }
    return st;
}

int64_t sql_changes(struct sql *sql)
{
    return sqlite3_changes64(sql->db);
}

int64_t sql_inserted(struct sql *sql)
{
    return sqlite3_last_insert_rowid(sql->db);
}

int64_t sql_col_int(struct sql_stmt *stmt, int i)
{
    return sqlite3_column_int64(stmt->stmt, i);
}

const char *sql_col_str(struct sql_stmt *stmt, int i)
{
    return (const char *)sqlite3_column_text(stmt->stmt, i);
}

struct span sql_col_blob(struct sql_stmt *stmt, int i)
{
    /* The pointer first: it may convert the value, and the length is that of the converted one. */
    const void *p = sqlite3_column_blob(stmt->stmt, i);

    return span_of(p, (size_t)sqlite3_column_bytes(stmt->stmt, i));
}
