#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/ctl/autoconfig.h"

#define FOLDER_MODE 0755 /* less the umask */
#define FILE_MODE 0644   /* a web server reads it, and there is nothing secret in it */

/* Makes each folder on the way to PATH, which is restored. */
static enum status make_folders(char *path, struct error *err)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = mkdir(path, FOLDER_MODE);
        enum status st = made == 0 || errno == EEXIST
                             ? STATUS_OK
                             : error_errno(err, STATUS_DENIED, errno, "cannot make the folder %s", path);
        *slash = '/';
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

static bool write_all(int fd, struct span text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.p, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        text = span_of(text.p + n, text.len - (size_t)n);
    }
    return true;
}

/* Beside its place, so that the rename stays in one file system. */
static enum status replace(const char *path, struct span text, struct error *err)
{
    char *beside = NULL;
    if (asprintf(&beside, "%s.XXXXXX", path) < 0)
        return error_set(err, STATUS_TEMPORARY, "out of memory");
    int fd = mkostemp(beside, O_CLOEXEC);
    bool good = fd >= 0 && write_all(fd, text) && fchmod(fd, FILE_MODE) == 0 && fsync(fd) == 0 &&
                rename(beside, path) == 0;
    enum status st = good ? STATUS_OK : error_errno(err, STATUS_DENIED, errno, "cannot write %s", path);
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && !good)
        unlink(beside);
    free(beside);
    return st;
}

enum status autoconfig_write(const char *folder, const char *name, struct span text, struct error *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return error_set(err, STATUS_TEMPORARY, "out of memory");
    enum status st = make_folders(path, err);
    if (st == STATUS_OK)
        st = replace(path, text, err);
    free(path);
    return st;
}
