/* Binding, numeric addresses, and accepting. */
#include "gateway/net/listener.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Out of descriptors: connections wait in the kernel's backlog so long. */
#define PAUSE_MS 100

struct listener {
    struct evconnlistener *evconn;
    struct event *resume;
    listener_accept_fn *on_accept;
    void *arg;
};

/* Splits "[host]:port" or "host:port"; both outputs NUL-terminated. */
static bool split_address(const char *address, char host[64], char port[8])
{
    const char *colon = strrchr(address, ':');
    if (!colon)
        return false;
    size_t host_len = (size_t)(colon - address);
    if (address[0] == '[') {
        if (host_len < 2 || address[host_len - 1] != ']')
            return false;
        address++;
        host_len -= 2;
    } else if (memchr(address, ':', host_len)) {
        return false; /* "::1:25" could be either */
    }
    size_t port_len = strlen(colon + 1);
    if (host_len == 0 || host_len >= 64 || port_len == 0 || port_len >= 8)
        return false;
    memcpy(host, address, host_len);
    host[host_len] = '\0';
    memcpy(port, colon + 1, port_len + 1);
    return strspn(port, "0123456789") == port_len && atoi(port) >= 1 && atoi(port) <= 65535;
}

enum status socket_address_parse(const char *address, struct sockaddr_storage *out, socklen_t *len_out,
                                 struct error *err)
{
    char host[64], port[8];
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    if (!split_address(address, host, port) || getaddrinfo(host, port, &hints, &found) != 0)
        return error_set(err, STATUS_INVALID,
                         "\"%.100s\" is no address with port: write \"127.0.0.1:465\" or \"[::]:465\"",
                         address);
    memset(out, 0, sizeof *out);
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *len_out = found->ai_addrlen;
    freeaddrinfo(found);
    return STATUS_OK;
}

static const char *bind_advice(int errnum)
{
    switch (errnum) {
    case EADDRINUSE:
        return " (another program listens there: stop it, or choose another port)";
    case EACCES:
        return " (ports below 1024 need root or CAP_NET_BIND_SERVICE)";
    case EADDRNOTAVAIL:
        return " (no interface of this machine has this address)";
    default:
        return "";
    }
}

bool listener_share(int fd, bool shared)
{
    int value = shared;
    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof value) == 0;
}

enum status listener_bind(const char *address, bool shared, int *fd_out, struct error *err)
{
    struct sockaddr_storage ss;
    socklen_t len;
    enum status st = socket_address_parse(address, &ss, &len, err);
    if (st != STATUS_OK)
        return st;
    int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot make a socket for %s", address);
    int yes = 1, no = 0;
    bool ok = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0;
    if (ss.ss_family == AF_INET6)
        ok = ok && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no) == 0;
    ok = ok && (!shared || listener_share(fd, true));
    ok = ok && bind(fd, (struct sockaddr *)&ss, len) == 0 && listen(fd, SOMAXCONN) == 0;
    if (!ok) {
        int errnum = errno;
        close(fd);
        return error_errno(err, errnum == EACCES ? STATUS_DENIED : STATUS_TEMPORARY, errnum,
                           "cannot listen on %s%s", address, bind_advice(errnum));
    }
    *fd_out = fd;
    return STATUS_OK;
}

static void on_connection(struct evconnlistener *evconn, evutil_socket_t fd, struct sockaddr *sa, int len,
                          void *arg)
{
    (void)evconn, (void)sa, (void)len;
    struct listener *listener = arg;
    listener->on_accept(listener->arg, fd);
}

static void on_accept_error(struct evconnlistener *evconn, void *arg)
{
    struct listener *listener = arg;
    struct timeval tv = {.tv_usec = PAUSE_MS * 1000};
    evconnlistener_disable(evconn);
    event_add(listener->resume, &tv);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct listener *listener = arg;
    evconnlistener_enable(listener->evconn);
}

struct listener *listener_start(struct event_base *base, int fd, listener_accept_fn *on_accept, void *arg,
                                struct error *err)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener || evutil_make_socket_nonblocking(fd) < 0) {
        error_set(err, STATUS_TEMPORARY, "cannot prepare a listening socket");
        free(listener);
        return NULL;
    }
    listener->on_accept = on_accept;
    listener->arg = arg;
    listener->resume = event_new(base, -1, 0, on_resume, listener);
    /* Backlog 0: it listens already. */
    if (listener->resume)
        listener->evconn = evconnlistener_new(base, on_connection, listener, LEV_OPT_CLOSE_ON_EXEC, 0, fd);
    if (!listener->evconn) {
        error_set(err, STATUS_TEMPORARY, "out of memory for a listening socket");
        listener_stop(listener);
        return NULL;
    }
    evconnlistener_set_error_cb(listener->evconn, on_accept_error);
    return listener;
}

void listener_stop(struct listener *listener)
{
    if (listener->evconn)
        evconnlistener_free(listener->evconn);
    if (listener->resume)
        event_free(listener->resume);
    free(listener);
}
