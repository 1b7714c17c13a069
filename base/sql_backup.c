#include "base/sql_backup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sql_private.h"

struct sql_backup {
    struct sql copy; /* PATH is that of the new file */
    sqlite3_backup *backup;
    char *path;
};

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
        code = sqlite3_exec(b->copy.db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = FULL", NULL, NULL, NULL);
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
    if (b)
        b->path = strdup(path);
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

static int is_good(void *arg, int n, char **values, char **names)
{
    (void)names;
    *(bool *)arg = n == 1 && values[0] && strcmp(values[0], "ok") == 0;
    return 0;
}

/* A backup that cannot be read is none. */
static enum status check(struct sql_backup *b, struct error *err)
{
    bool good = false;
    int code = sqlite3_exec(b->copy.db, "PRAGMA quick_check(1)", is_good, &good, NULL);

    if (code != SQLITE_OK)
        return sql_status(&b->copy, code, "read a backup", err);
    return good ? STATUS_OK
                : error_set(err, STATUS_INTERNAL, "the backup is damaged, and so may be the database: look "
                                                  "at the disk");
}

static enum status sync_path(const char *path, int flags, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    int failed = fd < 0 || fsync(fd) < 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    return failed ? error_errno(err, STATUS_TEMPORARY, failed, "cannot put the backup %s on disk", path)
                  : STATUS_OK;
}

static enum status give_name(const struct sql_backup *b, struct error *err)
{
    char *copy = strdup(b->path);
    if (!copy)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a backup");
    enum status st = sync_path(b->copy.path, 0, err);
    if (st == STATUS_OK && rename(b->copy.path, b->path) < 0)
        st = error_errno(err, STATUS_TEMPORARY, errno, "cannot give the backup its name %s", b->path);
    if (st == STATUS_OK)
        st = sync_path(dirname(copy), O_DIRECTORY, err);
    free(copy);
    return st;
}

enum status sql_backup_finish(struct sql_backup *b, struct error *err)
{
    int code = sqlite3_backup_finish(b->backup);

    b->backup = NULL;
    if (code != SQLITE_OK)
        return sql_status(&b->copy, code, "write a backup", err);
    enum status st = check(b, err);
    sqlite3_close(b->copy.db);
    b->copy.db = NULL;
    return st == STATUS_OK ? give_name(b, err) : st;
}

void sql_backup_free(struct sql_backup *b)
{
    if (!b)
        return;
    if (b->backup)
        sqlite3_backup_finish(b->backup);
    sqlite3_close(b->copy.db);
    unlink(b->copy.path); /* gone already when it is finished */
    free(b->copy.path);
    free(b->path);
    free(b);
}
