/* The state directory. */
#include "tests/unit/main/fixture.h"

#include <pwd.h>

#include "gateway/main/paths.h"

static const char *const folders[] = {"",          FOLDER_EMPTY, FOLDER_QUEUE,  FOLDER_KEYS,
                                      FOLDER_SEAL, FOLDER_AUTH,  FOLDER_SIGNING};
enum { FOLDERS = sizeof folders / sizeof folders[0] };

static enum status prepare(const char *dir, int *lock, struct error *err)
{
    char user[] = "nobody";
    struct conf conf = {.state_dir = (char *)(uintptr_t)dir, .user = user};
    *lock = -1;
    return state_prepare(&conf, lock, err);
}

static void expect_prepared(const char *dir)
{
    struct error err;
    int lock;
    if (prepare(dir, &lock, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    close(lock);
}

static void expect_refused(const char *dir, enum status status, const char *why)
{
    struct error err;
    int lock;
    assert_int_equal(prepare(dir, &lock, &err), status);
    if (!strstr(err.text, why))
        fail_msg("%s: not in: %s", why, err.text);
    if (lock >= 0)
        close(lock);
}

static void expect_private_folders(const char *dir)
{
    const struct passwd *pw = geteuid() == 0 ? getpwnam("nobody") : NULL;
    for (size_t i = 0; i < FOLDERS; i++) {
        char path[400];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_mode, S_IFDIR | 0700);
        assert_int_equal(st.st_uid, pw ? pw->pw_uid : geteuid());
    }
}

static void folders_belong_to_the_service_alone(void **state)
{
    struct path dir = path_of(*state, "state");
    mode_t old = umask(0);
    expect_prepared(dir.text);
    umask(old);
    expect_private_folders(dir.text);
}

static void rights_that_were_given_are_taken_back(void **state)
{
    struct path dir = path_of(*state, "state"), queue = path_of(*state, "state/" FOLDER_QUEUE);
    expect_prepared(dir.text);
    assert_int_equal(chmod(dir.text, 0755), 0);
    assert_int_equal(chmod(queue.text, 0777), 0);
    expect_prepared(dir.text);
    expect_private_folders(dir.text);
}

static void a_second_gateway_is_refused(void **state)
{
    struct path dir = path_of(*state, "state");
    struct error err;
    int lock;
    assert_int_equal(prepare(dir.text, &lock, &err), STATUS_OK);
    assert_true(fcntl(lock, F_GETFD) & FD_CLOEXEC);
    expect_refused(dir.text, STATUS_DENIED, "another sealgate");
    close(lock);
    expect_prepared(dir.text);
}

static void a_link_or_file_instead_of_a_folder_is_refused(void **state)
{
    const struct folder *f = *state;
    struct path dir = path_of(f, "state"), elsewhere = path_of(f, "elsewhere");
    struct stat before, after;
    assert_int_equal(mkdir(elsewhere.text, 0755), 0);
    assert_int_equal(stat(elsewhere.text, &before), 0);
    for (size_t i = 0; i < FOLDERS; i++) {
        char path[400];
        snprintf(path, sizeof path, "%s%s%s", dir.text, *folders[i] ? "/" : "", folders[i]);
        if (*folders[i])
            assert_int_equal(rmdir(path), 0);
        assert_int_equal(symlink(elsewhere.text, path), 0);
        expect_refused(dir.text, STATUS_INVALID, path);
        assert_int_equal(unlink(path), 0);
        int fd = open(path, O_CREAT | O_WRONLY, 0600);
        assert_true(fd >= 0);
        close(fd);
        expect_refused(dir.text, STATUS_INVALID, path);
        assert_int_equal(unlink(path), 0);
        expect_prepared(dir.text);
    }
    /* Neither its rights nor its owner changed through the links. */
    assert_int_equal(stat(elsewhere.text, &after), 0);
    assert_int_equal(after.st_mode, before.st_mode);
    assert_int_equal(after.st_uid, before.st_uid);
}

static size_t read_key(const char *path, char out[128])
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(out, 1, 128, file);
    fclose(file);
    return n;
}

static void the_spool_key_is_made_once(void **state)
{
    struct path dir = path_of(*state, "state"), key = path_of(*state, "state/" SPOOL_KEY_FILE);
    char first[128] = {0}, second[128] = {0};
    struct stat st;
    expect_prepared(dir.text);
    size_t n = read_key(key.text, first);
    assert_true(n >= 32);
    assert_int_equal(stat(key.text, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    expect_prepared(dir.text);
    assert_int_equal(read_key(key.text, second), n);
    assert_memory_equal(first, second, n);
}

/* A26 */
static void a26_a_spool_key_that_others_can_read_stops_the_start(void **state)
{
    struct path dir = path_of(*state, "state"), key = path_of(*state, "state/" SPOOL_KEY_FILE);
    expect_prepared(dir.text);
    assert_int_equal(chmod(key.text, 0644), 0);
    expect_refused(dir.text, STATUS_DENIED, key.text);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char dir[PATH_SIZE], out[PATH_SIZE];
    struct conf conf = {.state_dir = dir};
    struct error err;
    memset(dir, 'a', sizeof dir);
    dir[PATH_SIZE - 3] = '\0'; /* with "/x" it is PATH_SIZE - 1 bytes long */
    assert_int_equal(path_in_state(&conf, "x", out, &err), STATUS_OK);
    assert_int_equal(strlen(out), PATH_SIZE - 1);
    assert_int_equal(path_in_state(&conf, "xy", out, &err), STATUS_INVALID);
}

static void root_needs_an_existing_user_without_rights(void **state)
{
    static const char *const users[] = {"no-such-user-here", "root", NULL};
    struct path dir = path_of(*state, "state");
    if (geteuid() != 0) {
        print_message("needs root\n");
        skip();
    }
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        struct conf conf = {.state_dir = dir.text, .user = (char *)(uintptr_t)users[i]};
        struct error err;
        int lock;
        assert_int_equal(state_prepare(&conf, &lock, &err), STATUS_INVALID);
        assert_int_not_equal(access(dir.text, F_OK), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(folders_belong_to_the_service_alone, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(rights_that_were_given_are_taken_back, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_second_gateway_is_refused, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_link_or_file_instead_of_a_folder_is_refused, folder_make,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(the_spool_key_is_made_once, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a26_a_spool_key_that_others_can_read_stops_the_start, folder_make,
                                        folder_remove),
        cmocka_unit_test(a_path_that_is_too_long_is_refused),
        cmocka_unit_test_setup_teardown(root_needs_an_existing_user_without_rights, folder_make,
                                        folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
