/* The database: rights, schema versions, transactions, errors of the disk, durability. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sql.h"

struct state {
    char dir[64];
    char path[80];
    struct sql *sql;
    struct error err;
};

static const char *const steps[] = {
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE child (parent INTEGER NOT NULL REFERENCES parent (id), body BLOB)",
    NULL,
};
static const char *const newer_steps[] = {
    "CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE child (parent INTEGER NOT NULL REFERENCES parent (id), body BLOB)",
    "ALTER TABLE parent ADD COLUMN size INTEGER",
    "CREATE TABLE third (x INTEGER); INSERT INTO third VALUES (3)",
    NULL,
};

/* While set, nothing reaches the disk: stands before the C library's function, also for SQLite. */
static volatile sig_atomic_t disk_is_broken;

int fdatasync(int fd)
{
    if (disk_is_broken) {
        errno = EIO;
        return -1;
    }
    return fsync(fd);
}

static void open_db(struct state *s, const char *const *with)
{
    if (sql_open(s->path, with, &s->sql, &s->err) != STATUS_OK)
        fail_msg("%s", s->err.text);
}

static int set_up(void **state)
{
    struct state *s = calloc(1, sizeof *s);
    const char *tmp = getenv("TMPDIR");

    assert_non_null(s);
    snprintf(s->dir, sizeof s->dir, "%.40s/sgsql.XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->path, sizeof s->path, "%s/db", s->dir);
    open_db(s, steps);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct state *s = *state;
    const char *const suffixes[] = {"", "-wal", "-shm"};

    disk_is_broken = 0;
    sql_close(s->sql);
    for (size_t i = 0; i < 3; i++) {
        char path[100];
        snprintf(path, sizeof path, "%s%s", s->path, suffixes[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(s->dir), 0);
    free(s);
    return 0;
}

static void must(struct state *s, enum status st)
{
    if (st != STATUS_OK)
        fail_msg("%s", s->err.text);
}

static enum status run(struct state *s, const char *text)
{
    struct sql_stmt *stmt;
    enum status st = sql_prepare(s->sql, text, &stmt, &s->err);

    return st == STATUS_OK ? sql_run(stmt, &s->err) : st;
}

/* First number of the first row. */
static int64_t ask(struct state *s, const char *text)
{
    struct sql_stmt *stmt;
    bool row;

    must(s, sql_prepare(s->sql, text, &stmt, &s->err));
    must(s, sql_step(stmt, &row, &s->err));
    assert_true(row);
    int64_t value = sql_col_int(stmt, 0);
    sql_reset(stmt);
    return value;
}

static int64_t parents(struct state *s)
{
    return ask(s, "SELECT count(*) FROM parent");
}

static enum status insert(struct state *s, const char *name)
{
    struct sql_stmt *stmt;

    must(s, sql_prepare(s->sql, "INSERT INTO parent (name) VALUES (?1)", &stmt, &s->err));
    sql_bind_str(stmt, 1, name);
    return sql_run(stmt, &s->err);
}

static enum status insert_child(struct state *s, int64_t parent, struct span body)
{
    struct sql_stmt *stmt;

    must(s, sql_prepare(s->sql, "INSERT INTO child VALUES (?1, ?2)", &stmt, &s->err));
    sql_bind_int(stmt, 1, parent);
    sql_bind_blob(stmt, 2, body);
    return sql_run(stmt, &s->err);
}

/* ---- opening ---- */

static void new_files_are_private(void **state)
{
    struct state *s = *state;
    const char *const suffixes[] = {"", "-wal", "-shm"};

    must(s, insert(s, "a"));
    for (size_t i = 0; i < 3; i++) {
        char path[100];
        struct stat st;
        snprintf(path, sizeof path, "%s%s", s->path, suffixes[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

static void settings_are_durable(void **state)
{
    struct state *s = *state;

    assert_int_equal(ask(s, "PRAGMA synchronous"), 2);
    assert_int_equal(ask(s, "PRAGMA foreign_keys"), 1);
    assert_int_equal(ask(s, "PRAGMA journal_mode = 'wal'"), 0); /* "wal" as a number */
    assert_int_equal(ask(s, "PRAGMA temp_store"), 2);
}

static void a_file_open_to_others_is_denied_A26(void **state)
{
    struct state *s = *state;
    const mode_t modes[] = {0640, 0604, 0620, 0602, 0644, 0666};

    sql_close(s->sql);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(s->path, modes[i]), 0);
        assert_int_equal(sql_open(s->path, steps, &s->sql, &s->err), STATUS_DENIED);
        assert_null(s->sql);
        assert_non_null(strstr(s->err.text, "chmod 600"));
    }
    assert_int_equal(chmod(s->path, 0600), 0);
    open_db(s, steps);
}

static void a_link_or_folder_is_denied(void **state)
{
    struct state *s = *state;
    struct sql *other;
    char link[100];

    snprintf(link, sizeof link, "%s/link", s->dir);
    assert_int_equal(symlink(s->path, link), 0);
    assert_int_equal(sql_open(link, steps, &other, &s->err), STATUS_DENIED);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(sql_open(s->dir, steps, &other, &s->err), STATUS_DENIED);
}

static void a_missing_folder_is_told(void **state)
{
    struct state *s = *state;
    struct sql *other;

    assert_int_equal(sql_open("/nonexistent/folder/db", steps, &other, &s->err), STATUS_TEMPORARY);
    assert_non_null(strstr(s->err.text, "/nonexistent/folder/db"));
}

static void schema_grows_and_keeps_its_rows(void **state)
{
    struct state *s = *state;

    must(s, insert(s, "a"));
    sql_close(s->sql);
    open_db(s, newer_steps);
    assert_int_equal(ask(s, "PRAGMA user_version"), 3);
    assert_int_equal(ask(s, "SELECT x FROM third"), 3);
    assert_int_equal(parents(s), 1);
    sql_close(s->sql);
    open_db(s, newer_steps);
    assert_int_equal(ask(s, "SELECT count(*) FROM third"), 1);
}

static void a_newer_schema_is_refused(void **state)
{
    struct state *s = *state;

    sql_close(s->sql);
    open_db(s, newer_steps);
    sql_close(s->sql);
    assert_int_equal(sql_open(s->path, steps, &s->sql, &s->err), STATUS_INVALID);
    assert_non_null(strstr(s->err.text, "schema version 3"));
    assert_null(s->sql);
}

static void a_failed_step_leaves_the_old_version(void **state)
{
    struct state *s = *state;
    const char *const wrong[] = {steps[0], "CREATE TABLE half (x INTEGER); CREATE TABLE parent (x INTEGER)",
                                 NULL};

    sql_close(s->sql);
    assert_int_equal(sql_open(s->path, wrong, &s->sql, &s->err), STATUS_INTERNAL);
    assert_non_null(strstr(s->err.text, "step to schema version 2"));
    open_db(s, steps);
    assert_int_equal(ask(s, "PRAGMA user_version"), 1);
    assert_int_equal(ask(s, "SELECT count(*) FROM sqlite_master WHERE name = 'half'"), 0);
}

static void a_foreign_database_is_refused(void **state)
{
    struct state *s = *state;

    must(s, run(s, "PRAGMA user_version = 0"));
    sql_close(s->sql);
    assert_int_equal(sql_open(s->path, steps, &s->sql, &s->err), STATUS_INVALID);
    assert_non_null(strstr(s->err.text, "not made by this program"));
}

static void damage(const char *path, off_t at, const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, at), len);
    assert_int_equal(close(fd), 0);
}

static void a_damaged_header_is_told(void **state)
{
    struct state *s = *state;

    sql_close(s->sql);
    damage(s->path, 0, "not a database at all", 21);
    assert_int_equal(sql_open(s->path, steps, &s->sql, &s->err), STATUS_INTERNAL);
    assert_non_null(strstr(s->err.text, "damaged"));
}

static void a_truncated_file_is_told(void **state)
{
    struct state *s = *state;

    sql_close(s->sql);
    assert_int_equal(truncate(s->path, 4096), 0);
    assert_int_equal(sql_open(s->path, steps, &s->sql, &s->err), STATUS_INTERNAL);
    assert_non_null(strstr(s->err.text, "damaged"));
}

static void a_damaged_page_is_an_error_not_an_empty_result(void **state)
{
    struct state *s = *state;
    struct sql_stmt *stmt;
    char junk[4096];
    bool row = true;

    must(s, insert(s, "a"));
    sql_close(s->sql);
    memset(junk, 0xff, sizeof junk);
    damage(s->path, 4096, junk, sizeof junk); /* the table's page */
    open_db(s, steps);
    must(s, sql_prepare(s->sql, "SELECT name FROM parent NOT INDEXED", &stmt, &s->err));
    assert_int_equal(sql_step(stmt, &row, &s->err), STATUS_INTERNAL);
    assert_false(row);
    assert_non_null(strstr(s->err.text, "damaged"));
}

/* ---- statements ---- */

static void values_come_back_as_bound(void **state)
{
    struct state *s = *state;
    struct sql_stmt *stmt;
    bool row;

    must(s, run(s, "CREATE TABLE v (a, b, c, d, e, f)"));
    must(s, sql_prepare(s->sql, "INSERT INTO v VALUES (?1, ?2, ?3, ?4, ?5, ?6)", &stmt, &s->err));
    sql_bind_int(stmt, 1, INT64_MIN);
    sql_bind_str(stmt, 2, NULL);
    sql_bind_span(stmt, 3, span_of("spanning", 4));
    sql_bind_blob(stmt, 4, span_of("\0x\0", 3));
    sql_bind_blob(stmt, 5, span_of(NULL, 0));
    sql_bind_null(stmt, 6);
    must(s, sql_run(stmt, &s->err));
    assert_int_equal(sql_changes(s->sql), 1);

    must(s, sql_prepare(s->sql, "SELECT a, b, c, d, e, e IS NULL, f IS NULL FROM v", &stmt, &s->err));
    must(s, sql_step(stmt, &row, &s->err));
    assert_true(row);
    assert_true(sql_col_int(stmt, 0) == INT64_MIN);
    assert_null(sql_col_str(stmt, 1));
    assert_string_equal(sql_col_str(stmt, 2), "span");
    assert_true(span_eq(sql_col_blob(stmt, 3), span_of("\0x\0", 3)));
    assert_int_equal(sql_col_blob(stmt, 4).len, 0);
    assert_int_equal(sql_col_int(stmt, 5), 0); /* empty is not NULL */
    assert_int_equal(sql_col_int(stmt, 6), 1);
    must(s, sql_step(stmt, &row, &s->err));
    assert_false(row);
}

static void values_are_never_sql(void **state)
{
    struct state *s = *state;
    const char *const names[] = {"'; DROP TABLE parent; --", "%", "_", "*", "\" OR 1=1 --"};

    for (size_t i = 0; i < 5; i++)
        must(s, insert(s, names[i]));
    assert_int_equal(parents(s), 5);
}

static void a_statement_is_prepared_once_and_comes_back_unbound(void **state)
{
    struct state *s = *state;
    struct sql_stmt *first, *second;
    char copy[] = "SELECT ?1 IS NULL";
    bool row;

    must(s, sql_prepare(s->sql, "SELECT ?1 IS NULL", &first, &s->err));
    sql_bind_int(first, 1, 7);
    must(s, sql_step(first, &row, &s->err));
    assert_int_equal(sql_col_int(first, 0), 0);
    must(s, sql_prepare(s->sql, copy, &second, &s->err));
    assert_ptr_equal(first, second);
    must(s, sql_step(second, &row, &s->err));
    assert_int_equal(sql_col_int(second, 0), 1);
    sql_reset(second);
}

static void wrong_use_is_internal(void **state)
{
    struct state *s = *state;
    struct sql_stmt *stmt;

    assert_int_equal(run(s, "SELECT nonsense"), STATUS_INTERNAL);
    assert_int_equal(run(s, "SELECT \"nonsense\""), STATUS_INTERNAL);
    assert_int_equal(run(s, "SELECT 1; SELECT 2"), STATUS_INTERNAL);
    assert_int_equal(run(s, ""), STATUS_INTERNAL);
    assert_int_equal(run(s, "SELECT 1"), STATUS_INTERNAL); /* gives a row */
    must(s, sql_prepare(s->sql, "INSERT INTO parent (name) VALUES (?1)", &stmt, &s->err));
    sql_bind_str(stmt, 2, "no such placeholder");
    sql_bind_str(stmt, 1, "x");
    assert_int_equal(sql_run(stmt, &s->err), STATUS_INTERNAL);
    assert_int_equal(parents(s), 0);
    must(s, insert(s, "usable again"));
}

static void constraints_hold(void **state)
{
    struct state *s = *state;

    must(s, insert(s, "a"));
    assert_int_equal(insert(s, "a"), STATUS_INTERNAL);
    assert_int_equal(insert_child(s, 4711, span_str("x")), STATUS_INTERNAL); /* foreign key */
    must(s, insert(s, "b"));
    must(s, insert_child(s, sql_inserted(s->sql), span_str("x")));
    assert_int_equal(parents(s), 2);
}

static void a_large_blob_is_stored_whole(void **state)
{
    struct state *s = *state;
    struct sql_stmt *stmt;
    size_t len = (size_t)70 << 20; /* 50 MB, armored */
    char *bytes = malloc(len);
    bool row;

    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 31 + i / 4096);
    must(s, insert(s, "a"));
    must(s, sql_begin(s->sql, &s->err));
    must(s, insert_child(s, 1, span_of(bytes, len)));
    must(s, sql_commit(s->sql, &s->err));
    must(s, sql_prepare(s->sql, "SELECT body FROM child", &stmt, &s->err));
    must(s, sql_step(stmt, &row, &s->err));
    assert_true(span_eq(sql_col_blob(stmt, 0), span_of(bytes, len)));
    sql_reset(stmt);
    free(bytes);
}

static void a_value_over_the_limit_is_refused(void **state)
{
    struct state *s = *state;
    struct sql_stmt *stmt;

    /* Never read: the length alone is refused. */
    must(s, sql_prepare(s->sql, "INSERT INTO child VALUES (1, ?1)", &stmt, &s->err));
    sql_bind_blob(stmt, 1, span_of("x", ((size_t)256 << 20) + 1));
    assert_int_equal(sql_run(stmt, &s->err), STATUS_LIMIT);
}

/* ---- transactions ---- */

static void rollback_undoes_and_commit_keeps(void **state)
{
    struct state *s = *state;

    must(s, sql_begin(s->sql, &s->err));
    assert_int_equal(sql_begin(s->sql, &s->err), STATUS_INTERNAL);
    must(s, insert(s, "a"));
    sql_rollback(s->sql);
    assert_int_equal(parents(s), 0);
    must(s, sql_begin(s->sql, &s->err));
    must(s, insert(s, "b"));
    must(s, sql_commit(s->sql, &s->err));
    sql_rollback(s->sql); /* harmless */
    assert_int_equal(parents(s), 1);
    assert_int_equal(sql_commit(s->sql, &s->err), STATUS_INTERNAL);
    assert_int_equal(sql_savepoint(s->sql, &s->err), STATUS_INTERNAL);
}

static void one_of_several_grouped_pieces_is_undone(void **state)
{
    struct state *s = *state;
    const char *const names[] = {"a", "b", "a", "c"}; /* the third fails */

    must(s, sql_begin(s->sql, &s->err));
    for (size_t i = 0; i < 4; i++) {
        char twin[8];
        must(s, sql_savepoint(s->sql, &s->err));
        snprintf(twin, sizeof twin, "%zu", i);
        must(s, insert(s, twin));
        if (insert(s, names[i]) == STATUS_OK)
            must(s, sql_release(s->sql, &s->err));
        else
            must(s, sql_undo(s->sql, &s->err));
    }
    must(s, sql_commit(s->sql, &s->err));
    assert_int_equal(parents(s), 6);
    assert_int_equal(ask(s, "SELECT count(*) FROM parent WHERE name = '2'"), 0);
}

static void reading_sees_one_state(void **state)
{
    struct state *s = *state;
    struct sql *mine = s->sql, *other;

    must(s, sql_open(s->path, steps, &other, &s->err));
    must(s, sql_begin_reading(mine, &s->err));
    assert_int_equal(sql_begin(mine, &s->err), STATUS_INTERNAL);
    assert_int_equal(parents(s), 0);
    s->sql = other;
    must(s, insert(s, "a"));
    s->sql = mine;
    assert_int_equal(parents(s), 0);
    assert_int_equal(insert(s, "b"), STATUS_TEMPORARY); /* it would be built on what is not so any more */
    sql_rollback(mine);
    assert_int_equal(parents(s), 1);
    must(s, sql_begin_reading(mine, &s->err));
    must(s, insert(s, "b"));
    must(s, sql_commit(mine, &s->err));
    assert_int_equal(parents(s), 2);
    sql_close(other);
}

/* ---- errors of the disk ---- */

static void a_full_disk_is_temporary_and_passes(void **state)
{
    struct state *s = *state;
    char *bytes = calloc(1, 1 << 20);

    assert_non_null(bytes);
    must(s, insert(s, "a"));
    assert_true(ask(s, "PRAGMA max_page_count = 20") == 20);
    must(s, sql_begin(s->sql, &s->err));
    must(s, sql_savepoint(s->sql, &s->err));
    must(s, insert(s, "lost with the transaction"));
    must(s, sql_release(s->sql, &s->err));
    must(s, sql_savepoint(s->sql, &s->err));
    assert_int_equal(insert_child(s, 1, span_of(bytes, 1 << 20)), STATUS_TEMPORARY);
    assert_non_null(strstr(s->err.text, "full"));
    sql_rollback(s->sql);
    assert_int_equal(parents(s), 1);

    must(s, sql_begin(s->sql, &s->err));
    must(s, insert(s, "small"));
    must(s, sql_commit(s->sql, &s->err));
    assert_int_equal(parents(s), 2);
    free(bytes);
}

/* SQLite ends the transaction itself; work after that must not be committed without the work before it. */
static void nothing_runs_in_a_transaction_that_sqlite_ended(void **state)
{
    struct state *s = *state;
    struct sql_stmt *stmt;
    bool row;

    must(s, sql_begin(s->sql, &s->err));
    must(s, insert(s, "before"));
    must(s, run(s, "ROLLBACK")); /* as a full disk does */
    assert_int_equal(sql_savepoint(s->sql, &s->err), STATUS_TEMPORARY);
    assert_int_equal(sql_undo(s->sql, &s->err), STATUS_TEMPORARY);
    assert_int_equal(insert(s, "behind"), STATUS_TEMPORARY);
    must(s, sql_prepare(s->sql, "SELECT 1", &stmt, &s->err));
    assert_int_equal(sql_step(stmt, &row, &s->err), STATUS_TEMPORARY);
    assert_int_equal(sql_commit(s->sql, &s->err), STATUS_TEMPORARY);
    sql_rollback(s->sql);
    assert_int_equal(parents(s), 0);
    must(s, insert(s, "works again"));
}

static void a_failed_fsync_fails_the_commit(void **state)
{
    struct state *s = *state;

    must(s, insert(s, "a"));
    must(s, sql_begin(s->sql, &s->err));
    must(s, insert(s, "b"));
    disk_is_broken = 1;
    assert_int_equal(sql_commit(s->sql, &s->err), STATUS_TEMPORARY);
    assert_non_null(strstr(s->err.text, "disk I/O error"));
    disk_is_broken = 0;
    sql_rollback(s->sql);
    assert_int_equal(parents(s), 1);

    must(s, sql_begin(s->sql, &s->err));
    must(s, insert(s, "c"));
    must(s, sql_commit(s->sql, &s->err));
    sql_close(s->sql);
    open_db(s, steps);
    assert_int_equal(parents(s), 2);
    assert_int_equal(ask(s, "SELECT count(*) FROM parent WHERE name = 'b'"), 0);
}

static void a_failed_write_is_temporary_and_passes(void **state)
{
    struct state *s = *state;
    struct rlimit old, tight = {.rlim_cur = 1 << 17};
    char *bytes = calloc(1, 1 << 20);

    assert_non_null(bytes);
    signal(SIGXFSZ, SIG_IGN);
    must(s, insert(s, "a"));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    tight.rlim_max = old.rlim_max;
    must(s, sql_begin(s->sql, &s->err));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    enum status st = insert_child(s, 1, span_of(bytes, 1 << 20));
    if (st == STATUS_OK)
        st = sql_commit(s->sql, &s->err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(st, STATUS_TEMPORARY);
    sql_rollback(s->sql);

    must(s, sql_begin(s->sql, &s->err));
    must(s, insert_child(s, 1, span_of(bytes, 1 << 20)));
    must(s, sql_commit(s->sql, &s->err));
    assert_int_equal(ask(s, "SELECT count(*) FROM child"), 1);
    free(bytes);
}

static void somebody_elses_lock_is_temporary(void **state)
{
    struct state *s = *state;
    struct sql *other;

    must(s, sql_open(s->path, steps, &other, &s->err));
    must(s, sql_begin(other, &s->err));
    assert_int_equal(sql_begin(s->sql, &s->err), STATUS_TEMPORARY);
    assert_non_null(strstr(s->err.text, "locked"));
    assert_int_equal(insert(s, "a"), STATUS_TEMPORARY);
    sql_rollback(other);
    sql_close(other);
    must(s, insert(s, "a"));
}

/* What was committed is there after kill -9, what was not is gone. */
static void commits_survive_a_kill_R1(void **state)
{
    struct state *s = *state;

    sql_close(s->sql);
    s->sql = NULL;
    pid_t child = fork();
    if (child == 0) {
        open_db(s, steps);
        must(s, sql_begin(s->sql, &s->err));
        must(s, insert(s, "committed"));
        must(s, sql_commit(s->sql, &s->err));
        must(s, sql_begin(s->sql, &s->err));
        must(s, insert(s, "open"));
        raise(SIGKILL);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    open_db(s, steps);
    assert_int_equal(parents(s), 1);
    assert_int_equal(ask(s, "SELECT count(*) FROM parent WHERE name = 'committed'"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_files_are_private),
        TEST(settings_are_durable),
        TEST(a_file_open_to_others_is_denied_A26),
        TEST(a_link_or_folder_is_denied),
        TEST(a_missing_folder_is_told),
        TEST(schema_grows_and_keeps_its_rows),
        TEST(a_newer_schema_is_refused),
        TEST(a_failed_step_leaves_the_old_version),
        TEST(a_foreign_database_is_refused),
        TEST(a_damaged_header_is_told),
        TEST(a_truncated_file_is_told),
        TEST(a_damaged_page_is_an_error_not_an_empty_result),
        TEST(values_come_back_as_bound),
        TEST(values_are_never_sql),
        TEST(a_statement_is_prepared_once_and_comes_back_unbound),
        TEST(wrong_use_is_internal),
        TEST(constraints_hold),
        TEST(a_large_blob_is_stored_whole),
        TEST(a_value_over_the_limit_is_refused),
        TEST(rollback_undoes_and_commit_keeps),
        TEST(one_of_several_grouped_pieces_is_undone),
        TEST(reading_sees_one_state),
        TEST(a_full_disk_is_temporary_and_passes),
        TEST(nothing_runs_in_a_transaction_that_sqlite_ended),
        TEST(a_failed_fsync_fails_the_commit),
        TEST(a_failed_write_is_temporary_and_passes),
        TEST(somebody_elses_lock_is_temporary),
        TEST(commits_survive_a_kill_R1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
