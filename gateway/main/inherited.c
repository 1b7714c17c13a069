#include "gateway/main/inherited.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "gateway/net/listener.h"

static void describe(const struct inherited_socket *s, char out[100])
{
    char host[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *v4 = (const void *)&s->address;
    const struct sockaddr_in6 *v6 = (const void *)&s->address;
    bool is_v6 = s->address.ss_family == AF_INET6;
    inet_ntop(s->address.ss_family, is_v6 ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr, host,
              sizeof host);
    snprintf(out, 100, is_v6 ? "[%s]:%u" : "%s:%u", host, ntohs(is_v6 ? v6->sin6_port : v4->sin_port));
}

static enum status take_one(int fd, const char *name, struct inherited_socket *out, struct error *err)
{
    socklen_t len = sizeof out->address;
    *out = (struct inherited_socket){.fd = fd, .name = strdup(name ? name : "unknown")};
    if (!out->name)
        return error_set(err, STATUS_TEMPORARY, "out of memory for sockets");
    bool good = sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0 &&
                getsockname(fd, (struct sockaddr *)&out->address, &len) == 0 &&
                (out->address.ss_family == AF_INET || out->address.ss_family == AF_INET6);
    if (good)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID,
                     "the socket \"%.100s\" (descriptor %d) that was passed to sealgate is no "
                     "listening TCP socket",
                     out->name, fd);
}

enum status inherited_take(struct inherited *inherited_out, struct error *err)
{
    char **names = NULL;
    *inherited_out = (struct inherited){0};
    int n = sd_listen_fds_with_names(1, &names);
    if (n < 0)
        return error_errno(err, STATUS_INVALID, -n, "cannot take the sockets that were passed to sealgate");
    if (n == 0)
        return STATUS_OK;
    inherited_out->sockets = calloc((size_t)n, sizeof *inherited_out->sockets);
    enum status st =
        inherited_out->sockets ? STATUS_OK : error_set(err, STATUS_TEMPORARY, "out of memory for sockets");
    for (int i = 0; i < n; i++) {
        if (st == STATUS_OK) {
            st = take_one(SD_LISTEN_FDS_START + i, names[i], &inherited_out->sockets[i], err);
            inherited_out->n = (size_t)i + 1;
        }
        free(names[i]);
    }
    free(names);
    return st;
}

void inherited_close(struct inherited *inherited)
{
    for (size_t i = 0; i < inherited->n; i++) {
        close(inherited->sockets[i].fd);
        free(inherited->sockets[i].name);
    }
    free(inherited->sockets);
    *inherited = (struct inherited){0};
}

static bool same_address(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family != b->ss_family)
        return false;
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *x = (const void *)a, *y = (const void *)b;
        return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    const struct sockaddr_in6 *x = (const void *)a, *y = (const void *)b;
    return x->sin6_port == y->sin6_port && memcmp(&x->sin6_addr, &y->sin6_addr, sizeof x->sin6_addr) == 0;
}

static bool is_bound_to(const struct inherited_socket *s, const char *address)
{
    struct sockaddr_storage wanted;
    socklen_t len;
    return socket_address_parse(address, &wanted, &len, NULL) == STATUS_OK &&
           same_address(&s->address, &wanted);
}

enum status inherited_check(const struct inherited *inherited, const struct conf *conf, struct error *err)
{
    for (size_t i = 0; i < inherited->n; i++) {
        bool wanted = false;
        for (size_t j = 0; j < conf->n_listens; j++)
            wanted = wanted || is_bound_to(&inherited->sockets[i], conf->listens[j].address);
        if (wanted)
            continue;
        char address[100];
        describe(&inherited->sockets[i], address);
        return error_set(
            err, STATUS_INVALID,
            "the socket \"%.100s\" that was passed to sealgate is bound to %s, for which there is no "
            "listen section",
            inherited->sockets[i].name, address);
    }
    return STATUS_OK;
}

int inherited_find(const struct inherited *inherited, const char *address)
{
    for (size_t i = 0; inherited && i < inherited->n; i++)
        if (is_bound_to(&inherited->sockets[i], address))
            return inherited->sockets[i].fd;
    return -1;
}
