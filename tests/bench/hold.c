/*
 * hold: keeps many TLS connections to a submission server open at once: idle ones, which say EHLO and then
 * nothing, and slow ones, which send one byte of an endless command each second.
 *
 * Prints "ready" when all are up, and at the end of its standard input one JSON object: how many of each are
 * still open. One process, one epoll loop.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Handshakes at once: more would meet the deadline of the server's handshake on a slow machine. */
#define AT_ONCE 200

enum state { STATE_HANDSHAKE, STATE_GREETING, STATE_EHLO, STATE_HELD, STATE_CLOSED };

struct held {
    int fd;
    SSL *ssl;
    enum state state;
    bool slow;
};

struct options {
    int port;
    int idle, slow;
};

struct hold {
    struct options o;
    SSL_CTX *tls;
    int epoll;
    struct held *all;
    int opened, up, closed;
};

static void fail(const char *what)
{
    perror(what);
    exit(71);
}

static void let_many_files_be_open(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

static void close_held(struct hold *h, struct held *c)
{
    if (c->state != STATE_HELD)
        fprintf(stderr, "hold: a connection ended before it was up\n");
    SSL_free(c->ssl);
    close(c->fd);
    c->ssl = NULL;
    c->state = STATE_CLOSED;
    h->closed++;
}

static void open_next(struct hold *h)
{
    struct held *c = &h->all[h->opened];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)h->o.port)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
    int one = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->slow = h->opened >= h->o.idle;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0)
        fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    c->ssl = SSL_new(h->tls);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
    if (epoll_ctl(h->epoll, EPOLL_CTL_ADD, c->fd, &event) < 0)
        fail("epoll_ctl");
    h->opened++;
    (void)SSL_do_handshake(c->ssl);
}

/* The server spoke. False: it closed. */
static bool hear(struct hold *h, struct held *c)
{
    static const char hello[] = "EHLO hold.example.com\r\n";
    char text[4096];
    if (c->state == STATE_HANDSHAKE) {
        int result = SSL_do_handshake(c->ssl);
        if (result != 1)
            return SSL_get_error(c->ssl, result) == SSL_ERROR_WANT_READ;
        c->state = STATE_GREETING;
    }
    for (;;) {
        int n = SSL_read(c->ssl, text, sizeof text);
        if (n <= 0)
            return SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ;
        if (c->state == STATE_GREETING) {
            c->state = STATE_EHLO;
            SSL_write(c->ssl, hello, sizeof hello - 1);
        } else if (c->state == STATE_EHLO) {
            c->state = STATE_HELD;
            h->up++;
        }
    }
}

static void turn(struct hold *h, int wait_ms)
{
    struct epoll_event events[256];
    int n = epoll_wait(h->epoll, events, 256, wait_ms);
    for (int i = 0; i < n; i++) {
        struct held *c = events[i].data.ptr;
        if (c && c->state != STATE_CLOSED && !hear(h, c))
            close_held(h, c);
    }
}

static void trickle(struct hold *h)
{
    for (int i = h->o.idle; i < h->opened; i++)
        if (h->all[i].state == STATE_HELD)
            SSL_write(h->all[i].ssl, "x", 1);
}

static bool stdin_ended(void)
{
    char byte;
    return read(STDIN_FILENO, &byte, 1) == 0;
}

static void report(const struct hold *h)
{
    int idle = 0, slow = 0;
    for (int i = 0; i < h->opened; i++)
        if (h->all[i].state == STATE_HELD)
            *(h->all[i].slow ? &slow : &idle) += 1;
    printf("{\"idle\": %d, \"slow\": %d}\n", idle, slow);
}

static int usage(void)
{
    fputs("usage: hold --port N [--idle N] [--slow N]\n", stderr);
    return 64;
}

static void hold(struct hold *h)
{
    int total = h->o.idle + h->o.slow;
    while (h->up + h->closed < total) {
        while (h->opened < total && h->opened - h->up - h->closed < AT_ONCE)
            open_next(h);
        turn(h, 1000);
    }
    puts("ready");
    fflush(stdout);
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    for (time_t last = time(NULL); !stdin_ended();) {
        turn(h, 200);
        if (time(NULL) == last)
            continue;
        last = time(NULL);
        trickle(h);
    }
    report(h);
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"port", 1, 0, 'p'}, {"idle", 1, 0, 'i'}, {"slow", 1, 0, 's'}, {0, 0, 0, 0}};
    struct hold h = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    int option;
    signal(SIGPIPE, SIG_IGN);
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'p')
            h.o.port = atoi(optarg);
        else if (option == 'i')
            h.o.idle = atoi(optarg);
        else if (option == 's')
            h.o.slow = atoi(optarg);
        else
            return usage();
    }
    if (!h.o.port || h.o.idle < 0 || h.o.slow < 0 || h.o.idle + h.o.slow < 1)
        return usage();
    let_many_files_be_open();
    h.tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(h.tls, SSL_MODE_RELEASE_BUFFERS);
    h.all = calloc((size_t)(h.o.idle + h.o.slow), sizeof *h.all);
    if (h.epoll < 0 || !h.tls || !h.all)
        fail("start");
    hold(&h);
    return 0;
}
