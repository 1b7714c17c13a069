/* A Dovecot that misbehaves in one way each: never "wrong password". */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/unit/passwords/fixture.h"

#define HELLO "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00\nDONE\n"
#define LONG_MS 60000 /* a test that waits for it hangs */

/* One connection of a server's script: what it says first, and what to each request ("%u": its number). */
struct connection {
    const char *greeting;
    const char *replies[4]; /* NULL: closes instead */
    bool silent_at_end;     /* does not close, says no more */
};

static bool say(int fd, const char *text, unsigned id)
{
    const char *at = strstr(text, "%u");
    char line[20000];
    int n = at ? snprintf(line, sizeof line, "%.*s%u%s", (int)(at - text), text, id, at + 2)
               : snprintf(line, sizeof line, "%s", text);
    return send(fd, line, (size_t)n, MSG_NOSIGNAL) == n;
}

/* Until a request has come; its number, 0 at the end. */
static unsigned read_request(FILE *in)
{
    char line[8192];
    unsigned id = 0;
    while (id == 0 && fgets(line, sizeof line, in))
        if (sscanf(line, "AUTH\t%u\tPLAIN\t", &id) != 1)
            id = 0;
    return id;
}

static void serve_one(int fd, const struct connection *c)
{
    FILE *in = fdopen(dup(fd), "r");
    bool good = say(fd, c->greeting, 0);
    for (size_t i = 0; good && c->replies[i]; i++) {
        unsigned id = read_request(in);
        good = id > 0 && say(fd, c->replies[i], id);
    }
    if (good && c->silent_at_end)
        while (read_request(in) > 0)
            continue;
    fclose(in);
}

struct server {
    pid_t pid;
    struct dovecot_settings settings;
    struct backend backend;
};

/* Serves the N connections one after the other, and is gone then. */
static void start(struct server *server, const struct folder *f, const struct connection *connections,
                  size_t n, int64_t timeout_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct error err = {0};
    assert_true(snprintf(address.sun_path, sizeof address.sun_path, "%s", f->path) <
                (int)sizeof address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(f->path);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    fflush(NULL);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (size_t i = 0; i < n; i++) {
            int fd = accept(listener, NULL, NULL);
            /* The last one: who comes later is refused, as by a server that ended. */
            if (i + 1 == n)
                close(listener);
            serve_one(fd, &connections[i]);
            close(fd);
        }
        _exit(0);
    }
    close(listener);
    server->settings = (struct dovecot_settings){f->path, timeout_ms};
    assert_int_equal(backend_dovecot_open(&server->settings, &server->backend, &err), STATUS_OK);
}

static void stop(struct server *server)
{
    server->backend.close(server->backend.state);
    kill(server->pid, SIGKILL);
    waitpid(server->pid, NULL, 0);
}

static enum password_verdict ask(struct server *server, const char *user)
{
    struct password_result result;
    enum password_verdict verdict = ask_backend(&server->backend, user, "secret", &result);
    assert_true(verdict != PASSWORD_OK || strcmp(result.user, user) == 0);
    assert_int_equal(result.n_addresses, 0);
    password_result_free(&result);
    return verdict;
}

static void test_a_connection_is_kept(void **state)
{
    static const struct connection good[] = {{HELLO,
                                              {"OK\t%u\tuser=alice\n", "FAIL\t%u\tuser=alice\n",
                                               "NOTE\tx\nFAIL\t%u\ttemp\n", "OK\t%u\tuser=bob\n"},
                                              .silent_at_end = true}};
    struct server server;
    start(&server, *state, good, 1, LONG_MS);
    assert_int_equal(ask(&server, "alice"), PASSWORD_OK);
    assert_int_equal(ask(&server, "alice"), PASSWORD_WRONG);
    assert_int_equal(ask(&server, "alice"), PASSWORD_UNAVAILABLE);
    assert_int_equal(ask(&server, "bob"), PASSWORD_OK);
    stop(&server);
}

/* Dovecot was restarted between two checks: nobody sees that. */
static void test_a_kept_connection_that_closed_is_made_anew(void **state)
{
    static const struct connection restarted[] = {{HELLO, {"OK\t%u\tuser=alice\n"}},
                                                  {HELLO, {"FAIL\t%u\tuser=alice\n"}},
                                                  {HELLO, {"OK\t%u\tuser=alice\n"}}};
    struct server server;
    start(&server, *state, restarted, 3, LONG_MS);
    assert_int_equal(ask(&server, "alice"), PASSWORD_OK);
    assert_int_equal(ask(&server, "alice"), PASSWORD_WRONG);
    assert_int_equal(ask(&server, "alice"), PASSWORD_OK);
    assert_int_equal(ask(&server, "alice"), PASSWORD_UNAVAILABLE); /* gone for good */
    stop(&server);
}

static void test_each_misbehaviour_is_unavailable(void **state)
{
    static char long_line[12000];
    memset(long_line, 'x', sizeof long_line - 1);
    const struct connection bad[] = {
        {"", {NULL}},
        {"VERSION\t1\t2\n", {NULL}},
        {"VERSION\t2\t0\nMECH\tPLAIN\nDONE\n", {NULL}},
        {"220 smtp.example.org ESMTP\r\n", {NULL}},
        {"\n", {NULL}},
        {"VERSION\t1\t2\nMECH\tCRAM-MD5\nDONE\n", {NULL}},
        {long_line, {NULL}},
        {HELLO, {NULL}},
        {HELLO, {"OK\t%u\n"}},
        {HELLO, {"OK\t%u\tuser=\n"}},
        {HELLO, {"OK\t%u\tuser=a\001\n"}},
        {HELLO, {"OK\t%u"}}, /* cut */
        {HELLO, {"OK\t99\tuser=alice\n"}},
        {HELLO, {"FAIL\t99\tuser=alice\n"}},
        {HELLO, {"CONT\t%u\tAAAA\n"}},
        {HELLO, {"FAIL\t%u\tuser=alice\ttemp\n"}},
        {HELLO, {"FAIL\t%u\tuser=alice\tcode=temp_fail\n"}},
        {HELLO, {"FAIL"}},
        {HELLO, {long_line}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct server server;
        start(&server, *state, &bad[i], 1, LONG_MS);
        if (ask(&server, "alice") != PASSWORD_UNAVAILABLE)
            fail_msg("case %zu", i);
        stop(&server);
    }
}

/* It accepts and says nothing; or nothing more. */
static void test_silence_ends_at_the_deadline(void **state)
{
    static const struct connection silent[] = {{"", {NULL}, .silent_at_end = true},
                                               {HELLO, {NULL}, .silent_at_end = true},
                                               {HELLO, {"OK\t%u\tuser=ali"}, .silent_at_end = true},
                                               {HELLO, {"NOTE\n"}, .silent_at_end = true}};
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++) {
        struct server server;
        start(&server, *state, &silent[i], 1, 100);
        assert_int_equal(ask(&server, "alice"), PASSWORD_UNAVAILABLE);
        stop(&server);
    }
}

/* The reply to a question that was given up must not answer the next one. */
static void test_a_late_reply_is_not_taken_for_another(void **state)
{
    static const struct connection late[] = {{HELLO, {"NOTE\n"}, .silent_at_end = true},
                                             {HELLO, {"FAIL\t%u\tuser=bob\n"}}};
    struct server server;
    start(&server, *state, late, 2, 300);
    assert_int_equal(ask(&server, "alice"), PASSWORD_UNAVAILABLE);
    server.settings.timeout_ms = LONG_MS;
    assert_int_equal(ask(&server, "bob"), PASSWORD_WRONG);
    stop(&server);
}

static void test_no_socket_and_no_server(void **state)
{
    const struct folder *f = *state;
    struct dovecot_settings settings = {f->path, LONG_MS};
    struct backend backend;
    struct password_result result;
    struct error err = {0};
    assert_int_equal(backend_dovecot_open(&settings, &backend, &err), STATUS_OK);
    assert_int_equal(ask_backend(&backend, "alice", "secret", &result), PASSWORD_UNAVAILABLE);
    assert_non_null(strstr(result.why, f->path));
    FILE *file = fopen(f->path, "w"); /* no socket */
    fclose(file);
    assert_int_equal(ask_backend(&backend, "alice", "secret", &result), PASSWORD_UNAVAILABLE);
    char longer[200];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    settings.socket_path = longer;
    assert_int_equal(ask_backend(&backend, "alice", "secret", &result), PASSWORD_UNAVAILABLE);
    backend.close(backend.state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_connection_is_kept),
        TEST(test_a_kept_connection_that_closed_is_made_anew),
        TEST(test_each_misbehaviour_is_unavailable),
        TEST(test_silence_ends_at_the_deadline),
        TEST(test_a_late_reply_is_not_taken_for_another),
        TEST(test_no_socket_and_no_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
