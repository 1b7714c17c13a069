/* The PROXY header before everything else on a connection from a load balancer. */
#include <errno.h>

#include "gateway/net/conn_private.h"
#include "gateway/wire/proxy_header.h"

/* Reads up to WANTED bytes of header in all, and no more: what follows is the client's, perhaps for OpenSSL,
 * which reads from the socket itself. False: they are not there yet, or the connection broke. */
static bool read_header(struct conn *c, size_t wanted)
{
    char chunk[PROXY_HEADER_FIXED + PROXY_HEADER_REST_MAX];
    ssize_t n = recv(c->fd, chunk, wanted - c->in.len, 0);
    if (n > 0) {
        buf_append(&c->in, chunk, (size_t)n);
        if (c->in.failed)
            error_set(&c->broken, STATUS_TEMPORARY, "out of memory for the PROXY header of %s", c->peer);
    } else if (n == 0) {
        error_set(&c->broken, STATUS_CLOSED, "%s closed the connection before its PROXY header", c->peer);
    } else if (errno != EAGAIN && errno != EINTR) {
        error_errno(&c->broken, STATUS_TEMPORARY, errno, "cannot read from %s", c->peer);
    }
    return n > 0 && c->broken.status == STATUS_OK;
}

void conn_proxy(struct conn *c)
{
    struct sockaddr_storage client;
    size_t wanted;
    enum proxy_result result;
    while ((result = proxy_header_parse(buf_span(&c->in), &client, &wanted)) == PROXY_MORE)
        if (!read_header(c, wanted))
            break;
    if (result == PROXY_BAD)
        error_set(&c->broken, STATUS_INVALID, "%s sent no PROXY header of version 2", c->peer);
    if (c->broken.status != STATUS_OK) {
        conn_ended(c);
        return;
    }
    if (result == PROXY_MORE)
        return;
    buf_free(&c->in);
    c->state = CONN_OPEN;
    if (result == PROXY_CLIENT)
        conn_name_peer(c, (const struct sockaddr *)&client);
    c->handler->on_proxied(c->arg, c, result == PROXY_CLIENT ? &client : NULL);
}
