/* Opening a database: rights of the file, settings of the connection, version of the schema. */
#include "base/sql_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One owner writes, so a wait is for a backup program or an administrator's shell. */
#define BUSY_TIMEOUT_MS 2000
/* Largest value: a sealed body of the largest message, armored, fits several times over. */
#define VALUE_MAX (256 << 20)
/* Bytes of the WAL file that are kept for the next writes after a large message. */
#define WAL_KEPT "67108864"

/*
 * SQLite would make the file with the umask's rights, and gives its -wal and -shm the rights of this one.
 * An existing file is looked at by path: closing a descriptor of our own would drop SQLite's POSIX locks.
 */
static enum status check_file(const char *path, struct error *err)
{
    struct stat s;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0) {
        close(fd);
        return STATUS_OK;
    }
    if (errno != EEXIST || lstat(path, &s) < 0)
        return error_errno(err, errno == EACCES ? STATUS_DENIED : STATUS_TEMPORARY, errno,
                           "cannot make database %s", path);
    if (!S_ISREG(s.st_mode))
        return error_set(err, STATUS_DENIED, "database %s is no regular file", path);
    if (s.st_uid != geteuid())
        return error_set(err, STATUS_DENIED, "database %s belongs to user %u, not to %u; use chown", path,
                         (unsigned)s.st_uid, (unsigned)geteuid());
    if (s.st_mode & 077)
        return error_set(err, STATUS_DENIED, "database %s may be used by others (mode %03o); use chmod 600",
                         path, (unsigned)s.st_mode & 0777);
    return STATUS_OK;
}

static void limit(sqlite3 *db)
{
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, 64 << 10);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db, SQLITE_LIMIT_VARIABLE_NUMBER, 100);
    sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, 100);
    sqlite3_limit(db, SQLITE_LIMIT_TRIGGER_DEPTH, 10);
    sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    /* "text" in double quotes is a name or an error, never silently a string. */
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
}

/* First number of a query's only row. */
static enum status ask_int(struct sql *sql, const char *text, int64_t *value_out, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(sql->db, text, -1, &stmt, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        *value_out = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return code == SQLITE_ROW ? STATUS_OK : sql_status(sql, code, "read the schema's version", err);
}

static int is_wal(void *arg, int n, char **values, char **names)
{
    bool *wal = arg;

    (void)names;
    *wal = n == 1 && values[0] && strcmp(values[0], "wal") == 0;
    return 0;
}

/*
 * Promise 3: a commit is on disk when it returns; promise 4: no temporary files beside it. Debian builds
 * SQLite so that it overwrites what is deleted, which holds a deleted 50 MB body in memory and writes it
 * twice; bodies are never plaintext, so overwriting only what costs no I/O (FAST) is enough.
 */
static enum status configure(struct sql *sql, struct error *err)
{
    bool wal = false;
    int code = sqlite3_exec(sql->db, "PRAGMA journal_mode = WAL", is_wal, &wal, NULL);

    if (code == SQLITE_OK && !wal)
        return error_set(err, STATUS_INTERNAL,
                         "database %s cannot keep a write-ahead log; put it on a local file system",
                         sql->path);
    if (code == SQLITE_OK)
        code =
            sqlite3_exec(sql->db,
                         "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; "
                         "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; "
                         "PRAGMA secure_delete = FAST; "
                         "PRAGMA journal_size_limit = " WAL_KEPT,
                         NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_OK : sql_status(sql, code, "open", err);
}

static int64_t count(const char *const *steps)
{
    int64_t n = 0;

    while (steps[n])
        n++;
    return n;
}

/* Versions 0 to STEPS' length are ours; a foreign database has tables and no version. */
static enum status check_version(struct sql *sql, int64_t version, int64_t newest, struct error *err)
{
    int64_t tables = 0;

    if (version < 0 || version > newest)
        return error_set(err, STATUS_INVALID,
                         "database %s has schema version %lld, this program knows up to %lld; install the "
                         "version of the program that wrote it, or a newer one",
                         sql->path, (long long)version, (long long)newest);
    if (version > 0)
        return STATUS_OK;
    enum status st = ask_int(sql, "SELECT count(*) FROM sqlite_master", &tables, err);
    if (st == STATUS_OK && tables > 0)
        return error_set(err, STATUS_INVALID,
                         "database %s was not made by this program; move it away or change the path",
                         sql->path);
    return st;
}

/* One step in a transaction that is open already. */
static enum status run_step(struct sql *sql, const char *text, int64_t to, struct error *err)
{
    char pragma[64];
    int code = sqlite3_exec(sql->db, text, NULL, NULL, NULL);

    snprintf(pragma, sizeof pragma, "PRAGMA user_version = %lld", (long long)to);
    if (code == SQLITE_OK)
        code = sqlite3_exec(sql->db, pragma, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        return STATUS_OK;
    enum status st = sql_status(sql, code, "change the schema", err);
    error_prefix(err, "step to schema version %lld", (long long)to);
    return st;
}

static enum status upgrade(struct sql *sql, const char *const *steps, struct error *err)
{
    int64_t newest = count(steps);
    int64_t version = 0;

    do {
        enum status st = sql_begin(sql, err);
        if (st != STATUS_OK)
            return st;
        /* Read inside the transaction: another process may be at the same work. */
        st = ask_int(sql, "PRAGMA user_version", &version, err);
        if (st == STATUS_OK)
            st = check_version(sql, version, newest, err);
        if (st == STATUS_OK && version < newest)
            st = run_step(sql, steps[version], version + 1, err);
        if (st == STATUS_OK)
            st = sql_commit(sql, err);
        if (st != STATUS_OK) {
            sql_rollback(sql);
            return st;
        }
    } while (++version < newest);
    return STATUS_OK;
}

/*
 * No locks within SQLite and no count of its memory: a role has one thread and lives under the kernel's
 * limits. The second database of a process finds it set (SQLITE_MISUSE).
 */
static void configure_library(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static enum status connect(struct sql *sql, struct error *err)
{
    configure_library();
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(sql->path, &sql->db, flags, NULL);

    if (code != SQLITE_OK)
        return sql_status(sql, code, "open", err);
    limit(sql->db);
    return configure(sql, err);
}

enum status sql_open(const char *path, const char *const *steps, struct sql **sql_out, struct error *err)
{
    *sql_out = NULL;
    enum status st = check_file(path, err);
    if (st != STATUS_OK)
        return st;
    struct sql *sql = calloc(1, sizeof *sql);
    if (!sql || !(sql->path = strdup(path))) {
        free(sql);
        return error_set(err, STATUS_TEMPORARY, "out of memory for database %s", path);
    }
    st = connect(sql, err);
    if (st == STATUS_OK)
        st = upgrade(sql, steps, err);
    if (st != STATUS_OK) {
        sql_close(sql);
        return st;
    }
    *sql_out = sql;
    return STATUS_OK;
}

enum status sql_make_light(struct sql *sql, int64_t bytes_max, struct error *err)
{
    int64_t page = 0;
    char text[100];
    enum status st = ask_int(sql, "PRAGMA page_size", &page, err);

    if (st != STATUS_OK)
        return st;
    snprintf(text, sizeof text, "PRAGMA synchronous = NORMAL; PRAGMA max_page_count = %lld",
             (long long)(bytes_max / (page > 0 ? page : 1)));
    sqlite3_busy_timeout(sql->db, 0);
    int code = sqlite3_exec(sql->db, text, NULL, NULL, NULL);
    return code == SQLITE_OK ? STATUS_OK : sql_status(sql, code, "set up", err);
}

void sql_close(struct sql *sql)
{
    if (!sql)
        return;
    while (sql->cached) {
        struct sql_stmt *stmt = sql->cached;
        sql->cached = stmt->next;
        sqlite3_finalize(stmt->stmt);
        free(stmt);
    }
    sqlite3_close(sql->db);
    free(sql->path);
    free(sql);
}
