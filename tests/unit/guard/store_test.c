/* Restart, kill -9, a damaged database, a disk that fails. */
#include "tests/unit/guard/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* While set, nothing reaches the disk: stands before the C library's function, also for SQLite. */
static volatile sig_atomic_t disk_is_broken, disk_was_tried;

int fdatasync(int fd)
{
    disk_was_tried = disk_was_tried + 1;
    if (disk_is_broken) {
        errno = EIO;
        return -1;
    }
    return fsync(fd);
}

static void test_a20_a_block_survives_kill_9(void **state)
{
    struct state *s = *state;
    guard_close(s->guard);
    pid_t child = fork();
    if (child == 0) {
        if (guard_open(&s->settings, s->now, &s->guard, &s->err) == STATUS_OK)
            fail_login(s, "192.0.2.1", "alice", 5);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    open_guard(s);
    assert_false(may_login(s, "192.0.2.1", "alice"));
    assert_int_equal(find(s, "address", "192.0.2.1").found.count, 5);
}

static void test_counts_survive_once_they_are_ticked(void **state)
{
    struct state *s = *state;
    fail_login(s, "192.0.2.1", "alice", 4);
    guard_login_succeeded(s->guard, "192.0.2.7", "alice", s->now);
    guard_tried_in_clear(s->guard, "192.0.2.9", "MAIL", "printer.example", s->now);
    guard_tick(s->guard, s->now);
    fail_login(s, "192.0.2.1", "alice", 1);
    restart(s);
    struct search row = find(s, "address", "192.0.2.1");
    assert_int_equal(row.found.count, 5); /* blocked: written at once */
    assert_int_equal(row.found.blocked_until_ms, s->now + 30 * MINUTE);
    assert_int_equal(find(s, "user", "alice").found.count, 4); /* its fifth was not on disk yet */
    assert_string_equal(find(s, "known", "alice").found.detail, "192.0.2.7");
    row = find(s, "clear", "192.0.2.9");
    assert_string_equal(row.found.detail, "MAIL printer.example");
    assert_int_equal(row.found.count, 1);
    assert_int_equal(row.found.last_ms, s->now);
}

static void test_what_is_over_is_gone_from_the_disk_too(void **state)
{
    struct state *s = *state;
    fail_login(s, "192.0.2.1", "alice", 5);
    guard_tick(s->guard, s->now);
    s->now += HOUR + 5 * MINUTE;
    guard_tick(s->guard, s->now);
    s->now = T0;
    restart(s);
    assert_int_equal(find(s, NULL, NULL).n, 0);
}

static void write_file(const char *path, const char *bytes, size_t len, off_t offset)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, offset), len);
    close(fd);
}

static void assert_moved_aside(struct state *s)
{
    char aside[120];
    snprintf(aside, sizeof aside, "%s.damaged", s->path);
    assert_int_equal(access(aside, F_OK), 0);
    assert_int_equal(logged(s, "guard-moved-aside"), 1);
    assert_true(may_login(s, "192.0.2.9", "bob"));
    fail_login(s, "192.0.2.5", "bob", 5);
    restart(s);
    assert_false(may_login(s, "192.0.2.5", "bob"));
    assert_int_equal(logged(s, "guard-moved-aside"), 1);
}

static void test_a_file_that_is_no_database(void **state)
{
    struct state *s = *state;
    guard_close(s->guard);
    write_file(s->path, "this is not a database, and long enough to be looked at: 0123456789", 67, 0);
    open_guard(s);
    assert_moved_aside(s);
}

static void test_a_damaged_page(void **state)
{
    struct state *s = *state;
    static const char junk[3000] = {[0 ... 2999] = '\x55'};
    for (int i = 0; i < 200; i++) {
        char user[20];
        snprintf(user, sizeof user, "user%d", i);
        guard_login_succeeded(s->guard, "192.0.2.1", user, s->now);
    }
    guard_tick(s->guard, s->now);
    guard_close(s->guard); /* the write-ahead log goes into the file */
    for (off_t page = 1; page < 8; page++)
        write_file(s->path, junk, sizeof junk, page * 4096);
    open_guard(s);
    assert_moved_aside(s);
}

static void test_a_newer_program_s_database(void **state)
{
    struct state *s = *state;
    guard_close(s->guard);
    /* The schema version stands at byte 60 of the file header. */
    write_file(s->path, "\0\0\0\x63", 4, 60);
    open_guard(s);
    assert_moved_aside(s);
}

static void test_a_database_of_others_is_refused(void **state)
{
    struct state *s = *state;
    guard_close(s->guard);
    assert_int_equal(chmod(s->path, 0644), 0);
    assert_int_equal(guard_open(&s->settings, s->now, &s->guard, &s->err), STATUS_DENIED);
    assert_null(s->guard);
}

static void test_the_disk_fails_and_logins_go_on(void **state)
{
    struct state *s = *state;
    disk_is_broken = 1;
    fail_login(s, "192.0.2.1", "alice", 5);
    guard_tick(s->guard, s->now);
    assert_false(may_login(s, "192.0.2.1", "alice"));
    assert_true(may_login(s, "192.0.2.2", "alice"));
    guard_tick(s->guard, s->now);
    assert_int_equal(logged(s, "guard-not-stored"), 1);
    disk_is_broken = 0;
    guard_tick(s->guard, s->now);
    assert_int_equal(logged(s, "guard-stored-again"), 1);
    restart(s);
    assert_false(may_login(s, "192.0.2.1", "alice"));
    assert_int_equal(find(s, "user", "alice").found.count, 5);
}

/* It could not be opened at the start: what was in it counts once it can. */
/* Who guesses does not decide how often the loop waits for it. */
static void test_a20_a_failing_disk_is_tried_by_the_tick_alone(void **state)
{
    struct state *s = *state;
    disk_is_broken = 1;
    fail_login(s, "192.0.2.1", "alice", 5);
    int tried = disk_was_tried;
    assert_true(tried > 0);
    fail_login(s, "198.51.100.1", "bob", 5);
    assert_int_equal(disk_was_tried, tried);
    assert_false(may_login(s, "198.51.100.1", "bob"));
    disk_is_broken = 0;
    guard_tick(s->guard, s->now);
    restart(s);
    assert_false(may_login(s, "192.0.2.1", "alice"));
    assert_false(may_login(s, "198.51.100.1", "bob"));
}

static void test_opened_later(void **state)
{
    struct state *s = *state;
    fail_login(s, "192.0.2.1", "alice", 5);
    guard_tick(s->guard, s->now);
    guard_close(s->guard);
    s->settings.path = "/proc/no/such/folder";
    open_guard(s);
    assert_int_equal(logged(s, "guard-not-stored"), 1);
    fail_login(s, "192.0.2.2", "alice", 5);
    assert_true(may_login(s, "192.0.2.1", "bob"));
    s->settings.path = s->path;
    guard_tick(s->guard, s->now);
    assert_false(may_login(s, "192.0.2.1", "bob"));
    assert_false(may_login(s, "192.0.2.2", "bob"));
    restart(s);
    assert_false(may_login(s, "192.0.2.1", "bob"));
    assert_false(may_login(s, "192.0.2.2", "bob"));
    assert_int_equal(find(s, "user", "alice").found.count, 5); /* memory leads */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a20_a_block_survives_kill_9, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counts_survive_once_they_are_ticked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_over_is_gone_from_the_disk_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_no_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_damaged_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_newer_program_s_database, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_database_of_others_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_disk_fails_and_logins_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a20_a_failing_disk_is_tried_by_the_tick_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_opened_later, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
