#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHUNK 8192

static enum status open_failed(const char *path, int code, struct error *err)
{
    enum status st = code == ENOENT || code == ENOTDIR ? STATUS_NOT_FOUND
                     : code == EACCES || code == EPERM ? STATUS_DENIED
                                                       : STATUS_INVALID;
    return error_errno(err, st, code, "cannot open %s", path);
}

enum status file_read(const char *path, size_t max, struct buf *out, struct error *err)
{
    enum status st = STATUS_OK;
    buf_init(out, max);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return open_failed(path, errno, err);
    for (;;) {
        char chunk[CHUNK];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = error_errno(err, STATUS_INVALID, errno, "cannot read %s", path);
        if (n > 0)
            buf_append(out, chunk, (size_t)n);
        explicit_bzero(chunk, n > 0 ? (size_t)n : 0);
        if (n <= 0 || out->failed)
            break;
    }
    close(fd);
    if (st == STATUS_OK)
        st = buf_check(out, path, err);
    if (st != STATUS_OK)
        buf_free(out);
    return st;
}
