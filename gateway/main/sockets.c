#include "gateway/main/sockets.h"

#include <errno.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/net/listener.h"

static int find_listener(const struct sockets *old, const char *address)
{
    for (size_t i = 0; old && i < old->n_listeners; i++)
        if (strcmp(old->addresses[i], address) == 0)
            return old->listeners[i];
    return -1;
}

static bool listens_on(const struct conf *conf, const char *address)
{
    for (size_t i = 0; i < conf->n_listens; i++)
        if (strcmp(conf->listens[i].address, address) == 0)
            return true;
    return false;
}

static bool same_port(const char *a, const char *b)
{
    return strcmp(strrchr(a, ':'), strrchr(b, ':')) == 0;
}

/* Lets a socket of ours be bound beside those of OLD that CONF does away with and that have the port of
 * ADDRESS, or no longer; false: there are none. */
static bool share_port(const struct conf *conf, const char *address, const struct sockets *old, bool shared)
{
    bool any = false;
    for (size_t i = 0; old && i < old->n_listeners; i++)
        if (!listens_on(conf, old->addresses[i]) && same_port(old->addresses[i], address))
            any = listener_share(old->listeners[i], shared) || any;
    return any;
}

/*
 * An address that overlaps with an old one, such as [::]:465 after 0.0.0.0:465: the old processes stop
 * listening only once their successors run, so both sockets live side by side for a moment. Only for this
 * moment: otherwise a second gateway could share the port unnoticed.
 */
static enum status bind_listener(const struct conf *conf, const char *address, const struct sockets *old,
                                 int *fd_out, struct error *err)
{
    struct sockaddr_storage unused;
    socklen_t len;
    enum status st = socket_address_parse(address, &unused, &len, err);
    if (st != STATUS_OK)
        return st;
    bool shared = share_port(conf, address, old, true);
    st = listener_bind(address, shared, fd_out, err);
    if (!shared)
        return st;
    (void)share_port(conf, address, old, false);
    if (st == STATUS_OK)
        (void)listener_share(*fd_out, false);
    return st;
}

/* dup(): the old set and the new one each own a descriptor of the same socket until one is closed. */
static enum status open_listener(const struct conf *conf, const char *address,
                                 const struct inherited *inherited, const struct sockets *old, int *fd_out,
                                 struct error *err)
{
    int fd = find_listener(old, address);
    if (fd < 0)
        fd = inherited_find(inherited, address);
    if (fd < 0)
        return bind_listener(conf, address, old, fd_out, err);
    *fd_out = dup(fd);
    return *fd_out < 0 ? error_errno(err, STATUS_TEMPORARY, errno, "cannot keep the socket of %s", address)
                       : STATUS_OK;
}

static enum status bind_control(const struct conf *conf, int *fd_out, struct error *err)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(conf->control_socket) >= sizeof un.sun_path)
        return error_set(err, STATUS_INVALID, "control-socket %s is longer than %zu bytes",
                         conf->control_socket, sizeof un.sun_path - 1);
    strcpy(un.sun_path, conf->control_socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot make the control socket");
    /* A socket left behind by a killed supervisor: the state lock proves that nobody listens on it. Any other
     * file is not ours, and bind() says so. */
    struct stat left;
    if (lstat(conf->control_socket, &left) == 0 && S_ISSOCK(left.st_mode))
        unlink(conf->control_socket);
    mode_t old_mask = umask(0177);
    int bound = bind(fd, (struct sockaddr *)&un, sizeof un);
    umask(old_mask);
    if (bound < 0 || listen(fd, 64) < 0) {
        enum status st =
            error_errno(err, STATUS_INVALID, errno, "cannot bind the control socket %s", un.sun_path);
        close(fd);
        return st;
    }
    *fd_out = fd;
    return STATUS_OK;
}

static enum status open_control(const struct conf *conf, const struct sockets *old, int *fd_out,
                                struct error *err)
{
    if (!old || strcmp(old->control_path, conf->control_socket) != 0)
        return bind_control(conf, fd_out, err);
    *fd_out = dup(old->control);
    return *fd_out < 0 ? error_errno(err, STATUS_TEMPORARY, errno, "cannot keep the control socket")
                       : STATUS_OK;
}

/* Closes the descriptors, leaves the file. */
static void release(struct sockets *s)
{
    for (size_t i = 0; i < s->n_listeners; i++) {
        if (s->listeners[i] >= 0)
            close(s->listeners[i]);
        free(s->addresses[i]);
    }
    if (s->control >= 0)
        close(s->control);
    free(s->addresses);
    free(s->listeners);
    free(s->control_path);
    *s = (struct sockets){.control = -1};
}

static enum status open_all(const struct conf *conf, const struct inherited *inherited,
                            const struct sockets *old, struct sockets *fresh, struct error *err)
{
    fresh->addresses = calloc(conf->n_listens, sizeof *fresh->addresses);
    fresh->listeners = calloc(conf->n_listens, sizeof *fresh->listeners);
    fresh->control_path = strdup(conf->control_socket);
    if (!fresh->addresses || !fresh->listeners || !fresh->control_path)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the sockets");
    for (size_t i = 0; i < conf->n_listens; i++) {
        enum status st =
            open_listener(conf, conf->listens[i].address, inherited, old, &fresh->listeners[i], err);
        if (st != STATUS_OK)
            return error_prefix(err, "listen \"%s\"", conf->listens[i].address);
        fresh->n_listeners = i + 1;
        fresh->addresses[i] = strdup(conf->listens[i].address);
        if (!fresh->addresses[i])
            return error_set(err, STATUS_TEMPORARY, "out of memory for the sockets");
    }
    return open_control(conf, old, &fresh->control, err);
}

enum status sockets_open(const struct conf *conf, const struct inherited *inherited, struct sockets *old,
                         struct sockets *sockets_out, struct error *err)
{
    struct sockets fresh = {.control = -1};
    enum status st = open_all(conf, inherited, old, &fresh, err);
    if (st != STATUS_OK) {
        release(&fresh);
        return st;
    }
    if (old) {
        if (strcmp(old->control_path, fresh.control_path) != 0)
            unlink(old->control_path);
        release(old);
    }
    *sockets_out = fresh;
    return STATUS_OK;
}

void sockets_close(struct sockets *sockets)
{
    if (sockets->control_path)
        unlink(sockets->control_path);
    release(sockets);
}
