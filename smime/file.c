#include "smime/file.h"

#include <errno.h>
#include <stdio.h>

enum status smime_file_read(const char *path, const char *what, struct buf *file, struct stat *which_out,
                            struct error *err)
{
    FILE *in = fopen(path, "re");
    if (!in) {
        enum status status = errno == EACCES || errno == EPERM ? STATUS_DENIED : STATUS_INVALID;
        return error_errno(err, status, errno, "%s: cannot open %s", what, path);
    }
    bool known = fstat(fileno(in), which_out) == 0;
    uint8_t *to = NULL;
    size_t got = 0;
    do {
        to = buf_reserve(file, BUFSIZ);
        got = to ? fread(to, 1, BUFSIZ, in) : 0;
        buf_commit(file, got);
    } while (got > 0);
    enum status status = STATUS_OK;
    if (!known || ferror(in)) {
        status = error_errno(err, STATUS_INVALID, errno, "%s: cannot read %s", what, path);
    }
    fclose(in);
    return status == STATUS_OK ? buf_check(file, path, err) : status;
}
