#include "base/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memfile.h"

/* In front of every packet. */
struct header {
    uint32_t type;
    uint32_t len;     /* of the body */
    uint32_t spilled; /* 1: the body is a memory file, the first descriptor */
};

/* The spilled body takes one descriptor more, and base/call.h one for the reply. */
#define WIRE_FDS_MAX (IPC_FDS_MAX + 1)

enum status ipc_pair(int fds_out[2], struct error *err)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds_out) < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot make a socket pair between roles");
    return STATUS_OK;
}

enum status ipc_nonblocking(int fd, struct error *err)
{
    /* The only flag that a socket of ours can have. */
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return error_errno(err, STATUS_INTERNAL, errno, "cannot make a descriptor non-blocking");
    return STATUS_OK;
}

static enum status send_packet(int fd, struct msghdr *mh, struct error *err)
{
    for (;;) {
        if (sendmsg(fd, mh, MSG_NOSIGNAL) >= 0)
            return STATUS_OK;
        switch (errno) {
        case EINTR:
            continue;
        case EAGAIN:
        case ENOBUFS:
            return error_set(err, STATUS_BUSY, "the role's socket is full");
        case EPIPE:
        case ECONNRESET:
        case ENOTCONN:
            return error_set(err, STATUS_CLOSED, "the role at the other end is gone");
        default:
            return error_errno(err, STATUS_INTERNAL, errno, "cannot send to another role");
        }
    }
}

enum status ipc_send(int fd, uint32_t type, struct span body, const int *fds, size_t nfds, struct error *err)
{
    int all[WIRE_FDS_MAX];
    size_t n = 0;
    int spill = -1;
    if (nfds > IPC_FDS_MAX || body.len > IPC_BODY_MAX)
        return error_set(err, STATUS_LIMIT, "a message between roles has %zu descriptors and %zu bytes", nfds,
                         body.len);
    struct header header = {.type = type, .len = (uint32_t)body.len, .spilled = body.len > IPC_INLINE_MAX};
    if (header.spilled) {
        enum status st = memfile_from("ipc-body", body, &spill, err);
        if (st != STATUS_OK)
            return st;
        all[n++] = spill;
    }
    for (size_t i = 0; i < nfds; i++)
        all[n++] = fds[i];

    struct iovec iov[2] = {{&header, sizeof header},
                           {(void *)(uintptr_t)body.p, header.spilled ? 0 : body.len}};
    union {
        char bytes[CMSG_SPACE(sizeof all)];
        struct cmsghdr align;
    } control = {0};
    struct msghdr mh = {.msg_iov = iov, .msg_iovlen = 2};
    if (n > 0) {
        mh.msg_control = control.bytes;
        mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
        struct cmsghdr *cm = CMSG_FIRSTHDR(&mh);
        *cm = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n * sizeof(int))};
        memcpy(CMSG_DATA(cm), all, n * sizeof(int));
    }
    enum status st = send_packet(fd, &mh, err);
    if (spill >= 0)
        close(spill);
    return st;
}

/* Collects the descriptors of a packet; returns their number. */
static size_t take_fds(struct msghdr *mh, int out[WIRE_FDS_MAX])
{
    size_t n = 0;
    for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm; cm = CMSG_NXTHDR(mh, cm)) {
        if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count && n < WIRE_FDS_MAX; i++)
            memcpy(&out[n++], CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
    }
    return n;
}

/* Reads the body, inline or spilled, and moves the remaining descriptors into MSG. */
static enum status unwrap(struct ipc_msg *msg, const struct header *header, struct span body, int *fds,
                          size_t n, struct error *err)
{
    size_t first = header->spilled ? 1 : 0;
    if (n < first)
        return error_set(err, STATUS_INVALID, "a message between roles lacks its body");
    for (size_t i = first; i < n; i++) {
        msg->fds[msg->nfds++] = fds[i];
        fds[i] = -1;
    }
    if (!header->spilled) {
        buf_append_span(&msg->body, body);
        return buf_check(&msg->body, "message between roles", err);
    }
    struct span mapped;
    enum status st = memfile_map(fds[0], IPC_BODY_MAX, &mapped, err);
    if (st != STATUS_OK)
        return st;
    buf_append_span(&msg->body, mapped);
    memfile_unmap(mapped);
    return buf_check(&msg->body, "message between roles", err);
}

enum status ipc_recv(int fd, struct ipc_msg *msg_out, struct error *err)
{
    *msg_out = (struct ipc_msg){0};
    buf_init(&msg_out->body, IPC_BODY_MAX);
    struct header header;
    char inline_body[IPC_INLINE_MAX];
    struct iovec iov[2] = {{&header, sizeof header}, {inline_body, sizeof inline_body}};
    union {
        char bytes[CMSG_SPACE(WIRE_FDS_MAX * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr mh = {.msg_iov = iov,
                        .msg_iovlen = 2,
                        .msg_control = control.bytes,
                        .msg_controllen = sizeof control.bytes};
    ssize_t got;
    do
        got = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return error_set(err, STATUS_BUSY, "no message from the other role");
    if (got <= 0)
        return error_set(err, STATUS_CLOSED, "the role at the other end is gone");

    int fds[WIRE_FDS_MAX];
    size_t n = take_fds(&mh, fds);
    enum status st;
    bool whole =
        (size_t)got >= sizeof header && !(mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
        (header.spilled == 1 || (header.spilled == 0 && (size_t)got == sizeof header + header.len)) &&
        n <= IPC_FDS_MAX + header.spilled;
    if (whole) {
        msg_out->type = header.type;
        st = unwrap(msg_out, &header, span_of(inline_body, (size_t)got - sizeof header), fds, n, err);
        if (st == STATUS_OK && msg_out->body.len != header.len)
            st = error_set(err, STATUS_INVALID, "a message between roles has the wrong length");
    } else {
        st = error_set(err, STATUS_INVALID, "a damaged message between roles");
        msg_out->nfds = 0;
    }
    for (size_t i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    /* Plaintext may have passed through this stack frame. */
    explicit_bzero(inline_body, sizeof inline_body);
    if (st != STATUS_OK)
        ipc_msg_free(msg_out);
    return st;
}

int ipc_take_fd(struct ipc_msg *msg, size_t i)
{
    if (i >= msg->nfds)
        return -1;
    int fd = msg->fds[i];
    msg->fds[i] = -1;
    return fd;
}

void ipc_msg_free(struct ipc_msg *msg)
{
    buf_free(&msg->body);
    for (size_t i = 0; i < msg->nfds; i++)
        if (msg->fds[i] >= 0)
            close(msg->fds[i]);
    msg->nfds = 0;
}
