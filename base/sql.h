/*
 * The database behind one small interface: SQLite now (WAL, synchronous=FULL), PostgreSQL next.
 * SQL texts stay portable: no rowid tricks, no SQLite functions, placeholders ?1 ?2 ….
 */
#ifndef SEALGATE_BASE_SQL_H
#define SEALGATE_BASE_SQL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

struct sql;      /* a database */
struct sql_stmt; /* a prepared statement, owned by its database */

/*
 * Opens or makes the database file (mode 0600) and brings its schema to the newest version:
 * STEPS[v] is the SQL that leads from version v to v + 1, NULL-terminated, each run in a transaction of
 * its own. A newer database than STEPS knows is STATUS_INVALID, a damaged one STATUS_INTERNAL.
 */
MUST_USE enum status sql_open(const char *path, const char *const *steps, struct sql **sql_out,
                              struct error *err);
void sql_close(struct sql *sql);

/*
 * For what may be lost with the power, but must hold up nobody: a commit does not wait for the disk, a
 * database that somebody else holds is STATUS_TEMPORARY at once, and the file grows to BYTES_MAX at most
 * (then writing is STATUS_TEMPORARY). The end of the process loses nothing.
 */
MUST_USE enum status sql_make_light(struct sql *sql, int64_t bytes_max, struct error *err);

/*
 * After any failure in a transaction, also of sql_commit, call sql_rollback; then work goes on. Where SQLite
 * has ended the transaction by itself (full disk, I/O error), everything fails until that call. When the disk
 * fails inside sql_commit and the machine or process dies before the next commit, the transaction may yet be
 * found whole at the next start: a duplicate, never half of it.
 */
MUST_USE enum status sql_begin(struct sql *sql, struct error *err);  /* BEGIN IMMEDIATE */
MUST_USE enum status sql_commit(struct sql *sql, struct error *err); /* on disk when STATUS_OK */
/*
 * BEGIN: what is read until the end is one state, and the file is locked once for all of it. The first write
 * asks for the lock of a writer, STATUS_TEMPORARY if another connection has it or has written since.
 */
MUST_USE enum status sql_begin_reading(struct sql *sql, struct error *err);
void sql_rollback(struct sql *sql);

/* A named mark inside a transaction, to undo one of several grouped pieces of work. */
MUST_USE enum status sql_savepoint(struct sql *sql, struct error *err);
MUST_USE enum status sql_release(struct sql *sql, struct error *err);
MUST_USE enum status sql_undo(struct sql *sql, struct error *err);

/* The statement for TEXT, prepared on first use and kept; reset, with no values bound. TEXT is static. */
MUST_USE enum status sql_prepare(struct sql *sql, const char *text, struct sql_stmt **stmt_out,
                                 struct error *err);

/* Values are numbered from 1 and must live until the statement was run. */
void sql_bind_int(struct sql_stmt *stmt, int i, int64_t value);
void sql_bind_str(struct sql_stmt *stmt, int i, const char *value); /* NULL binds NULL */
void sql_bind_span(struct sql_stmt *stmt, int i, struct span text);
void sql_bind_blob(struct sql_stmt *stmt, int i, struct span bytes);
void sql_bind_null(struct sql_stmt *stmt, int i);

/* The next row: STATUS_OK and *row_out true, or false at the end (the statement is reset then). */
MUST_USE enum status sql_step(struct sql_stmt *stmt, bool *row_out, struct error *err);

/* Runs a statement that gives no rows, then resets it. */
MUST_USE enum status sql_run(struct sql_stmt *stmt, struct error *err);

/* Rows changed by the last sql_run. */
int64_t sql_changes(struct sql *sql);
/* Key of the row last inserted. */
int64_t sql_inserted(struct sql *sql);

/* Columns are numbered from 0; text and blobs are valid until the next step or reset. */
int64_t sql_col_int(struct sql_stmt *stmt, int i);
const char *sql_col_str(struct sql_stmt *stmt, int i); /* NULL for NULL */
struct span sql_col_blob(struct sql_stmt *stmt, int i);

/* Ends reading before the last row. */
void sql_reset(struct sql_stmt *stmt);

#endif
