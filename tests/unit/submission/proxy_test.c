/* Sessions behind a load balancer (A31): who the client is, and how long it may stay unknown. */
#include "tests/unit/submission/fixture.h"

#include "gateway/net/network.h"

#define HEADER(command, family, length) "\r\n\r\n\0\r\nQUIT\n" command family "\0" length
#define TCP4(d)                                                                                              \
    HEADER("\x21", "\x11", "\x0c") "\xcb\x00\x71" d "\x7f\x00\x00\x01\xc3\x50\x01\xd1" /* 203.0.113.D */
#define TCP6                                                                                                 \
    HEADER("\x21", "\x21", "\x24")                                                                           \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09"                                                             \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                                             \
    "\xc3\x50\x01\xd1"
#define LOCAL HEADER("\x20", "\x00", "\x00")
#define UNSPEC HEADER("\x21", "\x00", "\x00")
#define BYTES(s) s, sizeof s - 1

static struct network *loopback(void)
{
    static struct network network;
    struct error err;
    assert_int_equal(network_parse("127.0.0.0/8", &network, &err), STATUS_OK);
    return &network;
}

/* What prepare() gives both listeners. */
static struct network *proxies;
static size_t n_proxies;

static void prepare(struct fixture *f)
{
    for (int i = 0; i < 2; i++) {
        f->listeners[i].proxies = proxies;
        f->listeners[i].n_proxies = n_proxies;
    }
}

static struct fixture *start_behind(struct network *networks, size_t n, struct submission_limits limits)
{
    proxies = networks;
    n_proxies = n;
    return start_prepared(limits, SASL_ALL_MECHANISMS, prepare);
}

static struct fixture *start_proxied(struct submission_limits limits)
{
    return start_behind(loopback(), 1, limits);
}

/* A connection whose first bytes are HEADER; then up to the greeting. */
static void open_proxied(struct client *c, struct fixture *f, int port, const void *header, size_t len)
{
    *c = (struct client){.f = f, .fd = connect_to(f->ports[port])};
    assert_true(put(c, header, len));
    if (port == 0)
        client_tls(c);
    expect(c, "220 mail.example.org ESMTP");
}

static void close_proxied(struct client *c)
{
    SSL_free(c->ssl);
    close(c->fd);
}

static void expect_log(const char *log, const char *what, bool there)
{
    if (!strstr(log, what) == there)
        fail_msg("%s %s in:\n%s", what, there ? "is not" : "is", log);
}

static void test_A31_the_header_names_the_client(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t len;
        const char *logged;
    } cases[] = {
        {BYTES(TCP4("\x07")), "client=203.0.113.7 "},
        {BYTES(TCP6), "client=2001:db8::9 "},
        {BYTES(LOCAL), "client=127.0.0.1 "},
        {BYTES(UNSPEC), "client=127.0.0.1 "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int port = 0; port < 2; port++) {
            struct fixture *f = start_proxied(test_limits());
            struct client c;
            char *log;
            open_proxied(&c, f, port, cases[i].header, cases[i].len);
            say(&c, "EHLO client.example.org", "250");
            say(&c, "QUIT", "221");
            close_proxied(&c);
            finish(f, &log);
            expect_log(log, cases[i].logged, true);
            free(log);
        }
    }
}

/* Byte by byte, and the client's hello in one packet with the last of them: the header is read up to its end
 * and no further. */
static void test_A31_a_header_in_pieces(void **state)
{
    (void)state;
    struct fixture *f = start_proxied(test_limits());
    struct client c = {.f = f, .fd = connect_to(f->ports[0]), .ssl = SSL_new(f->client_tls)};
    static const char header[] = TCP4("\x07");
    const size_t before_last = sizeof header - 2;
    char packet[4096], *hello;
    for (size_t i = 0; i < before_last; i++)
        assert_int_equal(send(c.fd, header + i, 1, 0), 1);
    SSL_set_bio(c.ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    assert_int_equal(SSL_connect(c.ssl), -1);
    long len = BIO_get_mem_data(SSL_get_wbio(c.ssl), &hello);
    assert_true(len > 0 && (size_t)len < sizeof packet);
    packet[0] = header[before_last];
    memcpy(packet + 1, hello, (size_t)len);
    assert_int_equal(send(c.fd, packet, (size_t)len + 1, 0), len + 1);
    SSL_set_fd(c.ssl, c.fd);
    assert_int_equal(SSL_connect(c.ssl), 1);
    expect(&c, "220");
    say(&c, "NOOP", "250");
    close_proxied(&c);
    finish(f, NULL);
}

static void test_A31_without_a_header_nobody_is_served(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {BYTES("EHLO client.example.org\r\n")},
        {BYTES("PROXY TCP4 203.0.113.7 127.0.0.1 50000 465\r\n")},
        {BYTES("\x16\x03\x01\x02")},
        {BYTES(HEADER("\x21", "\x11", "\x0b") "12345678901")},
        {BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff")},
    };
    struct fixture *f = start_proxied(test_limits());
    char *log;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int port = 0; port < 2; port++) {
            struct client c = {.f = f, .fd = connect_to(f->ports[port])};
            assert_true(put(&c, cases[i].bytes, cases[i].len));
            expect(&c, ""); /* no greeting, no TLS alert: an end */
            close(c.fd);
        }
    }
    finish(f, &log);
    expect_log(log, "event=proxy-header", true);
    expect_log(log, "event=connected", false);
    free(log);
}

static void test_A31_a_slow_header_is_closed_on_time(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.handshake_ms = 300;
    struct fixture *f = start_proxied(limits);
    struct client c = {.f = f, .fd = connect_to(f->ports[1])};
    char *log;
    assert_true(put(&c, BYTES("\r\n\r\n")));
    expect(&c, "");
    close(c.fd);
    finish(f, &log);
    expect_log(log, "event=timeout", true);
    free(log);
}

/* Each client has its own count, whoever passes it on; and those who are not known yet count in all. */
static void test_A31_limits_count_the_client(void **state)
{
    (void)state;
    struct submission_limits limits = test_limits();
    limits.sessions_per_client_max = 1;
    limits.sessions_max = 4;
    struct fixture *f = start_proxied(limits);
    struct client a, b, again = {.f = f, .fd = connect_to(f->ports[1])}, waits[2], more;
    open_proxied(&a, f, 1, BYTES(TCP4("\x07")));
    open_proxied(&b, f, 0, BYTES(TCP4("\x08")));
    assert_true(put(&again, BYTES(TCP4("\x07"))));
    expect(&again, "421 4.7.0");
    expect_end(&again);
    close(again.fd);
    /* Over TLS it is closed before the handshake. */
    again = (struct client){.f = f, .fd = connect_to(f->ports[0])};
    assert_true(put(&again, BYTES(TCP4("\x08"))));
    expect(&again, "");
    close(again.fd);
    for (int i = 0; i < 2; i++)
        waits[i] = (struct client){.f = f, .fd = connect_to(f->ports[1])};
    more = (struct client){.f = f, .fd = connect_to(f->ports[1])};
    expect(&more, "421 4.7.0");
    close(more.fd);
    /* The places of those that leave without a word, and of a known client, are free again. */
    close(waits[0].fd);
    close(waits[1].fd);
    say(&a, "QUIT", "221");
    expect_end(&a);
    close_proxied(&a);
    open_proxied(&a, f, 1, BYTES(TCP4("\x07")));
    close_proxied(&a);
    close_proxied(&b);
    finish(f, NULL);
}

static void test_A31_a_header_from_elsewhere_is_garbage(void **state)
{
    (void)state;
    static struct network elsewhere;
    struct error err;
    assert_int_equal(network_parse("192.0.2.0/24", &elsewhere, &err), STATUS_OK);
    for (int listed = 0; listed < 2; listed++) {
        struct fixture *f = start_behind(&elsewhere, (size_t)listed, test_limits());
        struct client clear = {.f = f, .fd = connect_to(f->ports[1])},
                      tls = {.f = f, .fd = connect_to(f->ports[0])};
        char *log;
        expect(&clear, "220");
        assert_true(put(&clear, BYTES(TCP4("\x07"))));
        expect(&clear, "500"); /* two empty lines, then a line that is none: closed */
        while (*get_reply(&clear))
            assert_int_equal(clear.reply[0], '5');
        assert_true(put(&tls, BYTES(TCP4("\x07"))));
        while (get_more(&tls)) /* an alert at most */
            ;
        close(clear.fd);
        close(tls.fd);
        finish(f, &log);
        expect_log(log, "203.0.113.7", false);
        free(log);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A31_the_header_names_the_client),
        cmocka_unit_test(test_A31_a_header_in_pieces),
        cmocka_unit_test(test_A31_without_a_header_nobody_is_served),
        cmocka_unit_test(test_A31_a_slow_header_is_closed_on_time),
        cmocka_unit_test(test_A31_limits_count_the_client),
        cmocka_unit_test(test_A31_a_header_from_elsewhere_is_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
