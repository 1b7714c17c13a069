/* The auth role as a process of its own, asked over its service. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "gateway/auth/auth.h"
#include "gateway/jobs/auth_job.h"
#include "tests/unit/auth/fixture.h"

struct role {
    pid_t pid;
    int service; /* client end */
};

static struct role start_role(const struct folder *f)
{
    struct error err = {0};
    int pair[2];
    assert_int_equal(ipc_pair(pair, &err), STATUS_OK);
    fflush(NULL);
    struct role role = {.pid = fork(), .service = pair[0]};
    assert_true(role.pid >= 0);
    if (role.pid == 0) {
        const struct auth_settings settings = {
            .users_path = f->users,
            .worker = {.service_fd = pair[1], .deadline_ms = 60000, .cpu_ms = 60000, .jobs_max = 1000}};
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nothing behind */
        close(pair[0]);
        exit(auth_run(&settings)); /* with the leak check of a sanitized build */
    }
    close(pair[1]);
    return role;
}

static int stop_role(const struct role *role)
{
    int status = 0;
    kill(role->pid, SIGTERM);
    assert_int_equal(waitpid(role->pid, &status, 0), role->pid);
    close(role->service);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static enum auth_verdict ask(const struct role *role, const char *user, const char *password)
{
    struct auth_check check = {.client_address = "192.0.2.1"};
    struct auth_result result;
    struct ipc_msg reply;
    struct error err = {0};
    struct buf body;
    snprintf(check.user, sizeof check.user, "%s", user);
    snprintf(check.password, sizeof check.password, "%s", password);
    buf_init(&body, 4096);
    auth_check_pack(&body, &check);
    assert_int_equal(call_wait(role->service, AUTH_CHECK, buf_span(&body), NULL, 0,
                               (struct call_limits){60000, 60000}, &reply, &err),
                     STATUS_OK);
    assert_int_equal(reply.type, AUTH_RESULT);
    assert_int_equal(auth_result_unpack(buf_span(&reply.body), &result, &err), STATUS_OK);
    if (result.verdict == AUTH_OK)
        assert_string_equal(result.user, user);
    else
        assert_string_equal(result.user, "");
    ipc_msg_free(&reply);
    buf_free(&body);
    return result.verdict;
}

static void test_verdicts_and_changes_of_the_file(void **state)
{
    const struct folder *f = *state;
    struct error err = {0};
    add_user(f, "alice", "one");
    struct role role = start_role(f);
    assert_int_equal(ask(&role, "alice", "one"), AUTH_OK);
    assert_int_equal(ask(&role, "alice", "two"), AUTH_WRONG);
    assert_int_equal(ask(&role, "bob", "two"), AUTH_WRONG);
    add_user(f, "bob", "two");
    assert_int_equal(ask(&role, "bob", "two"), AUTH_OK);
    assert_int_equal(users_change(f->users, USER_REMOVE, &(struct user){.name = (char *)"alice"}, &err),
                     STATUS_OK);
    assert_int_equal(ask(&role, "alice", "one"), AUTH_WRONG);
    assert_int_equal(stop_role(&role), 0);
}

/* Never 535 because the table cannot be read, and never an old table: a user may have been removed. */
static void test_an_unreadable_file_is_unavailable(void **state)
{
    const struct folder *f = *state;
    add_user(f, "alice", "one");
    struct role role = start_role(f);
    assert_int_equal(ask(&role, "alice", "one"), AUTH_OK);
    assert_int_equal(chmod(f->users, 0644), 0);
    assert_int_equal(ask(&role, "alice", "one"), AUTH_UNAVAILABLE);
    assert_int_equal(chmod(f->users, 0600), 0);
    assert_int_equal(ask(&role, "alice", "one"), AUTH_OK);
    write_users(f, "alice\n", 6, 0600);
    assert_int_equal(ask(&role, "alice", "one"), AUTH_UNAVAILABLE);
    unlink(f->users);
    assert_int_equal(ask(&role, "alice", "one"), AUTH_UNAVAILABLE);
    add_user(f, "alice", "three");
    assert_int_equal(ask(&role, "alice", "one"), AUTH_WRONG);
    assert_int_equal(ask(&role, "alice", "three"), AUTH_OK);
    assert_int_equal(stop_role(&role), 0);
}

static void test_a_damaged_request_is_dropped(void **state)
{
    const struct folder *f = *state;
    struct ipc_msg reply;
    struct error err = {0};
    add_user(f, "alice", "one");
    struct role role = start_role(f);
    const struct call_limits limits = {60000, 60000};
    assert_int_equal(call_wait(role.service, AUTH_CHECK, span_str("junk"), NULL, 0, limits, &reply, &err),
                     STATUS_CLOSED);
    assert_int_equal(call_wait(role.service, 99, span_str(""), NULL, 0, limits, &reply, &err), STATUS_CLOSED);
    assert_int_equal(ask(&role, "alice", "one"), AUTH_OK);
    assert_int_equal(stop_role(&role), 0);
}

static void test_A26_does_not_start(void **state)
{
    const struct folder *f = *state;
    for (int missing = 0; missing < 2; missing++) {
        int status = 0;
        if (missing)
            unlink(f->users);
        else
            write_users(f, "", 0, 0644);
        struct role role = start_role(f);
        assert_int_equal(waitpid(role.pid, &status, 0), role.pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EX_CONFIG);
        close(role.service);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_verdicts_and_changes_of_the_file),
        TEST(test_an_unreadable_file_is_unavailable),
        TEST(test_a_damaged_request_is_dropped),
        TEST(test_A26_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
