/* Taking requests in an event loop. */
#include <event2/event.h>
#include <stdlib.h>

#include "base/call.h"

/* So that one service cannot starve the rest of the loop. */
#define REQUESTS_PER_TURN 32

struct server {
    struct event *event;
    bool announces;
    server_request_fn *handler;
    void *arg;
};

/* False: nothing more to take now. */
static bool take_one(struct server *server, int fd)
{
    struct ipc_msg msg;
    struct error err;
    enum status received = ipc_recv(fd, &msg, &err);
    /* Every client end is gone, which only the end of the supervisor does: an event left armed would spin. */
    if (received == STATUS_CLOSED)
        event_del(server->event);
    if (received != STATUS_OK)
        return false;
    struct request *request = malloc(sizeof *request);
    if (!request) {
        ipc_msg_free(&msg); /* the caller sees its reply pair close: 451 4.3.0 */
        return false;
    }
    enum status st =
        server->announces ? request_take(&msg, request, &err) : request_take_silently(&msg, request, &err);
    if (st == STATUS_OK)
        server->handler(server->arg, request);
    else
        free(request);
    return true;
}

static void on_request(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    for (int i = 0; i < REQUESTS_PER_TURN; i++)
        if (!take_one(arg, fd))
            return;
}

struct server *server_start(struct event_base *base, int service_fd, bool announces,
                            server_request_fn *handler, void *arg, struct error *err)
{
    struct server *server = calloc(1, sizeof *server);
    if (!server || ipc_nonblocking(service_fd, err) != STATUS_OK) {
        free(server);
        return NULL;
    }
    *server = (struct server){.announces = announces, .handler = handler, .arg = arg};
    server->event = event_new(base, service_fd, EV_READ | EV_PERSIST, on_request, server);
    if (!server->event || event_add(server->event, NULL) < 0) {
        error_set(err, STATUS_TEMPORARY, "out of memory for a service");
        server_stop(server);
        return NULL;
    }
    return server;
}

void server_stop(struct server *server)
{
    if (server->event)
        event_free(server->event);
    free(server);
}
