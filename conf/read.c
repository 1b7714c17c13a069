#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "conf/conf.h"

#define FILE_MAX (1u << 20)

enum status conf_read_file(const char *path, struct buf *text_out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, STATUS_NOT_FOUND, errno, "cannot open the configuration %s", path);
    buf_init(text_out, FILE_MAX);
    enum status st = STATUS_OK;
    for (;;) {
        char chunk[8192];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0)
            st = error_errno(err, STATUS_INVALID, errno, "cannot read the configuration %s", path);
        if (n <= 0)
            break;
        buf_append(text_out, chunk, (size_t)n);
    }
    close(fd);
    if (st == STATUS_OK)
        st = buf_check(text_out, path, err);
    if (st != STATUS_OK)
        buf_free(text_out);
    return st;
}
