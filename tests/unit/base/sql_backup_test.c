/* A copy of a database: whole and on disk before it has its name, and what is no good never has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sql.h"
#include "base/sql_backup.h"

static const char *const schema[] = {"CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);", NULL};

#define ROWS 20000

static char folder[32], path[64], copy_path[64], new_path[72];

static void fill(struct sql *sql)
{
    struct sql_stmt *stmt;
    struct error err;
    assert_int_equal(sql_begin(sql, &err), STATUS_OK);
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(sql_prepare(sql, "INSERT INTO t (b) VALUES (?1)", &stmt, &err), STATUS_OK);
        sql_bind_str(stmt, 1,
                     "what is kept, some hundred bytes of it, so that there are many pages to look through");
        assert_int_equal(sql_run(stmt, &err), STATUS_OK);
    }
    assert_int_equal(sql_commit(sql, &err), STATUS_OK);
}

static int64_t count(const char *of)
{
    struct sql *sql;
    struct sql_stmt *stmt;
    struct error err;
    bool row;
    assert_int_equal(sql_open(of, schema, &sql, &err), STATUS_OK);
    assert_int_equal(sql_prepare(sql, "SELECT COUNT(*) FROM t", &stmt, &err), STATUS_OK);
    assert_int_equal(sql_step(stmt, &row, &err), STATUS_OK);
    int64_t n = sql_col_int(stmt, 0);
    sql_reset(stmt);
    sql_close(sql);
    return n;
}

static int setup(void **state)
{
    struct sql *sql;
    struct error err;
    (void)state;
    strcpy(folder, "/tmp/sgbackupXXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.db", folder);
    snprintf(copy_path, sizeof copy_path, "%s/copy.db", folder);
    snprintf(new_path, sizeof new_path, "%s.new", copy_path);
    assert_int_equal(sql_open(path, schema, &sql, &err), STATUS_OK);
    fill(sql);
    sql_close(sql);
    return 0;
}

static int teardown(void **state)
{
    char command[100];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

/* To where it is looked through. */
static struct sql_backup *copied(struct sql *sql, int *over_fd)
{
    struct sql_backup *backup;
    struct error err;
    bool done = false;
    int64_t pages = 0;
    int turns = 0;
    assert_int_equal(sql_backup_start(sql, copy_path, &backup, &err), STATUS_OK);
    for (; !done; turns++)
        assert_int_equal(sql_backup_step(backup, 50, &done, &pages, &err), STATUS_OK);
    assert_true(turns > 5 && pages > 250);
    assert_int_equal(sql_backup_check(backup, over_fd, &err), STATUS_OK);
    return backup;
}

static enum status finished(struct sql_backup *backup, int over_fd, struct error *err)
{
    struct pollfd over = {.fd = over_fd, .events = POLLIN};
    assert_int_equal(poll(&over, 1, 20000), 1);
    return sql_backup_finish(backup, err);
}

static void a_good_one_has_its_name_when_it_is_over(void **state)
{
    struct sql *sql;
    struct error err;
    struct stat st;
    int over;
    (void)state;
    assert_int_equal(sql_open(path, schema, &sql, &err), STATUS_OK);
    struct sql_backup *backup = copied(sql, &over);
    assert_int_equal(access(copy_path, F_OK), -1);
    assert_int_equal(finished(backup, over, &err), STATUS_OK);
    sql_backup_free(backup);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
    assert_int_equal(stat(copy_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(access(new_path, F_OK), -1);
    sql_close(sql);
    assert_int_equal(count(copy_path), ROWS);
}

static void a_damaged_one_never_has_it(void **state)
{
    struct sql *sql;
    struct error err;
    int over;
    (void)state;
    int fd = open(path, O_RDWR);
    char garbage[4096];
    memset(garbage, 0xa5, sizeof garbage);
    assert_int_equal(pwrite(fd, garbage, sizeof garbage, 40 * 4096), sizeof garbage);
    close(fd);
    assert_int_equal(sql_open(path, schema, &sql, &err), STATUS_OK);
    struct sql_backup *backup = copied(sql, &over);
    assert_int_equal(finished(backup, over, &err), STATUS_INTERNAL);
    assert_non_null(strstr(err.text, "damaged"));
    sql_backup_free(backup);
    assert_int_equal(access(copy_path, F_OK), -1);
    assert_int_equal(access(new_path, F_OK), -1);
    sql_close(sql);
}

static void one_that_is_given_up_leaves_nothing(void **state)
{
    struct sql *sql;
    struct error err;
    int over;
    (void)state;
    assert_int_equal(sql_open(path, schema, &sql, &err), STATUS_OK);
    sql_backup_free(copied(sql, &over));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(access(copy_path, F_OK), -1);
    assert_int_equal(access(new_path, F_OK), -1);
    sql_close(sql);
    assert_int_equal(count(path), ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_one_has_its_name_when_it_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_one_never_has_it, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_is_given_up_leaves_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
