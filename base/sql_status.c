/* What a SQLite result code means for mail and for the administrator. */
#include "base/sql_private.h"

#include <string.h>

static enum status io_status(const struct sql *sql, int code, const char *what, struct error *err)
{
    int errnum = sqlite3_system_errno(sql->db);

    return error_set(err, STATUS_TEMPORARY, "cannot %s in database %s: %s (SQLite %d): %s; look at the disk",
                     what, sql->path, sqlite3_errstr(code), code,
                     errnum ? strerror(errnum) : "no more is known");
}

enum status sql_status(const struct sql *sql, int code, const char *what, struct error *err)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return error_set(err, STATUS_TEMPORARY,
                         "cannot %s in database %s: the disk is full; free space on its file system", what,
                         sql->path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return io_status(sql, code, what, err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(err, STATUS_TEMPORARY,
                         "cannot %s in database %s: another program keeps it locked; find it with fuser",
                         what, sql->path);
    case SQLITE_NOMEM:
        return error_set(err, STATUS_TEMPORARY, "cannot %s in database %s: out of memory", what, sql->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return error_set(err, STATUS_TEMPORARY,
                         "cannot %s in database %s: it cannot be written (SQLite %d); look at the rights of "
                         "the file and its folder, and whether the file system is mounted read-only",
                         what, sql->path, code);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return error_set(err, STATUS_INTERNAL,
                         "cannot %s in database %s: the file is damaged (%s); stop the gateway, keep a copy "
                         "of the file, and restore it from a backup or with sqlite3's .recover",
                         what, sql->path, sqlite3_errmsg(sql->db));
    case SQLITE_TOOBIG:
        return error_set(err, STATUS_LIMIT, "cannot %s in database %s: a value is too large", what,
                         sql->path);
    default:
        return error_set(err, STATUS_INTERNAL, "cannot %s in database %s: %s (SQLite %d)", what, sql->path,
                         sqlite3_errmsg(sql->db), code);
    }
}
