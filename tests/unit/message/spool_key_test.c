#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/message/spool.h"

static char folder[64];
static char path[96];

static int make_folder(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/sg-XXXXXX", base && strlen(base) <= 40 ? base : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/spool.key", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    chmod(folder, 0700);
    if (unlink(path) < 0)
        rmdir(path);
    return rmdir(folder); /* fails when something was left behind */
}

static void write_file(size_t len, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    char bytes[64] = "abcdefghijklmnopqrstuvwxyz0123456789";
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void assert_load(enum status expected)
{
    struct spool_key key;
    struct error err = {0};
    memset(&key, 0x55, sizeof key);
    assert_int_equal(spool_key_load(path, &key, &err), expected);
    assert_int_equal(err.status, expected);
    if (expected != STATUS_OK)
        assert_non_null(strstr(err.text, path));
}

static void makes_a_key_once(void **state)
{
    (void)state;
    struct spool_key one, two;
    assert_int_equal(spool_key_ensure(path, NULL), STATUS_OK);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, SPOOL_KEY_BYTES);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(spool_key_load(path, &one, NULL), STATUS_OK);
    assert_int_equal(spool_key_ensure(path, NULL), STATUS_OK);
    assert_int_equal(spool_key_load(path, &two, NULL), STATUS_OK);
    assert_memory_equal(&one, &two, sizeof one);
    static const struct spool_key zero;
    assert_memory_not_equal(&one, &zero, sizeof one);
}

static void two_keys_differ(void **state)
{
    (void)state;
    struct spool_key one, two;
    assert_int_equal(spool_key_ensure(path, NULL), STATUS_OK);
    assert_int_equal(spool_key_load(path, &one, NULL), STATUS_OK);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(spool_key_ensure(path, NULL), STATUS_OK);
    assert_int_equal(spool_key_load(path, &two, NULL), STATUS_OK);
    assert_memory_not_equal(&one, &two, sizeof one);
}

/* An existing one is left alone even when it is wrong: replacing it would lose what it locked. */
static void leaves_an_existing_file_alone(void **state)
{
    (void)state;
    write_file(31, 0600);
    assert_int_equal(spool_key_ensure(path, NULL), STATUS_OK);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 31);
}

static void A26_refuses_rights_for_others(void **state)
{
    (void)state;
    static const mode_t modes[] = {0640, 0604, 0644, 0660, 0601, 0610, 0602, 0620};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        write_file(32, modes[i]);
        assert_load(STATUS_DENIED);
        unlink(path);
    }
    write_file(32, 0400);
    struct spool_key key;
    assert_int_equal(spool_key_load(path, &key, NULL), STATUS_OK);
}

static void refuses_what_is_no_key(void **state)
{
    (void)state;
    assert_load(STATUS_NOT_FOUND);
    static const size_t sizes[] = {0, 1, 31, 33, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_file(sizes[i], 0600);
        assert_load(STATUS_INVALID);
        unlink(path);
    }
    assert_int_equal(mkdir(path, 0700), 0);
    assert_load(STATUS_INVALID);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_load(STATUS_INVALID);
}

static void says_when_it_cannot_make_one(void **state)
{
    (void)state;
    char nowhere[128];
    snprintf(nowhere, sizeof nowhere, "%s/missing/spool.key", folder);
    struct error err;
    enum status status = spool_key_ensure(nowhere, &err);
    assert_int_equal(status, STATUS_TEMPORARY);
    assert_non_null(strstr(err.text, nowhere));
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(makes_a_key_once),
        ONE(two_keys_differ),
        ONE(leaves_an_existing_file_alone),
        ONE(A26_refuses_rights_for_others),
        ONE(refuses_what_is_no_key),
        ONE(says_when_it_cannot_make_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
