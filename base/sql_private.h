/* Shared by sql.c, sql_open.c and sql_status.c only. */
#ifndef SEALGATE_BASE_SQL_PRIVATE_H
#define SEALGATE_BASE_SQL_PRIVATE_H

#include <sqlite3.h>

#include "base/sql.h"

struct sql {
    sqlite3 *db;
    char *path;              /* for error texts; owned */
    bool in_transaction;     /* from sql_begin until sql_commit or sql_rollback */
    struct sql_stmt *cached; /* list of all prepared statements; owned */
};

struct sql_stmt {
    struct sql *sql;
    sqlite3_stmt *stmt;
    size_t text_len; /* of its SQL text: nearly all others are told apart by it */
    int bind_code;   /* first SQLite code other than SQLITE_OK that a bind gave */
    struct sql_stmt *next;
};

/*
 * Fills ERR with WHAT failed, where, why and what to do, from an extended SQLite result code. Only damage, a
 * broken constraint or a wrong SQL text are STATUS_INTERNAL; full disk, I/O error, no memory, somebody else's
 * lock and read-only files are STATUS_TEMPORARY; a value over the limit is STATUS_LIMIT.
 */
enum status sql_status(const struct sql *sql, int code, const char *what, struct error *err);

#endif
