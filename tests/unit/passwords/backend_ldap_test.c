/* A directory that is down, silent or no directory: never "wrong password". Real ones are in tests/e2e. */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "gateway/passwords/ldap_settings.h"
#include "tests/unit/passwords/fixture.h"

/* StartTLS' extended response (RFC 4511 §4.12) to message 1: success. */
#define STARTTLS_GOOD "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"

struct manner {
    const char *url;  /* %d: the port */
    const void *says; /* to whoever connects */
    size_t len;
    bool closes;
};

struct server {
    pid_t pid; /* 0: nobody listens */
    char url[100];
    struct ldap_settings settings;
    struct backend backend;
};

static void serve(int listener, const struct manner *manner)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        (void)!write(fd, manner->says, manner->len);
        if (manner->closes)
            close(fd); /* else it stays open until the end of this process */
    }
}

static void start(struct server *server, const struct manner *manner, int64_t timeout_ms)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct error err = {0};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    fflush(NULL);
    server->pid = manner ? fork() : 0;
    if (server->pid == 0 && manner)
        serve(listener, manner);
    close(listener);
    snprintf(server->url, sizeof server->url, "%s://127.0.0.1:%d", manner ? manner->url : "ldaps",
             ntohs(address.sin_port));
    server->settings = (struct ldap_settings){
        .url = server->url, .start_tls = true, .user_dn = "uid=%u,dc=example", .timeout_ms = timeout_ms};
    assert_int_equal(backend_ldap_open(&server->settings, &server->backend, &err), STATUS_OK);
}

static void expect_unavailable(struct server *server)
{
    struct password_result result;
    alarm(60); /* a check that does not end fails the test */
    assert_int_equal(ask_backend(&server->backend, "alice", "secret", &result), PASSWORD_UNAVAILABLE);
    alarm(0);
    assert_non_null(strstr(result.why, server->url));
    server->backend.close(server->backend.state);
    if (server->pid > 0) {
        kill(server->pid, SIGKILL);
        waitpid(server->pid, NULL, 0);
    }
}

static void test_nobody_listens(void **state)
{
    (void)state;
    struct server server;
    start(&server, NULL, 60000);
    expect_unavailable(&server);
}

static void test_what_is_no_directory(void **state)
{
    (void)state;
    static const char smtp[] = "220 mail.example.org ESMTP\r\n";
    static const struct manner manners[] = {
        {"ldaps", "", 0, true},
        {"ldap", "", 0, true},
        {"ldaps", smtp, sizeof smtp - 1, true},
        {"ldap", smtp, sizeof smtp - 1, true},
        {"ldap", STARTTLS_GOOD, sizeof STARTTLS_GOOD - 1, true},
        {"ldap", "\x30\x84\xff\xff\xff\xff", 6, true},                                  /* 4 GB */
        {"ldap", "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00", 14, true}, /* unavailable */
    };
    for (size_t i = 0; i < sizeof manners / sizeof *manners; i++) {
        struct server server;
        start(&server, &manners[i], 60000);
        expect_unavailable(&server);
    }
}

/* Connected, then nothing: before TLS, in the handshake. */
static void test_silence_ends_at_the_deadline(void **state)
{
    (void)state;
    static const struct manner manners[] = {
        {"ldap", "", 0, false},
        {"ldaps", "", 0, false},
        {"ldap", STARTTLS_GOOD, sizeof STARTTLS_GOOD - 1, false},
    };
    for (size_t i = 0; i < sizeof manners / sizeof *manners; i++) {
        struct server server;
        start(&server, &manners[i], 200);
        expect_unavailable(&server);
    }
}

static void test_settings_that_do_not_fit_are_not_opened(void **state)
{
    (void)state;
    const struct ldap_settings clear = {.url = "ldap://127.0.0.1", .user_dn = "uid=%u"};
    struct backend backend;
    struct error err;
    assert_int_equal(backend_ldap_open(&clear, &backend, &err), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_what_is_no_directory),
        cmocka_unit_test(test_silence_ends_at_the_deadline),
        cmocka_unit_test(test_settings_that_do_not_fit_are_not_opened),
    };
    signal(SIGPIPE, SIG_IGN); /* as main does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
