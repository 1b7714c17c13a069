/* The passwords role as a process of its own, asked over its service, with the users file behind it. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "gateway/passwords/passwords.h"
#include "gateway/users/password.h"
#include "tests/unit/passwords/fixture.h"

struct role {
    pid_t pid;
    int service; /* client end */
};

static struct role start_role(struct backend *backend)
{
    struct error err = {0};
    int pair[2];
    assert_int_equal(ipc_pair(pair, &err), STATUS_OK);
    fflush(NULL);
    struct role role = {.pid = fork(), .service = pair[0]};
    assert_true(role.pid >= 0);
    if (role.pid == 0) {
        const struct passwords_settings settings = {
            .backend = backend,
            .worker = {.service_fd = pair[1], .deadline_ms = 60000, .cpu_ms = 60000, .jobs_max = 1000}};
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nothing behind */
        close(pair[0]);
        exit(passwords_run(&settings)); /* with the leak check of a sanitized build */
    }
    close(pair[1]);
    return role;
}

static void stop_role(const struct role *role)
{
    int status = 0;
    kill(role->pid, SIGTERM);
    assert_int_equal(waitpid(role->pid, &status, 0), role->pid);
    close(role->service);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static const struct call_limits limits = {60000, 60000};

/* Free RESULT with password_result_free. */
static enum password_verdict ask(const struct role *role, const char *user, const char *password,
                                 struct password_result *result)
{
    struct password_check check = question(user, password);
    struct ipc_msg reply;
    struct error err = {0};
    struct buf body;
    buf_init(&body, 4096);
    password_check_pack(&body, &check);
    assert_int_equal(call_wait(role->service, PASSWORD_CHECK, buf_span(&body), NULL, 0, limits, &reply, &err),
                     STATUS_OK);
    assert_int_equal(reply.type, PASSWORD_RESULT);
    assert_int_equal(password_result_unpack(buf_span(&reply.body), result, &err), STATUS_OK);
    ipc_msg_free(&reply);
    buf_free(&body);
    return result->verdict;
}

/* ---- the users file ---- */

static void add_user(const struct folder *f, const char *name, const char *password)
{
    struct error err = {0};
    struct user user = {.name = strdup(name)};
    assert_int_equal(user_set_password(&user, password, &err), STATUS_OK);
    assert_int_equal(users_change(f->path, USER_ADD, &user, &err), STATUS_OK);
    user_wipe(&user);
}

static void expect(const struct role *role, const char *user, const char *password,
                   enum password_verdict verdict)
{
    struct password_result result;
    assert_int_equal(ask(role, user, password, &result), verdict);
    assert_string_equal(result.user, verdict == PASSWORD_OK ? user : "");
    assert_int_equal(result.n_addresses, 0);
    assert_int_equal(*result.why != '\0', verdict == PASSWORD_UNAVAILABLE);
    password_result_free(&result);
}

static void test_verdicts_and_changes_of_the_file(void **state)
{
    const struct folder *f = *state;
    struct backend backend;
    struct error err = {0};
    add_user(f, "alice", "one");
    assert_int_equal(backend_users_open(f->path, 0, &backend, &err), STATUS_OK);
    struct role role = start_role(&backend);
    expect(&role, "alice", "one", PASSWORD_OK);
    expect(&role, "alice", "two", PASSWORD_WRONG);
    expect(&role, "bob", "two", PASSWORD_WRONG);
    add_user(f, "bob", "two");
    expect(&role, "bob", "two", PASSWORD_OK);
    assert_int_equal(
        users_change(f->path, USER_REMOVE, &(struct user){.name = (char *)(uintptr_t) "alice"}, &err),
        STATUS_OK);
    expect(&role, "alice", "one", PASSWORD_WRONG);
    /* Never "wrong" because the file cannot be read, and never an old file: a user may have been removed. */
    assert_int_equal(chmod(f->path, 0644), 0);
    expect(&role, "bob", "two", PASSWORD_UNAVAILABLE);
    assert_int_equal(chmod(f->path, 0600), 0);
    expect(&role, "bob", "two", PASSWORD_OK);
    unlink(f->path);
    expect(&role, "bob", "two", PASSWORD_UNAVAILABLE);
    stop_role(&role);
    backend.close(backend.state);
}

static void test_A26_a_file_that_others_can_read_is_not_opened(void **state)
{
    const struct folder *f = *state;
    struct backend backend;
    struct error err = {0};
    assert_int_equal(backend_users_open(f->path, 0, &backend, &err), STATUS_NOT_FOUND);
    add_user(f, "alice", "one");
    assert_int_equal(chmod(f->path, 0640), 0);
    assert_int_equal(backend_users_open(f->path, 0, &backend, &err), STATUS_DENIED);
}

/* ---- a backend that says yes to everything ---- */

static void say_yes(void *state, const struct password_check *check, struct password_result *result)
{
    const char *name = state;
    (void)check;
    result->verdict = PASSWORD_OK;
    snprintf(result->user, sizeof result->user, "%s", name);
    result->addresses = calloc(PASSWORD_ADDRESSES_MAX, sizeof *result->addresses);
    for (; result->n_addresses < PASSWORD_ADDRESSES_MAX; result->n_addresses++) {
        char address[321];
        snprintf(address, sizeof address, "%0308zu@example.org", result->n_addresses);
        result->addresses[result->n_addresses] = strdup(address);
    }
}

static void close_nothing(void *state)
{
    (void)state;
}

/* The most that a result can hold arrives; what nobody can be called, or no password, is not even asked
 * about. */
static void test_A21_what_no_backend_gets_to_see(void **state)
{
    (void)state;
    static const char *const names[] = {"", "a\tb", "a\nb", "a\x7f", "a\xff", "a\xc3", "a:b", "#a"};
    struct backend backend = {.state = (void *)(uintptr_t) "Alice", .check = say_yes, .close = close_nothing};
    struct password_result result;
    struct role role = start_role(&backend);
    assert_int_equal(ask(&role, "alice", "x", &result), PASSWORD_OK);
    assert_string_equal(result.user, "Alice");
    assert_int_equal(result.n_addresses, PASSWORD_ADDRESSES_MAX);
    password_result_free(&result);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        expect(&role, names[i], "x", PASSWORD_WRONG);
    expect(&role, "alice", "", PASSWORD_WRONG);
    stop_role(&role);
}

static void test_A21_a_name_from_the_backend_that_nobody_can_have(void **state)
{
    (void)state;
    static const char *const names[] = {"", "a\nb", "a\tb", "a\xff"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct backend backend = {
            .state = (void *)(uintptr_t)names[i], .check = say_yes, .close = close_nothing};
        struct role role = start_role(&backend);
        expect(&role, "alice", "x", PASSWORD_UNAVAILABLE);
        stop_role(&role);
    }
}

static void test_a_damaged_request_is_dropped(void **state)
{
    (void)state;
    struct backend backend = {.state = (void *)(uintptr_t) "alice", .check = say_yes, .close = close_nothing};
    struct role role = start_role(&backend);
    struct ipc_msg reply;
    struct error err = {0};
    assert_int_equal(call_wait(role.service, PASSWORD_CHECK, span_str("junk"), NULL, 0, limits, &reply, &err),
                     STATUS_CLOSED);
    assert_int_equal(call_wait(role.service, 99, span_str(""), NULL, 0, limits, &reply, &err), STATUS_CLOSED);
    stop_role(&role);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_verdicts_and_changes_of_the_file),
        TEST(test_A26_a_file_that_others_can_read_is_not_opened),
        TEST(test_A21_what_no_backend_gets_to_see),
        TEST(test_A21_a_name_from_the_backend_that_nobody_can_have),
        TEST(test_a_damaged_request_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
