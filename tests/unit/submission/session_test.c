/* Sessions: before TLS, STARTTLS, greetings, limits, timers, the drain. */
#include "tests/unit/submission/fixture.h"

#include "base/clock.h"

static void test_A4_A5_before_tls_only_four_verbs_work(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_open(f, 1);
    static const char *const refused[] = {
        "HELO client.example.org",
        "AUTH PLAIN",
        "AUTH LOGIN",
        AUTH_ALICE,
        "MAIL FROM:<a@example.org>",
        "RCPT TO:<b@example.com>",
        "DATA",
        "RSET",
        "HELP",
        "VRFY alice",
        "AUTH",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        say(c, refused[i], "530 5.7.0 ");
        assert_non_null(strstr(c->reply, "SSL/TLS (port 465) or STARTTLS (port 587)"));
    }
    say(c, "NOOP", "250 2.0.0");
    say(c, "EHLO client.example.org", "250-mail.example.org\r\n");
    assert_non_null(strstr(c->reply, "STARTTLS\r\n"));
    assert_null(strstr(c->reply, "AUTH"));
    assert_null(strstr(c->reply, "REQUIRETLS")); /* RFC 8689 §4.1 */
    say(c, AUTH_ALICE, "530 5.7.0 ");
    quit(c);
    assert_int_equal(f->roles.n_exchanges, 0); /* auth heard of the try, not of what was tried */
    char *log;
    finish(f, &log);
    assert_null(strstr(log, "AGFsaWNl"));
    free(log);
}

static void test_ehlo_over_tls(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_open(f, 0);
    say(c, "EHLO client.example.org", "250-mail.example.org\r\n");
    assert_string_equal(
        c->reply, "250-mail.example.org\r\n250-PIPELINING\r\n250-SIZE 100000\r\n"
                  "250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n"
                  "250-LIMITS RCPTMAX=5 MAILMAX=1000\r\n250-REQUIRETLS\r\n"
                  "250 AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN\r\n");
    say(c, "HELO client.example.org", "250 mail.example.org\r\n");
    say(c, AUTH_ALICE, "503 5.5.1"); /* AUTH belongs to EHLO */
    say(c, "ehlo [192.0.2.1]", "250-");
    say(c, AUTH_ALICE, "235 2.7.0");
    say(c, "EHLO client.example.org", "250-");
    assert_null(strstr(c->reply, "AUTH"));
    say(c, AUTH_ALICE, "503 5.5.1");
    quit(c);
    finish(f, NULL);
}

static void test_A9_hello_names(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_open(f, 0);
    static const char *const bad[] = {"EHLO",     "EHLO a b", "EHLO a(b)", "EHLO b\xc3\xbc.example",
                                      "HELO <a>", "HELO",     "EHLO [a]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        say(c, bad[i], "501 5.5.4");
    say(c, "MAIL FROM:<a@example.org>", "503 5.5.1");
    quit(c);
    finish(f, NULL);
}

static struct client *client_starttls(struct fixture *f)
{
    struct client *c = client_open(f, 1);
    say(c, "EHLO clear.example.org", "250-");
    say(c, "STARTTLS", "220 2.0.0");
    client_tls(c);
    return c;
}

static void test_A4_starttls_forgets_everything(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_starttls(f);
    say(c, AUTH_ALICE, "503 5.5.1 Send EHLO first");
    say(c, "MAIL FROM:<a@example.org>", "503 5.5.1 Send EHLO first");
    say(c, "EHLO client.example.org", "250-");
    assert_null(strstr(c->reply, "STARTTLS"));
    assert_non_null(strstr(c->reply, "AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"));
    say(c, "STARTTLS", "503 5.5.1");
    say(c, AUTH_ALICE, "235 2.7.0");
    say(c, "STARTTLS", "503 5.5.1");
    quit(c);
    c = client_open(f, 0);
    say(c, "EHLO client.example.org", "250-");
    say(c, "STARTTLS", "503 5.5.1");
    quit(c);
    c = client_open(f, 1);
    say(c, "STARTTLS now", "501 5.5.4");
    quit(c);
    finish(f, NULL);
}

static void test_A3_bytes_behind_starttls(void **state)
{
    (void)state;
    static const char *const behind[] = {"STARTTLS\r\nEHLO x\r\n",
                                         "STARTTLS\r\nMAIL FROM:<a@example.org>\r\n", "STARTTLS\r\nx",
                                         "EHLO a\r\nSTARTTLS\r\n"};
    struct fixture *f = start();
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
        struct client *c = client_open(f, 1);
        put_str(c, behind[i]);
        expect(c, "554 5.5.1");
        expect_end(c);
        client_close(c);
    }
    char *log;
    finish(f, &log);
    size_t logged = 0;
    for (const char *p = log; (p = strstr(p, "pipelined-behind")); p++)
        logged++;
    assert_int_equal(logged, sizeof behind / sizeof *behind);
    free(log);
}

/* Clear text where the handshake should begin is never read as a command. */
static void test_A3_clear_text_instead_of_a_handshake(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_open(f, 1);
    say(c, "STARTTLS", "220 2.0.0");
    put_str(c, "EHLO client.example.org\r\nMAIL FROM:<a@example.org>\r\n");
    while (get_more(c)) /* perhaps a TLS alert */
        assert_null(strstr(c->in, "250"));
    client_close(c);
    c = calloc(1, sizeof *c);
    c->f = f;
    c->fd = connect_to(f->ports[0]);
    put_str(c, "EHLO client.example.org\r\n");
    while (get_more(c))
        assert_null(strstr(c->in, "250"));
    client_close(c);
    finish(f, NULL);
}

static void test_A1_bare_line_ends_in_commands(void **state)
{
    (void)state;
    static const char *const bad[] = {"NOOP\n", "NOOP\r NOOP\r\n", "\n", "NOOP\r\r\n",
                                      "EHLO x\nMAIL FROM:<a@example.org>\r\n"};
    struct fixture *f = start();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct client *c = client_open(f, 0);
        put_str(c, bad[i]);
        expect(c, "500 5.5.2");
        expect_end(c);
        client_close(c);
    }
    finish(f, NULL);
}

static void test_lines_that_are_no_commands(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_open(f, 0);
    char line[3000];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    say(c, "", "500 5.5.2");
    say(c, "FOO", "500 5.5.1");
    say(c, "GETS / HTTP/1.1", "500 5.5.1");
    say(c, " NOOP", "500 5.5.2");
    say(c, "NOOP\x01", "500 5.5.2");
    say(c, line, "500 5.5.2 Command line too long");
    assert_true(put(c, "NO\0OP\r\n", 7));
    expect(c, "500 5.5.2");
    say(c, "NOOP with words", "250 2.0.0");
    say(c, "HELP me", "214-2.0.0");
    say(c, "RSET x", "501 5.5.4");
    say(c, "QUIT x", "501 5.5.4");
    quit(c);
    finish(f, NULL);
}

static void test_too_many_bad_commands(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.bad_commands_max = 5;
    struct fixture *f = start_with(limits);
    struct client *c = client_open(f, 0);
    for (int i = 0; i < 4; i++)
        say(c, "FOO", "500");
    say(c, "NOOP", "250");
    say(c, "FOO", "500");
    expect(c, "421 4.7.0");
    expect_end(c);
    client_close(c);
    finish(f, NULL);
}

static void test_A17_an_endless_line_is_closed(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = client_open(f, 0);
    char piece[4096];
    memset(piece, 'a', sizeof piece);
    for (int i = 0; i < 100 && put(c, piece, sizeof piece); i++)
        ;
    expect(c, "500 5.5.2");
    client_close(c);
    finish(f, NULL);
}

/* A client that sends commands and reads no replies is not listened to any more, and costs no memory. */
static void test_A17_a_client_that_does_not_read(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    struct fixture *f = start_with(limits);
    struct client *c = client_login(f);
    char piece[6000];
    struct timeval patience = {.tv_usec = 300000};
    for (size_t i = 0; i + 6 <= sizeof piece; i += 6)
        memcpy(piece + i, "NOOP\r\n", 6);
    setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    size_t sent = 0;
    while (sent < (64u << 20) && put(c, piece, sizeof piece))
        sent += sizeof piece;
    assert_true(sent < (64u << 20));
    /* The others are served. */
    struct client *other = client_login(f);
    quit(other);
    client_close(c);
    finish(f, NULL);
}

/* Sends BYTES again and again, every 20 ms, until the server says something: long before an idle timer that
 * each byte starts anew would ever run out. */
static void drip(struct client *c, const char *bytes, const char *reply)
{
    for (int64_t end = clock_mono_ms() + 20000; clock_mono_ms() < end;) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        if (poll(&p, 1, 20) > 0) {
            expect(c, reply);
            return;
        }
        assert_true(put(c, bytes, strlen(bytes)));
    }
    fail_msg("the server is too patient");
}

static void test_A18_timers(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.handshake_ms = limits.command_ms = limits.data_ms = A_MOMENT_MS;
    struct fixture *f = start_with(limits);
    /* A handshake that does not come: closed without a word. */
    struct client silent = {.f = f, .fd = connect_to(f->ports[0])};
    expect(&silent, "");
    close(silent.fd);
    /* A handshake byte by byte: a record header, then nothing that ends. */
    struct client slow = {.f = f, .fd = connect_to(f->ports[0])};
    assert_true(put(&slow, "\x16\x03\x01\x3f\xff", 5));
    drip(&slow, "\x01", "");
    close(slow.fd);
    struct client *c = client_open(f, 1);
    drip(c, "N", "421 4.4.2");
    client_close(c);
    c = client_login(f);
    drip(c, "N", "421 4.4.2");
    client_close(c);
    c = client_login(f);
    say(c, "MAIL FROM:<a@example.org>", "250");
    say(c, "RCPT TO:<b@example.com>", "250");
    say(c, "DATA", "354");
    drip(c, "x", "421 4.4.2");
    client_close(c);
    assert_int_equal(roles_calls(f, SERVICE_SEAL), 0);
    finish(f, NULL);
}

/* Many commands do not extend the time to AUTH. */
static void test_A18_time_to_auth(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.before_auth_ms = A_MOMENT_MS;
    struct fixture *f = start_with(limits);
    struct client *c = client_open(f, 0);
    for (int64_t end = clock_mono_ms() + 20000; clock_mono_ms() < end;) {
        if (!put(c, "NOOP\r\n", 6) || strncmp(get_reply(c), "250", 3) != 0)
            break;
        poll(NULL, 0, 20);
    }
    assert_true(strncmp(c->reply, "421 4.4.2", 9) == 0);
    client_close(c);
    /* After AUTH it does not count. */
    c = client_login(f);
    poll(NULL, 0, A_MOMENT_MS + 200);
    say(c, "NOOP", "250");
    quit(c);
    finish(f, NULL);
}

/* A deadline that has passed stays passed, however fast bytes and commands come. */
static void test_A18_a_flood_does_not_put_off_the_end(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.data_ms = limits.before_auth_ms = A_MOMENT_MS;
    struct fixture *f = start_with(limits);
    static char dots[65536];
    memset(dots, '.', sizeof dots);
    struct client *c = client_login(f);
    say(c, "MAIL FROM:<a@example.org>", "250");
    say(c, "RCPT TO:<b@example.com>", "250");
    say(c, "DATA", "354");
    size_t sent = 0, most = (size_t)16 << 30;
    while (sent < most && put(c, dots, sizeof dots))
        sent += sizeof dots;
    assert_true(sent < most);
    client_close(c);
    c = client_open(f, 0);
    int commands = 0, enough = 2000000;
    while (commands < enough && put(c, "NOOP\r\n", 6) && strncmp(get_reply(c), "250", 3) == 0)
        commands++;
    assert_true(commands < enough);
    assert_true(strncmp(c->reply, "421 4.4.2", 9) == 0);
    client_close(c);
    finish(f, NULL);
}

static void test_A17_sessions_per_user(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.sessions_per_user_max = 2;
    struct fixture *f = start_with(limits);
    struct client *first = client_login(f), *second = client_login(f), *third = client_open(f, 0);
    say(third, "EHLO client.example.org", "250");
    say(third, AUTH_ALICE, "454 4.7.0 Too many sessions of this user");
    say(third, "MAIL FROM:<a@example.org>", "530");
    quit(first);
    say(third, AUTH_ALICE, "235");
    quit(second);
    quit(third);
    finish(f, NULL);
}

static void await_log(struct fixture *f, const char *text)
{
    bool found = false;
    for (int i = 0; i < 2000 && !found; i++, poll(NULL, 0, 5)) {
        char *log = read_log(f);
        found = strstr(log, text) != NULL;
        free(log);
    }
    assert_true(found);
}

/* SIGHUP: a successor takes new sessions, those that are here go on. */
static void test_a_retired_process_drops_no_session(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *idle = client_login(f), *late = client_open(f, 1);
    kill(f->pid, SIGHUP);
    await_log(f, "event=retired");
    say(idle, "NOOP", "250");
    say(idle, "MAIL FROM:<a@example.org>", "250");
    say(idle, "RCPT TO:<b@example.com>", "250");
    say(idle, "DATA", "354");
    say(idle, "Subject: x\r\n\r\ny\r\n.", "250 2.0.0");
    quit(idle);
    say(late, "EHLO client.example.org", "250");
    say(late, "STARTTLS", "220");
    client_tls(late);
    say(late, "EHLO client.example.org", "250");
    /* Nor does it keep its sockets, which would take connections that nobody answers. */
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(f->ports[1]), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), -1);
    close(fd);
    quit(late);
    /* It ends by itself; finish() then looks at how. */
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)f->pid, &info, WEXITED | WNOWAIT), 0);
    finish(f, NULL);
}

/* In clear. */
static struct client *open_when_there_is_room(struct fixture *f)
{
    struct client *c = calloc(1, sizeof *c);
    *c = (struct client){.f = f, .fd = connect_to(f->ports[1])};
    while (strncmp(get_reply(c), "421 4.7.0", 9) == 0) {
        close(c->fd);
        poll(NULL, 0, 10);
        *c = (struct client){.f = f, .fd = connect_to(f->ports[1])};
    }
    assert_int_equal(strncmp(c->reply, "220 ", 4), 0);
    return c;
}

/* Who makes sessions end and keeps its sides of the connections open holds as many descriptors here. */
static void test_A17_connections_that_are_not_closed_count(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.sessions_per_client_max = 2;
    struct fixture *f = start_with(limits);
    struct client *ended[2];
    for (int i = 0; i < 2; i++) {
        ended[i] = client_open(f, 1);
        put_str(ended[i], "bare\n");
        expect(ended[i], "500 5.5.2");
        expect_end(ended[i]);
    }
    struct client c = {.f = f, .fd = connect_to(f->ports[1])};
    expect(&c, "421 4.7.0");
    close(c.fd);
    for (int i = 0; i < 2; i++)
        client_close(ended[i]);
    quit(open_when_there_is_room(f));
    finish(f, NULL);
}

static void test_A17_sessions_per_client(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.sessions_per_client_max = 2;
    struct fixture *f = start_with(limits);
    struct client *a = client_open(f, 1), *b = client_open(f, 0);
    struct client c = {.f = f, .fd = connect_to(f->ports[1])};
    expect(&c, "421 4.7.0");
    expect_end(&c);
    close(c.fd);
    /* Over TLS it is closed before the handshake. */
    int fd = connect_to(f->ports[0]);
    char byte;
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    quit(b);
    /* The place is free as soon as the connection is closed. */
    b = open_when_there_is_room(f);
    quit(a);
    quit(b);
    finish(f, NULL);
}

static void test_drain(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *idle = client_open(f, 0), *clear = client_open(f, 1), *busy = client_login(f);
    int handshake = connect_to(f->ports[0]);
    say(busy, "MAIL FROM:<a@example.org>", "250");
    kill(f->pid, SIGTERM);
    expect(idle, "421 4.3.2");
    expect_end(idle);
    expect(clear, "421 4.3.2");
    expect_end(clear);
    /* The transaction in hand may end. */
    say(busy, "RCPT TO:<b@example.com>", "250");
    say(busy, "DATA", "354");
    say(busy, "Subject: x\r\n\r\ny\r\n.", "250 2.0.0");
    expect(busy, "421 4.3.2");
    expect_end(busy);
    client_close(idle);
    client_close(clear);
    client_close(busy);
    close(handshake);
    finish(f, NULL);
}

static void test_the_drain_has_an_end(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.drain_ms = 300;
    struct fixture *f = start_with(limits);
    struct client *waiting = client_login(f), *idle = client_login(f);
    roles_set(f, SERVICE_SEAL, MANNER_HANGS);
    say(waiting, "MAIL FROM:<a@example.org>", "250");
    say(waiting, "RCPT TO:<b@example.com>", "250");
    say(waiting, "DATA", "354");
    put_str(waiting, "Subject: x\r\n\r\ny\r\n.\r\n");
    say(idle, "MAIL FROM:<a@example.org>", "250");
    roles_await(f, SERVICE_SEAL, 1);
    kill(f->pid, SIGTERM);
    expect(idle, "421 4.3.2");
    expect(waiting, "421 4.3.2");
    client_close(waiting);
    client_close(idle);
    finish(f, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A4_A5_before_tls_only_four_verbs_work),
        cmocka_unit_test(test_ehlo_over_tls),
        cmocka_unit_test(test_A9_hello_names),
        cmocka_unit_test(test_A4_starttls_forgets_everything),
        cmocka_unit_test(test_A3_bytes_behind_starttls),
        cmocka_unit_test(test_A3_clear_text_instead_of_a_handshake),
        cmocka_unit_test(test_A1_bare_line_ends_in_commands),
        cmocka_unit_test(test_lines_that_are_no_commands),
        cmocka_unit_test(test_too_many_bad_commands),
        cmocka_unit_test(test_A17_an_endless_line_is_closed),
        cmocka_unit_test(test_A17_a_client_that_does_not_read),
        cmocka_unit_test(test_A18_timers),
        cmocka_unit_test(test_A18_time_to_auth),
        cmocka_unit_test(test_A18_a_flood_does_not_put_off_the_end),
        cmocka_unit_test(test_A17_sessions_per_client),
        cmocka_unit_test(test_A17_connections_that_are_not_closed_count),
        cmocka_unit_test(test_A17_sessions_per_user),
        cmocka_unit_test(test_a_retired_process_drops_no_session),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_the_drain_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
