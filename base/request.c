#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/call.h"

enum status request_take_silently(struct ipc_msg *msg, struct request *request_out, struct error *err)
{
    /* The reply descriptor is always the first. */
    int reply_fd = ipc_take_fd(msg, 0);
    if (reply_fd < 0) {
        ipc_msg_free(msg);
        return error_set(err, STATUS_INVALID, "a request came without a reply descriptor");
    }
    *request_out = (struct request){.msg = *msg, .reply_fd = reply_fd};
    *msg = (struct ipc_msg){0};
    struct ipc_msg *mine = &request_out->msg;
    for (size_t i = 1; i < mine->nfds; i++)
        mine->fds[i - 1] = mine->fds[i];
    mine->nfds--;
    return STATUS_OK;
}

enum status request_take(struct ipc_msg *msg, struct request *request_out, struct error *err)
{
    enum status st = request_take_silently(msg, request_out, err);
    if (st != STATUS_OK)
        return st;
    st = ipc_send(request_out->reply_fd, CALL_TAKEN, span_of(NULL, 0), NULL, 0, err);
    if (st != STATUS_OK)
        request_free(request_out);
    return st;
}

bool request_is_wanted(const struct request *request)
{
    struct pollfd p = {.fd = request->reply_fd};
    int n;
    do
        n = poll(&p, 1, 0);
    while (n < 0 && errno == EINTR); /* a signal, say SIGTERM, tells nothing of the caller */
    return n >= 0 && !(p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

enum status request_reply(struct request *request, uint32_t type, struct span body, const int *fds,
                          size_t nfds, struct error *err)
{
    enum status st = ipc_send(request->reply_fd, type, body, fds, nfds, err);
    return st == STATUS_CLOSED ? STATUS_OK : st;
}

enum status request_pass_on(struct request *request, int service_fd, uint32_t type, struct span body,
                            const int *fds, size_t nfds, struct error *err)
{
    if (nfds >= IPC_FDS_MAX)
        return error_set(err, STATUS_LIMIT, "too many descriptors to pass on");
    int all[IPC_FDS_MAX] = {request->reply_fd};
    for (size_t i = 0; i < nfds; i++)
        all[i + 1] = fds[i];
    enum status st = ipc_send(service_fd, type, body, all, nfds + 1, err);
    if (st == STATUS_OK) {
        close(request->reply_fd);
        request->reply_fd = -1;
    }
    return st;
}

void request_free(struct request *request)
{
    ipc_msg_free(&request->msg);
    if (request->reply_fd >= 0)
        close(request->reply_fd);
    request->reply_fd = -1;
}
