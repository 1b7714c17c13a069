#include "tests/unit/net/fixture.h"

#include <netinet/tcp.h>
#include <sys/wait.h>

#include "gateway/net/conn.h"
#include "gateway/net/tls.h"

#define TEXT_MAX 4000

/* One side of a test connection: records what happens, does what the test asks. */
struct side {
    struct conn *conn;
    char got[TEXT_MAX];
    size_t got_len;
    size_t counted; /* bytes taken when COUNT is set */
    bool count;
    int opened, drained, deadlines, ended, datas;
    struct error why;
    void (*then)(struct side *side); /* run in on_data, after the input was taken */
    bool keep;                       /* leave input unread */
    bool *done;
    SSL_CTX *starttls;
    enum status started;
};

static struct {
    struct event_base *base;
    SSL_CTX *server_tls, *client_tls;
    char dir[64];
} env;

static const struct conn_limits limits = {.input_max = 1000, .output_max = 100000};

static void on_open(void *arg, struct conn *conn)
{
    struct side *s = arg;
    s->conn = conn;
    s->opened++;
    if (s->done && !s->then)
        *s->done = true;
}

static void on_data(void *arg, struct conn *conn)
{
    struct side *s = arg;
    s->datas++;
    struct span in = conn_input(conn);
    if (s->keep)
        return;
    if (s->count) {
        s->counted += in.len;
    } else {
        assert_true(s->got_len + in.len < TEXT_MAX);
        memcpy(s->got + s->got_len, in.p, in.len);
        s->got_len += in.len;
    }
    conn_consume(conn, in.len);
    if (s->then)
        s->then(s);
}

static void on_drained(void *arg, struct conn *conn)
{
    (void)conn;
    ((struct side *)arg)->drained++;
}

static void on_deadline(void *arg, struct conn *conn)
{
    struct side *s = arg;
    s->deadlines++;
    conn_write(conn, span_str("421 too slow\r\n"));
    conn_close(conn);
    s->conn = NULL;
    if (s->done)
        *s->done = true;
}

static void on_end(void *arg, struct conn *conn, const struct error *why)
{
    (void)conn;
    struct side *s = arg;
    s->ended++;
    s->conn = NULL;
    s->why = *why;
    if (s->done)
        *s->done = true;
}

static const struct conn_handler handler = {on_open, on_data, on_drained, on_deadline, on_end};

static struct conn *accepted(int fd, SSL_CTX *tls, struct side *side, struct conn_limits l)
{
    struct error err;
    side->conn = conn_accepted(env.base, fd, tls, &handler, side, l, &err);
    assert_non_null(side->conn);
    return side->conn;
}

/* Both sides are ours, over loopback; the accepting side is the caller's business. */
static int connected(struct side *client)
{
    struct sockaddr_in sin;
    struct error err;
    int listening = fixture_listen(&sin);
    client->conn =
        conn_connect(env.base, NULL, (struct sockaddr *)&sin, sizeof sin, &handler, client, limits, &err);
    assert_non_null(client->conn);
    int fd = accept(listening, NULL, NULL);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    close(listening);
    return fd;
}

static void set_done(struct side *s)
{
    *s->done = true;
}

static void start_client_tls(void *arg, struct conn *conn)
{
    struct side *s = arg;
    struct error err;
    s->conn = conn;
    if (s->opened++ == 0)
        assert_int_equal(conn_start_tls(conn, env.client_tls, "localhost", NULL, &err), STATUS_OK);
    else
        conn_write(conn, span_str("hello over TLS"));
}

static const struct conn_handler tls_client = {start_client_tls, on_data, on_drained, on_deadline, on_end};

static void hello_over(int version)
{
    struct sockaddr_in sin;
    struct error err;
    bool done = false;
    struct side server = {.done = &done, .then = set_done}, client = {.done = &done, .then = set_done};
    SSL_CTX_set_max_proto_version(env.client_tls, version);
    int listening = fixture_listen(&sin);
    client.conn =
        conn_connect(env.base, NULL, (struct sockaddr *)&sin, sizeof sin, &tls_client, &client, limits, &err);
    int fd = accept(listening, NULL, NULL);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    accepted(fd, env.server_tls, &server, limits);
    fixture_run(env.base, &done);
    assert_string_equal(server.got, "hello over TLS");
    assert_true(conn_is_tls(server.conn));
    assert_string_equal(conn_tls_version(server.conn), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    assert_non_null(strstr(conn_tls_cipher(server.conn), "AES"));
    assert_string_equal(conn_peer(server.conn), "127.0.0.1");
    done = false;
    conn_close(client.conn);
    fixture_run(env.base, &done);
    /* close_notify came: an orderly end. */
    assert_int_equal(server.why.status, STATUS_CLOSED);
    assert_int_equal(client.ended, 0);
    close(listening);
    fixture_finish(env.base);
    SSL_CTX_set_max_proto_version(env.client_tls, 0);
}

static void tls_both_versions(void **state)
{
    (void)state;
    hello_over(TLS1_2_VERSION);
    hello_over(TLS1_3_VERSION);
}

static void old_tls_is_refused(void **state)
{
    (void)state;
    struct side server = {0};
    bool done = false;
    int pair[2];
    server.done = &done;
    fixture_pair(pair);
    accepted(pair[0], env.server_tls, &server, limits);
    /* A TLS 1.0 client hello with one cipher. */
    static const unsigned char hello[] = {0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 1, 0, 1, 2,  3, 4, 5,
                                          6,    7, 8, 9, 0,  1, 2, 3, 4,  5, 6, 7, 8, 9,  0, 1, 2,
                                          3,    4, 5, 6, 7,  8, 9, 1, 2,  0, 0, 2, 0, 47, 1, 0};
    assert_int_equal(write(pair[1], hello, sizeof hello), sizeof hello);
    fixture_run(env.base, &done);
    assert_int_equal(server.ended, 1);
    assert_int_equal(server.opened, 0);
    close(pair[1]);
}

static void echo_whole(struct side *s)
{
    if (s->got_len == 26)
        conn_write(s->conn, span_of(s->got, 26));
}

static void byte_at_a_time(void **state)
{
    (void)state;
    struct side server = {.then = echo_whole};
    int pair[2];
    fixture_pair(pair);
    accepted(pair[0], NULL, &server, limits);
    for (char c = 'a'; c <= 'z'; c++) {
        assert_int_equal(write(pair[1], &c, 1), 1);
        int before = server.datas;
        while (server.datas == before)
            event_base_loop(env.base, EVLOOP_ONCE);
    }
    assert_int_equal(server.datas, 26);
    event_base_loop(env.base, EVLOOP_NONBLOCK);
    char back[64];
    /* One send: it comes in one piece. */
    assert_int_equal(recv(pair[1], back, sizeof back, 0), 26);
    assert_memory_equal(back, "abcdefghijklmnopqrstuvwxyz", 26);
    conn_abort(server.conn);
    close(pair[1]);
}

static void close_in_handler(struct side *s)
{
    conn_write(s->conn, span_str("221 bye\r\n"));
    conn_close(s->conn);
    conn_close(s->conn); /* twice does no harm */
}

static void close_in_handler_sends_last_words(void **state)
{
    (void)state;
    struct side server = {.then = close_in_handler};
    int pair[2];
    char back[64] = {0};
    fixture_pair(pair);
    accepted(pair[0], NULL, &server, limits);
    /* More behind QUIT: unread bytes must not turn the last words into a reset. */
    assert_int_equal(write(pair[1], "QUIT\r\n", 6), 6);
    event_base_loop(env.base, EVLOOP_ONCE);
    assert_int_equal(write(pair[1], "more\r\n", 6), 6);
    event_base_loop(env.base, EVLOOP_NONBLOCK);
    assert_int_equal(recv(pair[1], back, sizeof back, 0), 9);
    assert_string_equal(back, "221 bye\r\n");
    assert_int_equal(recv(pair[1], back, sizeof back, 0), 0);
    close(pair[1]);
    fixture_finish(env.base);
    assert_int_equal(server.ended, 0);
    assert_int_equal(server.datas, 1);
}

static void abort_in_handler(struct side *s)
{
    conn_write(s->conn, span_str("lost"));
    conn_abort(s->conn);
    *s->done = true;
}

static void abort_in_handler_is_safe(void **state)
{
    (void)state;
    bool done = false;
    struct side server = {.then = abort_in_handler, .done = &done};
    int pair[2];
    fixture_pair(pair);
    accepted(pair[0], NULL, &server, limits);
    assert_int_equal(write(pair[1], "x", 1), 1);
    fixture_run(env.base, &done);
    fixture_finish(env.base);
    assert_int_equal(server.ended, 0);
    close(pair[1]);
}

static void pause_and_resume(void **state)
{
    (void)state;
    bool done = false;
    struct side server = {.then = set_done, .done = &done};
    int pair[2];
    fixture_pair(pair);
    accepted(pair[0], NULL, &server, limits);
    conn_pause(server.conn);
    assert_int_equal(write(pair[1], "one", 3), 3);
    shutdown(pair[1], SHUT_WR);
    event_base_loop(env.base, EVLOOP_NONBLOCK);
    event_base_loop(env.base, EVLOOP_NONBLOCK);
    assert_int_equal(server.datas, 0);
    assert_int_equal(server.ended, 0);
    conn_resume(server.conn);
    assert_int_equal(server.datas, 0); /* from the loop, not from inside */
    fixture_run(env.base, &done);
    assert_string_equal(server.got, "one");
    fixture_finish(env.base);
    assert_int_equal(server.ended, 1); /* the end comes after the data */
    close(pair[1]);
}

static void pause_with_unread_input(void **state)
{
    (void)state;
    struct side server = {.keep = true};
    int pair[2];
    fixture_pair(pair);
    accepted(pair[0], NULL, &server, limits);
    assert_int_equal(write(pair[1], "one two", 7), 7);
    event_base_loop(env.base, EVLOOP_ONCE);
    assert_int_equal(server.datas, 1);
    event_base_loop(env.base, EVLOOP_NONBLOCK);
    assert_int_equal(server.datas, 1); /* not called again for the same bytes */
    conn_consume(server.conn, 4);
    conn_pause(server.conn);
    conn_resume(server.conn);
    server.keep = false;
    event_base_loop(env.base, EVLOOP_NONBLOCK);
    assert_int_equal(server.datas, 2);
    assert_string_equal(server.got, "two");
    conn_abort(server.conn);
    close(pair[1]);
}

static void a17_input_is_bounded(void **state)
{
    (void)state;
    struct side server = {.keep = true};
    int pair[2];
    static char flood[200000];
    fixture_pair(pair);
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    accepted(pair[0], NULL, &server, limits);
    assert_true(write(pair[1], flood, sizeof flood) > 0);
    for (int i = 0; i < 20; i++)
        event_base_loop(env.base, EVLOOP_NONBLOCK);
    assert_int_equal(conn_input(server.conn).len, limits.input_max);
    /* Reading goes on as soon as there is room. */
    server.keep = false;
    server.count = true;
    conn_consume(server.conn, limits.input_max);
    for (int i = 0; i < 20; i++)
        event_base_loop(env.base, EVLOOP_NONBLOCK);
    assert_true(server.counted > 10 * limits.input_max);
    conn_abort(server.conn);
    close(pair[1]);
}

static void a17_output_is_bounded(void **state)
{
    (void)state;
    bool done = false;
    struct side server = {.done = &done};
    int pair[2];
    static char block[50000];
    fixture_pair(pair);
    accepted(pair[0], NULL, &server, limits);
    for (int i = 0; i < 400 && !done; i++) {
        conn_write(server.conn, span_of(block, sizeof block));
        event_base_loop(env.base, EVLOOP_NONBLOCK);
    }
    assert_true(done);
    assert_int_equal(server.why.status, STATUS_LIMIT);
    close(pair[1]);
}

static void refill(void *arg, struct conn *conn)
{
    struct side *s = arg;
    static char block[60000];
    if (++s->drained < 100)
        conn_write(conn, span_of(block, sizeof block));
    else
        conn_close(conn);
}

static void backpressure_over_tls(void **state)
{
    (void)state;
    static const struct conn_handler refiller = {start_client_tls, on_data, refill, on_deadline, on_end};
    struct sockaddr_in sin;
    struct error err;
    bool done = false;
    struct side server = {.done = &done, .count = true}, client = {0};
    int listening = fixture_listen(&sin);
    client.conn =
        conn_connect(env.base, NULL, (struct sockaddr *)&sin, sizeof sin, &refiller, &client, limits, &err);
    int fd = accept(listening, NULL, NULL);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    accepted(fd, env.server_tls, &server, limits);
    fixture_run(env.base, &done); /* opened */
    done = false;
    fixture_run(env.base, &done); /* ended */
    assert_int_equal(server.why.status, STATUS_CLOSED);
    assert_int_equal(server.counted, 14 + 99 * 60000);
    close(listening);
    fixture_finish(env.base);
}

enum { SMALL_RECORDS = 60 };

/* Behind the end of the handshake, many small records in as few segments as TCP can. */
static void send_small_records(int fd)
{
    SSL *ssl = SSL_new(env.client_tls);
    SSL_set_fd(ssl, fd);
    setsockopt(fd, IPPROTO_TCP, TCP_CORK, &(int){1}, sizeof(int));
    if (SSL_connect(ssl) != 1)
        _exit(1);
    for (int i = 0; i < SMALL_RECORDS; i++)
        if (SSL_write(ssl, "0123456789", 10) != 10)
            _exit(1);
    setsockopt(fd, IPPROTO_TCP, TCP_CORK, &(int){0}, sizeof(int));
    pause();
    _exit(0);
}

static void done_when_all_records_came(struct side *s)
{
    *s->done = s->got_len == 10 * SMALL_RECORDS;
}

/* TLS has taken them all from the socket at once: it never becomes readable again. */
static void small_records_read_at_once(void **state)
{
    (void)state;
    int pair[2];
    bool done = false;
    struct side server = {.done = &done, .then = done_when_all_records_came};
    fixture_pair(pair);
    pid_t client = fork();
    if (client == 0)
        send_small_records(pair[1]);
    accepted(pair[0], env.server_tls, &server, limits);
    fixture_run(env.base, &done);
    assert_int_equal(server.opened, 1);
    conn_abort(server.conn);
    kill(client, SIGKILL);
    waitpid(client, NULL, 0);
    close(pair[1]);
    fixture_finish(env.base);
}

static void starttls_on_data(void *arg, struct conn *conn)
{
    struct side *s = arg;
    struct error err;
    s->datas++;
    if (conn_is_tls(conn)) {
        struct span in = conn_input(conn);
        memcpy(s->got, in.p, in.len);
        conn_consume(conn, in.len);
        *s->done = true;
        return;
    }
    conn_consume(conn, strlen("STARTTLS\r\n"));
    conn_write(conn, span_str("220 go\r\n"));
    s->started = conn_start_tls(conn, env.server_tls, NULL, NULL, &err);
    if (s->started != STATUS_OK) {
        conn_write(conn, span_str("554 no\r\n"));
        conn_close(conn);
        *s->done = true;
    }
}

static const struct conn_handler starttls_server = {on_open, starttls_on_data, on_drained, on_deadline,
                                                    on_end};

static int starttls_pair(struct side *server)
{
    int pair[2];
    struct error err;
    fixture_pair(pair);
    server->conn = conn_accepted(env.base, pair[0], NULL, &starttls_server, server, limits, &err);
    assert_non_null(server->conn);
    return pair[1];
}

static void a3_server_refuses_pipelined_plaintext(void **state)
{
    (void)state;
    /* Behind STARTTLS in the same segment (user buffer). */
    bool done = false;
    struct side server = {.done = &done};
    int fd = starttls_pair(&server);
    assert_int_equal(write(fd, "STARTTLS\r\nEHLO x\r\n", 18), 18);
    fixture_run(env.base, &done);
    assert_int_equal(server.started, STATUS_INVALID);
    char back[64] = {0};
    event_base_loop(env.base, EVLOOP_NONBLOCK);
    assert_true(recv(fd, back, sizeof back, 0) > 0);
    assert_non_null(strstr(back, "554 no\r\n"));
    close(fd);
    fixture_finish(env.base);
    assert_int_equal(server.opened, 0);
}

static void a3_server_refuses_plaintext_in_socket(void **state)
{
    (void)state;
    /* input_max of the size of the command leaves the rest in the kernel's buffer. */
    bool done = false;
    struct side server = {.done = &done};
    int pair[2];
    struct error err;
    fixture_pair(pair);
    server.conn = conn_accepted(env.base, pair[0], NULL, &starttls_server, &server,
                                (struct conn_limits){10, 1000}, &err);
    assert_int_equal(write(pair[1], "STARTTLS\r\nEHLO x\r\n", 18), 18);
    fixture_run(env.base, &done);
    assert_int_equal(server.started, STATUS_INVALID);
    close(pair[1]);
    fixture_finish(env.base);
}

static void a3_plaintext_after_220_ends_the_handshake(void **state)
{
    (void)state;
    bool done = false;
    struct side server = {.done = &done};
    int fd = starttls_pair(&server);
    char back[64];
    assert_int_equal(write(fd, "STARTTLS\r\n", 10), 10);
    event_base_loop(env.base, EVLOOP_ONCE);
    event_base_loop(env.base, EVLOOP_NONBLOCK);
    assert_int_equal(recv(fd, back, sizeof back, 0), 8);
    assert_int_equal(write(fd, "EHLO x\r\n", 8), 8);
    fixture_run(env.base, &done);
    assert_int_equal(server.ended, 1);
    assert_int_equal(server.opened, 0);
    assert_int_equal(server.datas, 1);
    close(fd);
}

static void starttls_then_data(void **state)
{
    (void)state;
    bool done = false;
    struct side server = {.done = &done, .then = set_done};
    int fd = starttls_pair(&server);
    char back[64];
    assert_int_equal(write(fd, "STARTTLS\r\n", 10), 10);
    event_base_loop(env.base, EVLOOP_ONCE);
    assert_int_equal(recv(fd, back, 8, MSG_WAITALL), 8);
    SSL *ssl = SSL_new(env.client_tls);
    SSL_set_fd(ssl, fd);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 1000 && SSL_connect(ssl) != 1; i++)
        event_base_loop(env.base, EVLOOP_NONBLOCK);
    assert_int_equal(SSL_write(ssl, "EHLO x\r\n", 8), 8);
    fixture_run(env.base, &done);
    assert_string_equal(server.got, "EHLO x\r\n");
    /* A missing close_notify is an end, but not an orderly one. */
    done = false;
    close(fd);
    SSL_free(ssl);
    fixture_run(env.base, &done);
    assert_int_equal(server.ended, 1);
    assert_int_not_equal(server.why.status, STATUS_CLOSED);
}

static void a3_client_refuses_plaintext_behind_220(void **state)
{
    (void)state;
    /* In the user's buffer, in the kernel's buffer, and after the client hello. */
    for (int where = 0; where < 3; where++) {
        bool done = false;
        struct error err;
        struct side client = {.keep = true};
        int fd = connected(&client);
        while (client.opened == 0)
            event_base_loop(env.base, EVLOOP_ONCE);
        assert_int_equal(write(fd, "220 go\r\n", 8), 8);
        if (where == 0)
            assert_int_equal(write(fd, "250 x\r\n", 7), 7);
        while (conn_input(client.conn).len < (where == 0 ? 15 : 8))
            event_base_loop(env.base, EVLOOP_ONCE);
        conn_consume(client.conn, 8);
        if (where == 1)
            assert_int_equal(write(fd, "250 x\r\n", 7), 7);
        enum status st = conn_start_tls(client.conn, env.client_tls, NULL, NULL, &err);
        assert_int_equal(st, where == 2 ? STATUS_OK : STATUS_INVALID);
        if (where == 2) {
            assert_int_equal(write(fd, "250 x\r\n", 7), 7);
            client.done = &done;
            fixture_run(env.base, &done);
            assert_int_equal(client.ended, 1);
            assert_int_equal(client.opened, 1);
        } else {
            conn_abort(client.conn);
        }
        close(fd);
    }
}

static void nothing_is_written_before_tls_is_up(void **state)
{
    (void)state;
    bool done = false;
    struct error err;
    struct side client = {.done = &done, .then = set_done};
    int fd = connected(&client);
    while (client.opened == 0)
        event_base_loop(env.base, EVLOOP_ONCE);
    assert_int_equal(conn_start_tls(client.conn, env.client_tls, NULL, NULL, &err), STATUS_OK);
    conn_write(client.conn, span_str("secret"));
    fixture_run(env.base, &done);
    assert_int_equal(client.why.status, STATUS_INTERNAL);
    char back[2000];
    ssize_t n = recv(fd, back, sizeof back, MSG_DONTWAIT);
    assert_true(n <= 0 || !memmem(back, (size_t)n, "secret", 6));
    close(fd);
}

static void a18_deadline_in_handshake(void **state)
{
    (void)state;
    bool done = false;
    struct side server = {.done = &done};
    int pair[2];
    fixture_pair(pair);
    accepted(pair[0], env.server_tls, &server, limits);
    conn_deadline(server.conn, 150);
    /* Bytes that come meanwhile do not put it off. */
    static const unsigned char start[] = {0x16, 3, 1, 0, 200};
    for (size_t i = 0; i < sizeof start && !done; i++) {
        assert_int_equal(write(pair[1], start + i, 1), 1);
        event_base_loop(env.base, EVLOOP_ONCE);
    }
    fixture_run(env.base, &done);
    assert_int_equal(server.deadlines, 1);
    fixture_finish(env.base);
    assert_int_equal(server.ended, 0);
    char back[64];
    /* The last line is not sent in clear where TLS is expected. */
    ssize_t n = recv(pair[1], back, sizeof back, 0);
    assert_true(n <= 0 || !memmem(back, (size_t)n, "421", 3));
    close(pair[1]);
}

static void a18_deadline_while_idle(void **state)
{
    (void)state;
    bool done = false;
    struct side server = {.done = &done};
    int pair[2];
    char back[64] = {0};
    fixture_pair(pair);
    accepted(pair[0], NULL, &server, limits);
    conn_deadline(server.conn, 5000);
    conn_deadline(server.conn, 20); /* replaces the one before */
    fixture_run(env.base, &done);
    event_base_loop(env.base, EVLOOP_NONBLOCK);
    assert_int_equal(recv(pair[1], back, sizeof back, 0), 14);
    assert_string_equal(back, "421 too slow\r\n");
    close(pair[1]);
    fixture_finish(env.base);
}

static void refused_connection_ends(void **state)
{
    (void)state;
    bool done = false;
    struct error err;
    struct sockaddr_in sin;
    struct side client = {.done = &done};
    close(fixture_listen(&sin));
    client.conn =
        conn_connect(env.base, NULL, (struct sockaddr *)&sin, sizeof sin, &handler, &client, limits, &err);
    if (!client.conn)
        return; /* some kernels say so at once */
    fixture_run(env.base, &done);
    assert_int_equal(client.ended, 1);
    assert_non_null(strstr(client.why.text, "127.0.0.1"));
}

static void writes_in_one_turn_are_one_segment(void **state)
{
    (void)state;
    struct side server = {0};
    int pair[2];
    char back[64];
    fixture_pair(pair);
    accepted(pair[0], NULL, &server, limits);
    conn_write(server.conn, span_str("250-one\r\n"));
    conn_write(server.conn, span_str("250 two\r\n"));
    event_base_loop(env.base, EVLOOP_NONBLOCK);
    assert_int_equal(recv(pair[1], back, sizeof back, 0), 18);
    assert_int_equal(server.drained, 1);
    conn_abort(server.conn);
    close(pair[1]);
}

static int setup(void **state)
{
    (void)state;
    struct error err;
    char cert[128], key[128];
    signal(SIGPIPE, SIG_IGN);
    env.base = event_base_new();
    strcpy(env.dir, "/tmp/sgnetXXXXXX");
    assert_non_null(mkdtemp(env.dir));
    fixture_certificate(env.dir);
    snprintf(cert, sizeof cert, "%s/cert.pem", env.dir);
    snprintf(key, sizeof key, "%s/key.pem", env.dir);
    struct tls_server_settings server = {cert, key};
    struct tls_client_settings client = {cert};
    assert_int_equal(tls_server_context(&server, &env.server_tls, &err), STATUS_OK);
    assert_int_equal(tls_client_context(&client, &env.client_tls, &err), STATUS_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    SSL_CTX_free(env.server_tls);
    SSL_CTX_free(env.client_tls);
    event_base_free(env.base);
    fixture_remove(env.dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_both_versions),
        cmocka_unit_test(old_tls_is_refused),
        cmocka_unit_test(byte_at_a_time),
        cmocka_unit_test(close_in_handler_sends_last_words),
        cmocka_unit_test(abort_in_handler_is_safe),
        cmocka_unit_test(pause_and_resume),
        cmocka_unit_test(pause_with_unread_input),
        cmocka_unit_test(a17_input_is_bounded),
        cmocka_unit_test(a17_output_is_bounded),
        cmocka_unit_test(backpressure_over_tls),
        cmocka_unit_test(small_records_read_at_once),
        cmocka_unit_test(a3_server_refuses_pipelined_plaintext),
        cmocka_unit_test(a3_server_refuses_plaintext_in_socket),
        cmocka_unit_test(a3_plaintext_after_220_ends_the_handshake),
        cmocka_unit_test(starttls_then_data),
        cmocka_unit_test(a3_client_refuses_plaintext_behind_220),
        cmocka_unit_test(nothing_is_written_before_tls_is_up),
        cmocka_unit_test(a18_deadline_in_handshake),
        cmocka_unit_test(a18_deadline_while_idle),
        cmocka_unit_test(refused_connection_ends),
        cmocka_unit_test(writes_in_one_turn_are_one_segment),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
