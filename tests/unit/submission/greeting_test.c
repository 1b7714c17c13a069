/* Clients that speak before the greeting, in clear and over TLS. */
#include "tests/unit/submission/fixture.h"

#define DELAY_MS 300

static struct fixture *start_delayed(void)
{
    struct submission_limits limits = test_limits();
    limits.greeting_delay_ms = DELAY_MS;
    return start_with(limits);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void expect_refusal(struct client *c)
{
    expect(c, "554 5.5.1 Speaking before the greeting");
    expect_end(c);
    client_close(c);
}

static void finish_with_early_talkers(struct fixture *f, int n)
{
    char *log;
    finish(f, &log);
    const char *at = log;
    for (int i = 0; i < n; i++) {
        at = strstr(at, "event=early-talker");
        assert_non_null(at);
        at++;
    }
    assert_null(strstr(at, "event=early-talker"));
    free(log);
}

/* Whoever waits is greeted after the delay; STARTTLS brings no second one. */
static void test_who_waits_is_greeted(void **state)
{
    (void)state;
    struct fixture *f = start_delayed();
    for (int port = 0; port < 2; port++) {
        int64_t before = now_ms();
        struct client *c = client_open(f, port);
        assert_true(now_ms() - before >= DELAY_MS);
        say(c, "EHLO client.example.org", "250-");
        if (port == 1) {
            say(c, "STARTTLS", "220");
            client_tls(c);
            say(c, "EHLO client.example.org", "250-");
        }
        quit(c);
    }
    finish_with_early_talkers(f, 0);
}

static void test_who_speaks_while_it_waits(void **state)
{
    (void)state;
    struct fixture *f = start_delayed();
    for (int port = 0; port < 2; port++) {
        struct client *c = calloc(1, sizeof *c);
        c->f = f;
        c->fd = connect_to(f->ports[port]);
        if (port == 0)
            client_tls(c);
        put_str(c, "EHLO client.example.org\r\n");
        expect_refusal(c);
    }
    finish_with_early_talkers(f, 2);
}

/* Without a delay only what is there already counts: the process stands still while the client speaks. */
static void test_who_spoke_in_clear(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = calloc(1, sizeof *c);
    int status;
    kill(f->pid, SIGSTOP);
    assert_int_equal(waitpid(f->pid, &status, WUNTRACED), f->pid);
    c->f = f;
    c->fd = connect_to(f->ports[1]);
    put_str(c, "\x16\x03\x01 or anything else");
    kill(f->pid, SIGCONT);
    expect_refusal(c);
    finish_with_early_talkers(f, 1);
}

static void move(BIO *from, int fd)
{
    char bytes[16384];
    int len = BIO_read(from, bytes, sizeof bytes);
    assert_true(len > 0);
    assert_int_equal(send(fd, bytes, (size_t)len, MSG_NOSIGNAL), len);
}

/* Over TLS without a delay: the client's last flight and its first command in one packet. */
static void test_who_spoke_over_tls(void **state)
{
    (void)state;
    struct fixture *f = start();
    struct client *c = calloc(1, sizeof *c);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    char bytes[16384];
    c->f = f;
    c->fd = connect_to(f->ports[0]);
    c->ssl = SSL_new(f->client_tls);
    SSL_set_connect_state(c->ssl);
    SSL_set_bio(c->ssl, in, out);
    while (SSL_do_handshake(c->ssl) != 1) {
        if (BIO_ctrl_pending(out) > 0)
            move(out, c->fd);
        ssize_t n = recv(c->fd, bytes, sizeof bytes, 0);
        assert_true(n > 0);
        assert_int_equal(BIO_write(in, bytes, (int)n), n);
    }
    put_str(c, "EHLO client.example.org\r\n");
    move(out, c->fd);
    for (;;) {
        int n = SSL_read(c->ssl, c->in + c->in_len, (int)(sizeof c->in - 1 - c->in_len));
        if (n > 0) {
            c->in_len += (size_t)n;
            continue;
        }
        if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ)
            break;
        ssize_t got = recv(c->fd, bytes, sizeof bytes, 0);
        if (got <= 0)
            break;
        assert_int_equal(BIO_write(in, bytes, (int)got), got);
    }
    c->in[c->in_len] = '\0';
    assert_string_equal(c->in, "554 5.5.1 Speaking before the greeting: closing\r\n");
    client_close(c);
    finish_with_early_talkers(f, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_waits_is_greeted),
        cmocka_unit_test(test_who_speaks_while_it_waits),
        cmocka_unit_test(test_who_spoke_in_clear),
        cmocka_unit_test(test_who_spoke_over_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
