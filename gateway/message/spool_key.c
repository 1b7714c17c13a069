#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/message/spool.h"

static enum status sync_folder_of(const char *path, struct error *err)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "spool key: cannot open the folder %s", folder);
    int rc = fsync(fd);
    int saved = errno;
    close(fd);
    if (rc < 0)
        return error_errno(err, STATUS_TEMPORARY, saved, "spool key: cannot sync the folder %s", folder);
    return STATUS_OK;
}

/* Fills and closes FD. */
static enum status write_new_key(int fd, const char *path, struct error *err)
{
    struct spool_key key;
    enum status status = STATUS_OK;
    if (RAND_bytes(key.bytes, sizeof key.bytes) != 1)
        status = error_set(err, STATUS_TEMPORARY, "spool key: no random bytes to be had for %s", path);
    else if (write(fd, key.bytes, sizeof key.bytes) != (ssize_t)sizeof key.bytes || fsync(fd) < 0)
        status = error_errno(err, STATUS_TEMPORARY, errno, "spool key: cannot write %s", path);
    explicit_bzero(&key, sizeof key);
    if (close(fd) < 0 && status == STATUS_OK)
        status = error_errno(err, STATUS_TEMPORARY, errno, "spool key: cannot write %s", path);
    return status;
}

enum status spool_key_ensure(const char *path, struct error *err)
{
    struct stat st;
    if (lstat(path, &st) == 0)
        return STATUS_OK;
    if (errno != ENOENT)
        return error_errno(err, STATUS_TEMPORARY, errno, "spool key: cannot look for %s", path);

    /* Written beside and linked: a crash never leaves half a key under the name. mkostemp is O_EXCL, 0600. */
    char fresh[PATH_MAX];
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.XXXXXX", path) >= sizeof fresh)
        return error_set(err, STATUS_INVALID, "spool key: the path %s is too long", path);
    int fd = mkostemp(fresh, O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "spool key: cannot make %s", fresh);
    enum status status = write_new_key(fd, fresh, err);
    if (status == STATUS_OK && link(fresh, path) < 0 && errno != EEXIST)
        status = error_errno(err, STATUS_TEMPORARY, errno, "spool key: cannot name it %s", path);
    unlink(fresh);
    if (status != STATUS_OK)
        return status;
    return sync_folder_of(path, err);
}

static enum status check_file(int fd, const char *path, struct error *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "spool key: cannot look at %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, STATUS_INVALID, "spool key: %s is not a regular file", path);
    if ((st.st_mode & 077) != 0)
        return error_set(
            err, STATUS_DENIED,
            "spool key: %s has mode %04o, others could read it: chmod 600 it, and make a new one "
            "if somebody may have",
            path, (unsigned)st.st_mode & 07777);
    if (st.st_size != SPOOL_KEY_BYTES)
        return error_set(err, STATUS_INVALID,
                         "spool key: %s holds %lld bytes instead of %d: restore it from a backup", path,
                         (long long)st.st_size, SPOOL_KEY_BYTES);
    return STATUS_OK;
}

enum status spool_key_load(const char *path, struct spool_key *key_out, struct error *err)
{
    /* O_NONBLOCK: a FIFO in its place must not stop the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_errno(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_TEMPORARY, errno,
                           "spool key: cannot open %s", path);
    enum status status = check_file(fd, path, err);
    if (status == STATUS_OK) {
        ssize_t n = read(fd, key_out->bytes, sizeof key_out->bytes);
        if (n != (ssize_t)sizeof key_out->bytes)
            status = error_set(err, STATUS_TEMPORARY, "spool key: cannot read %s", path);
    }
    close(fd);
    if (status != STATUS_OK)
        explicit_bzero(key_out, sizeof *key_out);
    return status;
}
