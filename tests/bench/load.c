/*
 * load: sends mail over TLS with AUTH from many sessions at once and measures the time from the final dot to
 * the 250.
 *
 * Each session is a process with blocking sockets. The clock starts when all sessions have logged in; with
 * --reconnect, before the first connection. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct options {
    const char *host;
    int port;
    bool starttls;
    const char *user, *password; /* NULL: no AUTH */
    const char *from, *to;
    int sessions, messages; /* messages of each session */
    size_t size;            /* bytes of a message, header included */
    bool reconnect;         /* a new connection for each message */
    double rate;            /* messages per second of all sessions together, 0: as fast as they can */
};

/* Shared with the sessions. */
struct result {
    _Atomic int sent, failed;
    _Atomic int ready; /* sessions that have logged in, or failed to */
    _Atomic bool go;
    double start;   /* valid once go is set */
    double times[]; /* seconds from the end of data to its reply; sessions × messages */
};

struct session {
    const struct options *o;
    int fd;
    SSL *ssl;
    char in[8192];
    size_t in_len;
};

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool put(struct session *s, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = s->ssl ? SSL_write(s->ssl, bytes, (int)len) : write(s->fd, bytes, len);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* The code of the next reply, its last line; 0: the connection ended. */
static int reply(struct session *s)
{
    for (;;) {
        char *end = memchr(s->in, '\n', s->in_len);
        if (end) {
            size_t len = (size_t)(end + 1 - s->in);
            bool last = len > 4 && s->in[3] != '-';
            int code = atoi(s->in);
            memmove(s->in, end + 1, s->in_len - len);
            s->in_len -= len;
            if (last)
                return code;
            continue;
        }
        if (s->in_len == sizeof s->in)
            return 0;
        size_t room = sizeof s->in - s->in_len;
        ssize_t n =
            s->ssl ? SSL_read(s->ssl, s->in + s->in_len, (int)room) : read(s->fd, s->in + s->in_len, room);
        if (n <= 0)
            return 0;
        s->in_len += (size_t)n;
    }
}

static int command(struct session *s, const char *line)
{
    return put(s, line, strlen(line)) && put(s, "\r\n", 2) ? reply(s) : 0;
}

static bool start_tls(struct session *s, SSL_CTX *tls)
{
    s->ssl = SSL_new(tls);
    SSL_set_fd(s->ssl, s->fd);
    return SSL_connect(s->ssl) == 1;
}

static bool log_in(struct session *s)
{
    char plain[512], line[1024] = "AUTH PLAIN ";
    if (!s->o->user)
        return true;
    int n = snprintf(plain, sizeof plain, "%c%s%c%s", 0, s->o->user, 0, s->o->password);
    EVP_EncodeBlock((unsigned char *)line + strlen(line), (unsigned char *)plain, n);
    return command(s, line) == 235;
}

static void leave(struct session *s)
{
    if (s->ssl) {
        SSL_shutdown(s->ssl);
        SSL_free(s->ssl);
    }
    if (s->fd >= 0)
        close(s->fd);
    s->ssl = NULL;
    s->fd = -1;
    s->in_len = 0;
}

static bool enter(struct session *s, SSL_CTX *tls)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->o->port)};
    int one = 1;
    inet_pton(AF_INET, s->o->host, &to.sin_addr);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(s->fd, (struct sockaddr *)&to, sizeof to) < 0)
        return false;
    if (s->o->starttls) {
        if (reply(s) != 220 || command(s, "EHLO load.example.com") != 250 || command(s, "STARTTLS") != 220 ||
            !start_tls(s, tls))
            return false;
    } else if (!start_tls(s, tls) || reply(s) != 220) {
        return false;
    }
    return command(s, "EHLO load.example.com") == 250 && log_in(s);
}

/* One message; the seconds from the final dot to its 250, or -1. */
static double send_one(struct session *s, const char *message, size_t len)
{
    char line[600];
    snprintf(line, sizeof line, "MAIL FROM:<%s>", s->o->from);
    if (command(s, line) != 250)
        return -1;
    snprintf(line, sizeof line, "RCPT TO:<%s>", s->o->to);
    if (command(s, line) != 250 || command(s, "DATA") != 354)
        return -1;
    if (!put(s, message, len))
        return -1;
    double start = now();
    return put(s, "\r\n.\r\n", 5) && reply(s) == 250 ? now() - start : -1;
}

static char *make_message(const struct options *o, int session, size_t *len_out)
{
    char *text = malloc(o->size + 2048);
    int n = snprintf(
        text, 2048,
        "From: <%s>\r\nTo: <%s>\r\nSubject: load\r\nMessage-ID: <%d.%ld@load.example.com>\r\n"
        "Date: Sun, 22 Nov 2026 09:10:11 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n",
        o->from, o->to, session, (long)getpid());
    size_t len = (size_t)n;
    /* Lines of 76 characters of text that does not compress to nothing. */
    unsigned seed = (unsigned)session;
    while (len + 78 < o->size) {
        for (int i = 0; i < 76; i++)
            text[len++] = (char)('a' + rand_r(&seed) % 26);
        text[len++] = '\r';
        text[len++] = '\n';
    }
    *len_out = len - (len > (size_t)n ? 2 : 0);
    return text;
}

static void wait_until(double when)
{
    double left = when - now();
    if (left > 0)
        usleep((useconds_t)(left * 1e6));
}

/* Tells that this session is ready and waits for the others. */
static void line_up(struct result *result)
{
    atomic_fetch_add(&result->ready, 1);
    while (!atomic_load(&result->go))
        usleep(1000);
}

static void start_together(const struct options *o, struct result *result)
{
    while (atomic_load(&result->ready) < o->sessions)
        usleep(1000);
    result->start = now();
    atomic_store(&result->go, true);
}

static void run_session(const struct options *o, int number, struct result *result)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    size_t len;
    char *message = make_message(o, number, &len);
    struct session s = {.o = o, .fd = -1};
    if (!o->reconnect && !enter(&s, tls))
        leave(&s);
    line_up(result);
    for (int i = 0; i < o->messages; i++) {
        if (o->rate > 0)
            wait_until(result->start + (i * o->sessions + number) / o->rate);
        double took = s.fd >= 0 || enter(&s, tls) ? send_one(&s, message, len) : -1;
        result->times[number * o->messages + i] = took;
        atomic_fetch_add(took >= 0 ? &result->sent : &result->failed, 1);
        if (took < 0 || o->reconnect) {
            if (took >= 0)
                command(&s, "QUIT");
            leave(&s);
        }
    }
    if (s.fd >= 0)
        command(&s, "QUIT");
    leave(&s);
    _exit(0);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const struct options *o, struct result *result, double seconds)
{
    int total = o->sessions * o->messages;
    qsort(result->times, (size_t)total, sizeof(double), compare);
    int bad = atomic_load(&result->failed), good = total - bad;
    double *times = result->times + bad; /* failures are negative, so they stand first */
    printf("{\"sent\": %d, \"failed\": %d, \"seconds\": %.3f, \"per_second\": %.1f, \"p50_ms\": %.2f, "
           "\"p99_ms\": %.2f}\n",
           good, bad, seconds, good / seconds, good ? times[good / 2] * 1e3 : 0,
           good ? times[good * 99 / 100] * 1e3 : 0);
}

static int usage(void)
{
    fputs("usage: load --host IP --port N [--starttls] [--user U --password P] [--from A] --to A\n"
          "            [--sessions N] [--messages N] [--size BYTES] [--reconnect] [--rate PER_SECOND]\n",
          stderr);
    return 64;
}

int main(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"host", 1, 0, 'h'}, {"port", 1, 0, 'p'},      {"starttls", 0, 0, 's'},
        {"user", 1, 0, 'u'}, {"password", 1, 0, 'w'},  {"from", 1, 0, 'f'},
        {"to", 1, 0, 't'},   {"sessions", 1, 0, 'n'},  {"messages", 1, 0, 'm'},
        {"size", 1, 0, 'z'}, {"reconnect", 0, 0, 'r'}, {"rate", 1, 0, 'R'},
        {0, 0, 0, 0}};
    struct options o = {
        .host = "127.0.0.1", .from = "alice@example.org", .sessions = 20, .messages = 50, .size = 10240};
    int option;
    signal(SIGPIPE, SIG_IGN);
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case 'h':
            o.host = optarg;
            break;
        case 'p':
            o.port = atoi(optarg);
            break;
        case 's':
            o.starttls = true;
            break;
        case 'u':
            o.user = optarg;
            break;
        case 'w':
            o.password = optarg;
            break;
        case 'f':
            o.from = optarg;
            break;
        case 't':
            o.to = optarg;
            break;
        case 'n':
            o.sessions = atoi(optarg);
            break;
        case 'm':
            o.messages = atoi(optarg);
            break;
        case 'z':
            o.size = (size_t)atol(optarg);
            break;
        case 'r':
            o.reconnect = true;
            break;
        case 'R':
            o.rate = atof(optarg);
            break;
        default:
            return usage();
        }
    }
    if (!o.port || !o.to || o.sessions < 1 || o.messages < 1 || (o.user && !o.password))
        return usage();
    size_t bytes = sizeof(struct result) + sizeof(double) * (size_t)o.sessions * (size_t)o.messages;
    struct result *result = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (result == MAP_FAILED)
        return 71;
    for (int i = 0; i < o.sessions; i++)
        if (fork() == 0)
            run_session(&o, i, result);
    start_together(&o, result);
    while (wait(NULL) > 0)
        ;
    report(&o, result, now() - result->start);
    return atomic_load(&result->failed) ? 1 : 0;
}
