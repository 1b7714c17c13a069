#include "base/memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

enum status memfile_create(const char *name, int *fd_out, struct error *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot create a memory file for %s", name);
    *fd_out = fd;
    return STATUS_OK;
}

enum status memfile_write(int fd, struct span bytes, struct error *err)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.p, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_errno(err, STATUS_TEMPORARY, n < 0 ? errno : ENOSPC,
                               "cannot write to a memory file");
        bytes.p += n;
        bytes.len -= (size_t)n;
    }
    return STATUS_OK;
}

enum status memfile_seal(int fd, struct error *err)
{
    if (fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot seal a memory file against change");
    return STATUS_OK;
}

enum status memfile_from(const char *name, struct span bytes, int *fd_out, struct error *err)
{
    int fd = -1;
    enum status st = memfile_create(name, &fd, err);
    if (st != STATUS_OK)
        return st;
    st = memfile_write(fd, bytes, err);
    if (st == STATUS_OK)
        st = memfile_seal(fd, err);
    if (st != STATUS_OK) {
        close(fd);
        return st;
    }
    *fd_out = fd;
    return STATUS_OK;
}

enum status memfile_map(int fd, size_t max, struct span *bytes_out, struct error *err)
{
    *bytes_out = span_of(NULL, 0);
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & ALL_SEALS) != ALL_SEALS)
        return error_set(err, STATUS_INVALID, "a received descriptor is not a sealed memory file");
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot look at a memory file");
    if ((size_t)st.st_size > max)
        return error_set(err, STATUS_LIMIT, "a memory file of %lld bytes is over the limit of %zu",
                         (long long)st.st_size, max);
    if (st.st_size == 0)
        return STATUS_OK;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot map a memory file");
    *bytes_out = span_of(p, (size_t)st.st_size);
    return STATUS_OK;
}

void memfile_unmap(struct span bytes)
{
    if (bytes.len > 0)
        munmap((void *)(uintptr_t)bytes.p, bytes.len);
}
