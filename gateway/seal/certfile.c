#include "gateway/seal/certfile.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"

enum status seal_certfiles_open(const char *home, struct seal_certfiles *files_out, struct error *err)
{
    int n = snprintf(files_out->folder, sizeof files_out->folder, "%s/certificates", home);
    if (n < 0 || (size_t)n >= sizeof files_out->folder)
        return error_set(err, STATUS_INVALID, "the path %s is too long: choose a shorter state-dir", home);
    if (mkdir(files_out->folder, 0700) < 0 && errno != EEXIST)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot make the folder %s", files_out->folder);
    return STATUS_OK;
}

static void name_file(const struct seal_certfiles *files, struct span certificate, char *path)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char name[2 * SHA256_DIGEST_LENGTH + 1];

    SHA256((const unsigned char *)certificate.p, certificate.len, digest);
    hex_encode(digest, sizeof digest, name);
    snprintf(path, SEAL_PATH_SIZE, "%s/%s", files->folder, name);
}

static bool holds(const char *path, struct span bytes)
{
    struct stat st;
    bool same = false;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && st.st_size == (off_t)bytes.len) {
        void *p = mmap(NULL, bytes.len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p != MAP_FAILED) {
            same = memcmp(p, bytes.p, bytes.len) == 0;
            munmap(p, bytes.len);
        }
    }
    close(fd);
    return same;
}

static bool write_whole(int fd, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.p, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = span_of(bytes.p + n, bytes.len - (size_t)n);
    }
    return true;
}

static enum status write_file(const char *path, struct span bytes, struct error *err)
{
    char temporary[SEAL_PATH_SIZE + 16];
    snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot make the file %s", temporary);
    bool written = write_whole(fd, bytes);
    if (close(fd) == 0 && written && rename(temporary, path) == 0)
        return STATUS_OK;
    error_errno(err, STATUS_TEMPORARY, errno, "cannot write the certificate %s", path);
    unlink(temporary);
    return STATUS_TEMPORARY;
}

enum status seal_certfile(const struct seal_certfiles *files, struct span certificate,
                          char path_out[SEAL_PATH_SIZE], struct error *err)
{
    if (certificate.len == 0)
        return error_set(err, STATUS_INTERNAL, "a certificate came without its bytes");
    name_file(files, certificate, path_out);
    return holds(path_out, certificate) ? STATUS_OK : write_file(path_out, certificate, err);
}
