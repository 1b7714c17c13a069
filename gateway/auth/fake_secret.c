/* The file with the secret of the fake keys. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/auth/fake_keys.h"
#include "gateway/net/tls.h"

static enum status fill(int fd, const char *path, struct error *err)
{
    struct fake_secret secret;
    enum status st = STATUS_OK;
    if (RAND_bytes(secret.bytes, sizeof secret.bytes) != 1)
        st = error_set(err, STATUS_TEMPORARY, "no random bytes for %s", path);
    else if (write(fd, secret.bytes, sizeof secret.bytes) != (ssize_t)sizeof secret.bytes || fsync(fd) < 0)
        st = error_errno(err, STATUS_TEMPORARY, errno, "cannot write %s", path);
    explicit_bzero(&secret, sizeof secret);
    return st;
}

/* Made beside and then named, so that there is never half of one (mkostemp: new, 0600). */
static enum status make(const char *path, struct error *err)
{
    char fresh[PATH_MAX];
    if ((size_t)snprintf(fresh, sizeof fresh, "%s.XXXXXX", path) >= sizeof fresh)
        return error_set(err, STATUS_INVALID, "the path %s is too long", path);
    int fd = mkostemp(fresh, O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot make %s", fresh);
    enum status st = fill(fd, fresh, err);
    close(fd);
    if (st == STATUS_OK && rename(fresh, path) < 0)
        st = error_errno(err, STATUS_TEMPORARY, errno, "cannot name %s", path);
    if (st != STATUS_OK)
        (void)unlink(fresh);
    return st;
}

static enum status load(const char *path, struct fake_secret *secret_out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot open %s", path);
    unsigned char bytes[FAKE_SECRET_SIZE + 1];
    ssize_t n = read(fd, bytes, sizeof bytes);
    int errnum = errno;
    close(fd);
    if (n < 0)
        return error_errno(err, STATUS_TEMPORARY, errnum, "cannot read %s", path);
    if (n != FAKE_SECRET_SIZE)
        return error_set(err, STATUS_INVALID, "%s has not %d bytes: remove it, and it is made anew", path,
                         FAKE_SECRET_SIZE);
    memcpy(secret_out->bytes, bytes, sizeof secret_out->bytes);
    explicit_bzero(bytes, sizeof bytes);
    return STATUS_OK;
}

enum status fake_secret_open(const char *path, struct fake_secret *secret_out, struct error *err)
{
    enum status st = secret_file_check(path, err);
    if (st == STATUS_NOT_FOUND) {
        st = make(path, err);
        if (st == STATUS_OK)
            st = secret_file_check(path, err);
    }
    return st == STATUS_OK ? load(path, secret_out, err) : st;
}
