/*
 * The tables as rows of a database, so that blocks and counts survive a restart and kill -9. Memory leads:
 * when the disk fails, counting and blocking go on, and so do logins.
 *
 * Names and addresses stand there as they are: the file is the role's own (0600 in a folder 0700), and
 * `sealctl guard list` shows them to whoever may read it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pack.h"
#include "base/sql.h"
#include "gateway/guard/guard_private.h"

/* Rows per tick: a flood must not hold up the loop for longer than a few milliseconds. */
#define ROWS_PER_WRITE 4096
#define PATH_SIZE 600
#define COUNTS_SIZE (WINDOW_COUNTERS * 4)

static const char *const steps[] = {
    "CREATE TABLE guard (kind TEXT NOT NULL, name TEXT NOT NULL, part_ms BIGINT NOT NULL,"
    " newest BIGINT NOT NULL, counts BLOB NOT NULL, total BIGINT NOT NULL, last_ms BIGINT NOT NULL,"
    " blocked_until_ms BIGINT NOT NULL, detail TEXT, PRIMARY KEY (kind, name))",
    NULL,
};

/* ---- the file ---- */

/* Says so once for each time that it begins, and when it is over. */
static void log_failing(struct guard *guard, const char *what, const struct error *err)
{
    if (!guard->store_failing)
        log_error(guard->settings->log, LOG_LEVEL_ERROR, "guard-not-stored", what, err);
    guard->store_failing = true;
}

static void log_well(struct guard *guard)
{
    struct log_line line;
    if (guard->store_failing) {
        log_start(&line, guard->settings->log, LOG_LEVEL_NOTICE, "guard-stored-again");
        log_end(&line);
    }
    guard->store_failing = false;
}

static bool is_damage(enum status st)
{
    return st == STATUS_INTERNAL || st == STATUS_INVALID;
}

/* With its log, so that what it says can still be recovered by hand. One older copy is overwritten. */
static void move_aside(struct guard *guard, const struct error *why)
{
    const char *path = guard->settings->path;
    char from[PATH_SIZE], to[PATH_SIZE];
    log_error(guard->settings->log, LOG_LEVEL_ERROR, "guard-moved-aside", path, why);
    snprintf(from, sizeof from, "%s-shm", path);
    unlink(from);
    snprintf(from, sizeof from, "%s-wal", path);
    snprintf(to, sizeof to, "%s.damaged-wal", path);
    unlink(to);
    (void)rename(from, to);
    snprintf(to, sizeof to, "%s.damaged", path);
    struct error err;
    if (rename(path, to) != 0) {
        error_set(&err, STATUS_TEMPORARY, "cannot rename %s to %s: %m", path, to);
        log_failing(guard, path, &err);
    }
}

/* ---- reading ---- */

static void read_counts(struct span blob, struct window *w)
{
    struct unpack u;
    unpack_init(&u, blob);
    for (size_t i = 0; i < WINDOW_COUNTERS; i++)
        w->counts[i] = unpack_u32(&u);
}

/* A row that makes no sense is left out. */
static void load_row(struct guard *guard, struct sql_stmt *stmt, int64_t now)
{
    const char *word = sql_col_str(stmt, 0), *name = sql_col_str(stmt, 1);
    enum kind kind = word ? kind_of_word(word) : KINDS;
    struct span counts = sql_col_blob(stmt, 4);
    if (kind == KINDS || !name || counts.len != COUNTS_SIZE || sql_col_int(stmt, 2) < 0)
        return;
    struct row *row = rows_find(guard, kind, name, now);
    if (row) { /* newer than the database, which could not be opened before */
        row->stored = true;
        return;
    }
    row = rows_get(guard, kind, name, now);
    if (!row)
        return;
    row->window.part_ms = sql_col_int(stmt, 2);
    row->window.newest = sql_col_int(stmt, 3);
    read_counts(counts, &row->window);
    row->total = sql_col_int(stmt, 5);
    row->last_ms = sql_col_int(stmt, 6);
    if (sql_col_int(stmt, 7) > now)
        rows_block(guard, row, sql_col_int(stmt, 7));
    if (sql_col_str(stmt, 8))
        rows_set_detail(row, sql_col_str(stmt, 8));
    rows_written(guard, row);
}

static enum status load(struct guard *guard, int64_t now, struct error *err)
{
    struct sql_stmt *stmt;
    bool more = true;
    enum status st = sql_prepare(guard->sql,
                                 "SELECT kind, name, part_ms, newest, counts, total, last_ms,"
                                 " blocked_until_ms, detail FROM guard ORDER BY last_ms",
                                 &stmt, err);
    while (st == STATUS_OK && more) {
        st = sql_step(stmt, &more, err);
        if (st == STATUS_OK && more)
            load_row(guard, stmt, now);
    }
    return st;
}

static enum status open_and_load(struct guard *guard, int64_t now, struct error *err)
{
    enum status st = sql_open(guard->settings->path, steps, &guard->sql, err);
    if (st == STATUS_OK)
        st = load(guard, now, err);
    if (st != STATUS_OK)
        store_close(guard);
    return st;
}

enum status store_open(struct guard *guard, int64_t now, struct error *err)
{
    enum status st = open_and_load(guard, now, err);
    if (is_damage(st)) {
        move_aside(guard, err);
        rows_all_dirty(guard);
        st = open_and_load(guard, now, err);
    }
    if (st == STATUS_OK)
        log_well(guard);
    else
        log_failing(guard, "open", err);
    return st == STATUS_DENIED ? st : STATUS_OK;
}

void store_close(struct guard *guard)
{
    sql_close(guard->sql);
    guard->sql = NULL;
}

/* ---- writing ---- */

static enum status put(struct guard *guard, const struct row *row, struct error *err)
{
    struct sql_stmt *stmt;
    struct buf counts;
    enum status st = sql_prepare(
        guard->sql,
        "INSERT INTO guard (kind, name, part_ms, newest, counts, total, last_ms, blocked_until_ms, detail)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (kind, name) DO UPDATE SET"
        " part_ms = excluded.part_ms, newest = excluded.newest, counts = excluded.counts,"
        " total = excluded.total, last_ms = excluded.last_ms,"
        " blocked_until_ms = excluded.blocked_until_ms, detail = excluded.detail",
        &stmt, err);
    if (st != STATUS_OK)
        return st;
    buf_init(&counts, COUNTS_SIZE);
    for (size_t i = 0; i < WINDOW_COUNTERS; i++)
        pack_u32(&counts, row->window.counts[i]);
    sql_bind_str(stmt, 1, kind_word(row->kind));
    sql_bind_str(stmt, 2, row->name);
    sql_bind_int(stmt, 3, row->window.part_ms);
    sql_bind_int(stmt, 4, row->window.newest);
    sql_bind_blob(stmt, 5, buf_span(&counts));
    sql_bind_int(stmt, 6, row->total);
    sql_bind_int(stmt, 7, row->last_ms);
    sql_bind_int(stmt, 8, row->blocked_until_ms);
    sql_bind_str(stmt, 9, row->detail);
    st = buf_check(&counts, "counts", err);
    if (st == STATUS_OK)
        st = sql_run(stmt, err);
    buf_free(&counts);
    return st;
}

static enum status erase(struct guard *guard, const struct row *row, struct error *err)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(guard->sql, "DELETE FROM guard WHERE kind = ?1 AND name = ?2", &stmt, err);
    if (st != STATUS_OK)
        return st;
    sql_bind_str(stmt, 1, kind_word(row->kind));
    sql_bind_str(stmt, 2, row->name);
    return sql_run(stmt, err);
}

static enum status write_row(struct guard *guard, const struct row *row, int64_t now, struct error *err)
{
    if (!row->dead)
        return put(guard, row, err);
    /* It has come back meanwhile: what the database has under this name is that one's now. */
    struct row *successor = rows_find(guard, row->kind, row->name, now);
    if (!successor)
        return erase(guard, row, err);
    successor->stored = true;
    return STATUS_OK;
}

static void failed(struct guard *guard, enum status st, const struct error *err)
{
    if (!is_damage(st)) {
        log_failing(guard, "write", err);
        return;
    }
    store_close(guard);
    move_aside(guard, err);
    rows_all_dirty(guard);
}

void store_write_now(struct guard *guard, struct row *row, int64_t now)
{
    struct error err;
    if (!guard->sql || guard->store_failing)
        return;
    enum status st = write_row(guard, row, now, &err);
    if (st == STATUS_OK)
        rows_written(guard, row);
    else
        failed(guard, st, &err);
}

/* The first N that wait, in one transaction. */
static enum status write_first(struct guard *guard, size_t n, int64_t now, struct error *err)
{
    struct row *row = TAILQ_FIRST(&guard->to_write);
    enum status st = sql_begin(guard->sql, err);
    for (size_t i = 0; st == STATUS_OK && i < n; i++) {
        st = write_row(guard, row, now, err);
        row = TAILQ_NEXT(row, to_write);
    }
    if (st == STATUS_OK)
        st = sql_commit(guard->sql, err);
    if (st != STATUS_OK)
        sql_rollback(guard->sql);
    return st;
}

void store_write(struct guard *guard, int64_t now)
{
    struct error err;
    if (!guard->sql && (store_open(guard, now, &err) != STATUS_OK || !guard->sql))
        return;
    size_t n = guard->n_to_write < ROWS_PER_WRITE ? guard->n_to_write : ROWS_PER_WRITE;
    if (n == 0)
        return;
    enum status st = write_first(guard, n, now, &err);
    if (st != STATUS_OK) {
        failed(guard, st, &err);
        return;
    }
    log_well(guard);
    for (; n > 0; n--)
        rows_written(guard, TAILQ_FIRST(&guard->to_write));
}
