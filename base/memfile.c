#include "base/memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/*
 * As many bytes are copied, more are mapped: taking a mapping away interrupts every processor that the
 * process ran on, which costs more than the copy of an ordinary message.
 */
#define COPIED_MAX ((size_t)64 << 10)

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

static enum status copy_range(int fd, uint64_t at, size_t len, struct span *bytes_out, struct error *err)
{
    char *copy = malloc(len);
    if (!copy)
        return error_set(err, STATUS_TEMPORARY, "no memory for %zu bytes of a memory file", len);
    for (size_t got = 0; got < len;) {
        ssize_t n = pread(fd, copy + got, len - got, (off_t)(at + got));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            error_errno(err, STATUS_TEMPORARY, n < 0 ? errno : ENODATA, "cannot read a memory file");
            memfile_unmap(span_of(copy, len));
            return STATUS_TEMPORARY;
        }
        got += (size_t)n;
    }
    *bytes_out = span_of(copy, len);
    return STATUS_OK;
}

/* Bytes of the page of AT that stand before it. */
static size_t before(uint64_t at)
{
    return (size_t)(at % (uint64_t)sysconf(_SC_PAGESIZE));
}

enum status memfile_map_range(int fd, uint64_t at, size_t len, struct span *bytes_out, struct error *err)
{
    *bytes_out = span_of(NULL, 0);
    if (len == 0)
        return STATUS_OK;
    if (len <= COPIED_MAX)
        return copy_range(fd, at, len, bytes_out, err);
    size_t lead = before(at);
    char *p = mmap(NULL, len + lead, PROT_READ, MAP_PRIVATE, fd, (off_t)(at - lead));
    if (p == MAP_FAILED)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot map a memory file");
    *bytes_out = span_of(p + lead, len);
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
    return memfile_map_range(fd, 0, (size_t)st.st_size, bytes_out, err);
}

void memfile_unmap(struct span bytes)
{
    char *p = (char *)(uintptr_t)bytes.p;
    if (bytes.len > COPIED_MAX) {
        size_t lead = before((uintptr_t)p);
        munmap(p - lead, bytes.len + lead);
    } else if (bytes.len > 0) {
        explicit_bzero(p, bytes.len);
        free(p);
    }
}
