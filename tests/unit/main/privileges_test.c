/* What a role may still do after it dropped its rights: looked at from inside a forked process. */
#include "tests/unit/main/fixture.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "gateway/main/privileges.h"

/* What the process saw of itself, in memory that both share. */
struct seen {
    enum status status;
    char text[ERROR_TEXT_MAX];
    char folder[300];
    int no_new_privs, dumpable, death_signal, n_groups;
    mode_t mask;
    struct rlimit core, memory;
    uid_t uid[3];
    gid_t gid[3];
    bool root_again, folder_is_root;
};

static void look(struct seen *seen, const struct privileges *p)
{
    struct stat here, root;
    seen->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    seen->dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_GET_PDEATHSIG, &seen->death_signal, 0, 0, 0);
    getrlimit(RLIMIT_CORE, &seen->core);
    getrlimit(RLIMIT_AS, &seen->memory);
    getresuid(&seen->uid[0], &seen->uid[1], &seen->uid[2]);
    getresgid(&seen->gid[0], &seen->gid[1], &seen->gid[2]);
    seen->n_groups = getgroups(0, NULL);
    seen->mask = umask(0);
    if (!getcwd(seen->folder, sizeof seen->folder))
        seen->folder[0] = '\0';
    seen->folder_is_root = stat(".", &here) == 0 && stat("/", &root) == 0 && here.st_ino == root.st_ino &&
                           here.st_dev == root.st_dev;
    seen->root_again = geteuid() != 0 && (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 ||
                                          (p->chroot && access("/etc/passwd", F_OK) == 0));
}

/* Drops in a child; *P's supervisor 0: this process. */
static struct seen drop(struct privileges p)
{
    struct seen *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    if (!p.supervisor)
        p.supervisor = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        struct error err = {0};
        shared->status = privileges_drop(&p, &err);
        memcpy(shared->text, err.text, sizeof err.text);
        look(shared, &p);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct seen seen = *shared;
    munmap(shared, sizeof *shared);
    return seen;
}

/* A folder that the service user can look into. */
static int open_folder(void **state)
{
    return folder_make(state) == 0 ? chmod(((struct folder *)*state)->dir, 0755) : -1;
}

static void needs_root(void)
{
    if (geteuid() == 0)
        return;
    print_message("needs root\n");
    skip();
}

static void nothing_can_be_gained_dumped_or_left_behind(void **state)
{
    const struct folder *f = *state;
    struct seen seen = drop((struct privileges){.user = "nobody", .folder = f->dir});
    if (seen.status != STATUS_OK)
        fail_msg("%s", seen.text);
    assert_int_equal(seen.no_new_privs, 1);
    assert_int_equal(seen.dumpable, 0);
    assert_int_equal(seen.core.rlim_cur, 0);
    assert_int_equal(seen.core.rlim_max, 0);
    assert_int_equal(seen.mask, 077);
    assert_int_equal(seen.death_signal, SIGKILL);
    assert_string_equal(seen.folder, f->dir);
    assert_true(seen.memory.rlim_max == RLIM_INFINITY);
}

static void memory_is_bounded(void **state)
{
    const struct folder *f = *state;
    struct seen seen =
        drop((struct privileges){.user = "nobody", .folder = f->dir, .memory_max = (int64_t)1 << 30});
    assert_int_equal(seen.status, STATUS_OK);
    assert_true(seen.memory.rlim_max != RLIM_INFINITY && seen.memory.rlim_max > 1u << 30);
    assert_true(seen.memory.rlim_cur == seen.memory.rlim_max);
}

static void root_becomes_the_service_user_for_good(void **state)
{
    const struct folder *f = *state;
    needs_root();
    const struct passwd *pw = getpwnam("nobody");
    struct seen seen = drop((struct privileges){.user = "nobody", .folder = f->dir});
    assert_int_equal(seen.status, STATUS_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen.uid[i], pw->pw_uid);
        assert_int_equal(seen.gid[i], pw->pw_gid);
    }
    assert_int_equal(seen.n_groups, 0);
    assert_false(seen.root_again);
    assert_false(seen.folder_is_root);
}

static void the_folder_becomes_the_root(void **state)
{
    const struct folder *f = *state;
    needs_root();
    struct seen seen = drop((struct privileges){.user = "nobody", .folder = f->dir, .chroot = true});
    assert_int_equal(seen.status, STATUS_OK);
    assert_string_equal(seen.folder, "/");
    assert_true(seen.folder_is_root);
    assert_false(seen.root_again);
}

static void a_user_that_is_none_or_root_is_refused(void **state)
{
    static const char *const users[] = {"no-such-user-here", "root", "", NULL};
    const struct folder *f = *state;
    needs_root();
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        struct seen seen = drop((struct privileges){.user = users[i], .folder = f->dir});
        assert_int_equal(seen.status, STATUS_INVALID);
        assert_non_null(strstr(seen.text, "set user in the configuration"));
    }
}

static void a_missing_folder_is_refused(void **state)
{
    struct path path = path_of(*state, "none");
    struct seen seen = drop((struct privileges){.user = "nobody", .folder = path.text});
    assert_int_equal(seen.status, STATUS_INTERNAL);
    assert_non_null(strstr(seen.text, path.text));
}

static void without_its_supervisor_no_role_goes_on(void **state)
{
    const struct folder *f = *state;
    struct seen seen = drop((struct privileges){.user = "nobody", .folder = f->dir, .supervisor = getppid()});
    assert_int_equal(seen.status, STATUS_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_can_be_gained_dumped_or_left_behind, open_folder,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(memory_is_bounded, open_folder, folder_remove),
        cmocka_unit_test_setup_teardown(root_becomes_the_service_user_for_good, open_folder, folder_remove),
        cmocka_unit_test_setup_teardown(the_folder_becomes_the_root, open_folder, folder_remove),
        cmocka_unit_test_setup_teardown(a_user_that_is_none_or_root_is_refused, open_folder, folder_remove),
        cmocka_unit_test_setup_teardown(a_missing_folder_is_refused, open_folder, folder_remove),
        cmocka_unit_test_setup_teardown(without_its_supervisor_no_role_goes_on, open_folder, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
