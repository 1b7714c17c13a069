#include "tests/unit/net/fixture.h"

#include <errno.h>
#include <sys/resource.h>

#include "gateway/net/listener.h"

static void addresses_are_parsed_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int family; /* 0: refused */
        int port;
    } cases[] = {
        {"127.0.0.1:2525", AF_INET, 2525},
        {"[127.0.0.1]:25", AF_INET, 25},
        {"[::]:465", AF_INET6, 465},
        {"[::1]:65535", AF_INET6, 65535},
        {"[2001:db8::1]:587", AF_INET6, 587},
        {"127.0.0.1", 0, 0},
        {"127.0.0.1:", 0, 0},
        {"127.0.0.1:0", 0, 0},
        {"127.0.0.1:65536", 0, 0},
        {"127.0.0.1:99999999999", 0, 0},
        {"127.0.0.1:25x", 0, 0},
        {"127.0.0.1:-1", 0, 0},
        {"127.0.0.1: 25", 0, 0},
        {"::1:25", 0, 0},
        {"[::1:25", 0, 0},
        {"[::1]", 0, 0},
        {"[]:25", 0, 0},
        {":25", 0, 0},
        {"", 0, 0},
        {"localhost:25", 0, 0}, /* names are for configuration of routes, not for this */
        {"[mail.example.org]:25", 0, 0},
        {"300.0.0.1:25", 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockaddr_storage ss;
        socklen_t len = 0;
        struct error err;
        enum status st = socket_address_parse(cases[i].text, &ss, &len, &err);
        assert_int_equal(st, cases[i].family ? STATUS_OK : STATUS_INVALID);
        if (st != STATUS_OK)
            continue;
        assert_int_equal(ss.ss_family, cases[i].family);
        in_port_t port = ss.ss_family == AF_INET ? ((struct sockaddr_in *)&ss)->sin_port
                                                 : ((struct sockaddr_in6 *)&ss)->sin6_port;
        assert_int_equal(ntohs(port), cases[i].port);
        assert_true(len > 0);
    }
}

/* A port that was free a moment ago. */
static int free_port(void)
{
    struct sockaddr_in sin;
    close(fixture_listen(&sin));
    return ntohs(sin.sin_port);
}

static int bind_free(const char *host, int *port_out)
{
    char address[64];
    struct error err;
    int fd = -1;
    for (int i = 0; i < 10 && fd < 0; i++) {
        *port_out = free_port();
        snprintf(address, sizeof address, "%s:%d", host, *port_out);
        if (listener_bind(address, false, &fd, &err) != STATUS_OK)
            fd = -1;
    }
    assert_true(fd >= 0);
    return fd;
}

static int dial(int port)
{
    struct sockaddr_in sin = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof sin), 0);
    return fd;
}

struct accepts {
    int n;
    int last;
    bool done;
};

static void on_accept(void *arg, int fd)
{
    struct accepts *a = arg;
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    a->n++;
    a->done = true;
    close(fd);
}

static void dual_stack_accepts_ipv4(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct accepts a = {0};
    struct error err;
    int port;
    int fd = bind_free("[::]", &port);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    struct listener *listener = listener_start(base, fd, on_accept, &a, &err);
    assert_non_null(listener);
    int client = dial(port);
    fixture_run(base, &a.done);
    assert_int_equal(a.n, 1);
    listener_stop(listener);
    close(client);
    close(fd);
    event_base_free(base);
}

static void a_taken_port_is_explained(void **state)
{
    (void)state;
    struct error err;
    char address[64];
    int port, second;
    int fd = bind_free("127.0.0.1", &port);
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    assert_int_not_equal(listener_bind(address, false, &second, &err), STATUS_OK);
    assert_non_null(strstr(err.text, "another program listens there"));
    assert_non_null(strstr(err.text, address));
    close(fd);
}

static void a17_out_of_descriptors_pauses(void **state)
{
    (void)state;
    struct event_base *base = event_base_new();
    struct accepts a = {0};
    struct error err;
    struct rlimit old, low;
    int port;
    int fd = bind_free("127.0.0.1", &port);
    struct listener *listener = listener_start(base, fd, on_accept, &a, &err);
    int client = dial(port);
    getrlimit(RLIMIT_NOFILE, &old);
    low = old;
    int next = dup(0);
    close(next);
    low.rlim_cur = (rlim_t)next;
    setrlimit(RLIMIT_NOFILE, &low);
    event_base_loop(base, EVLOOP_ONCE);
    /* It does not spin: nothing is ready until the pause is over. */
    assert_int_equal(event_base_loop(base, EVLOOP_NONBLOCK), 0);
    assert_int_equal(a.n, 0);
    setrlimit(RLIMIT_NOFILE, &old);
    fixture_run(base, &a.done);
    assert_int_equal(a.n, 1);
    listener_stop(listener);
    close(client);
    close(fd);
    event_base_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_parsed_strictly),
        cmocka_unit_test(dual_stack_accepts_ipv4),
        cmocka_unit_test(a_taken_port_is_explained),
        cmocka_unit_test(a17_out_of_descriptors_pauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
