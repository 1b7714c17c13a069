#include "base/sql_backup_private.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Mode 0600 from the start; SQLite would take the umask's. */
static enum status make_file(const char *path, struct error *err)
{
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, errno == EACCES ? STATUS_DENIED : STATUS_TEMPORARY, errno, "cannot make %s",
                           path);
    close(fd);
    return STATUS_OK;
}

static enum status open_copy(struct sql_backup *b, struct sql *sql, struct error *err)
{
    enum status st = make_file(b->copy.path, err);
    if (st != STATUS_OK)
        return st;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(b->copy.path, &b->copy.db, flags, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(b->copy.db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = FULL", NULL, NULL,
                            NULL);
    if (code != SQLITE_OK)
        return sql_status(&b->copy, code, "begin a backup", err);
    b->backup = sqlite3_backup_init(b->copy.db, "main", sql->db, "main");
    return b->backup ? STATUS_OK
                     : sql_status(&b->copy, sqlite3_extended_errcode(b->copy.db), "begin a backup", err);
}

enum status sql_backup_start(struct sql *sql, const char *path, struct sql_backup **backup_out,
                             struct error *err)
{
    struct sql_backup *b = calloc(1, sizeof *b);
    *backup_out = NULL;
    if (b) {
        b->over = -1;
        b->path = strdup(path);
    }
    if (!b || !b->path || asprintf(&b->copy.path, "%s.new", path) < 0) {
        if (b)
            free(b->path);
        free(b);
        return error_set(err, STATUS_TEMPORARY, "out of memory for a backup");
    }
    enum status st = open_copy(b, sql, err);
    if (st != STATUS_OK) {
        sql_backup_free(b);
        return st;
    }
    *backup_out = b;
    return STATUS_OK;
}

enum status sql_backup_step(struct sql_backup *b, int pages, bool *done_out, int64_t *pages_out,
                            struct error *err)
{
    int code = sqlite3_backup_step(b->backup, pages);

    *done_out = code == SQLITE_DONE;
    *pages_out = sqlite3_backup_pagecount(b->backup);
    return code == SQLITE_OK || code == SQLITE_DONE ? STATUS_OK
                                                    : sql_status(&b->copy, code, "write a backup", err);
}

static enum status give_name(const struct sql_backup *b, struct error *err)
{
    char *copy = strdup(b->path);
    enum status st = STATUS_OK;
    if (!copy)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a backup");
    if (rename(b->copy.path, b->path) < 0)
        st = error_errno(err, STATUS_TEMPORARY, errno, "cannot give the backup its name %s", b->path);
    if (st == STATUS_OK)
        st = sql_backup_sync(dirname(copy), O_DIRECTORY, err);
    free(copy);
    return st;
}

enum status sql_backup_finish(struct sql_backup *b, struct error *err)
{
    enum status st = sql_backup_verdict(b, err);
    return st == STATUS_OK ? give_name(b, err) : st;
}

void sql_backup_free(struct sql_backup *b)
{
    if (!b)
        return;
    sql_backup_stop_check(b);
    if (b->backup)
        sqlite3_backup_finish(b->backup);
    sqlite3_close(b->copy.db);
    unlink(b->copy.path); /* gone already when it is finished */
    free(b->copy.path);
    free(b->path);
    free(b);
}
