/* Changing the users file: a whole new file takes the place of the old one, so that a reader sees either. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/auth/users.h"
#include "gateway/auth/users_file.h"

/* The folder of PATH, opened and locked against other changers until closed. */
static enum status lock_folder(const char *path, int *folder_out, struct error *err)
{
    char *copy = strdup(path);
    if (!copy)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a path");
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (fd < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot open the folder of %s", path);
    if (flock(fd, LOCK_EX) < 0) {
        int errnum = errno;
        close(fd);
        return error_errno(err, STATUS_TEMPORARY, errnum, "cannot lock the folder of %s", path);
    }
    *folder_out = fd;
    return STATUS_OK;
}

/* Copies TEXT to OUT without the lines of NAME; how many there were. */
static size_t copy_others(struct span text, const char *name, struct buf *out)
{
    size_t found = 0;
    struct users_line line;
    while (users_line_next(&text, &line)) {
        if (line.is_user && span_eq(line.name, span_str(name))) {
            found++;
            continue;
        }
        buf_append_span(out, line.raw);
        if (line.raw.p[line.raw.len - 1] != '\n')
            buf_append_char(out, '\n');
    }
    return found;
}

static enum status change_text(struct span old, enum user_change change, const char *name, const char *hash,
                               struct buf *text, struct error *err)
{
    size_t found = copy_others(old, name, text);
    if (change == USER_ADD && found > 0)
        return error_set(err, STATUS_INVALID, "user %s is there already", name);
    if (change != USER_ADD && found == 0)
        return error_set(err, STATUS_NOT_FOUND, "there is no user %s", name);
    if (change != USER_REMOVE)
        buf_printf(text, "%s:%s\n", name, hash);
    return buf_check(text, "the users file", err);
}

static bool write_all(int fd, struct span text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.p, text.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text = span_of(text.p + n, text.len - (size_t)n);
    }
    return true;
}

/* Owner and mode of the old file; a first one belongs to the owner of its folder. */
static bool keep_owner(int fd, const char *path, int folder)
{
    struct stat old, mine;
    mode_t mode = 0600;
    if (stat(path, &old) == 0)
        mode = old.st_mode & 07777;
    else if (fstat(folder, &old) < 0)
        return false;
    if (fstat(fd, &mine) < 0 || fchmod(fd, mode) < 0)
        return false;
    bool same = mine.st_uid == old.st_uid && mine.st_gid == old.st_gid;
    return same || fchown(fd, old.st_uid, old.st_gid) == 0;
}

static enum status replace_file(const char *path, int folder, struct span text, struct error *err)
{
    char *temporary = NULL;
    if (asprintf(&temporary, "%s.new", path) < 0)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a path");
    enum status st = STATUS_OK;
    (void)unlink(temporary); /* left behind by a crash; we hold the lock */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || !keep_owner(fd, path, folder) || !write_all(fd, text) || fsync(fd) < 0 ||
        rename(temporary, path) < 0 || fsync(folder) < 0) {
        st = error_errno(err, STATUS_TEMPORARY, errno, "cannot write %s", path);
        (void)unlink(temporary);
    }
    if (fd >= 0)
        close(fd);
    free(temporary);
    return st;
}

enum status users_change(const char *path, enum user_change change, const char *name, const char *hash,
                         struct error *err)
{
    if (!user_name_is_valid(name))
        return error_set(err, STATUS_INVALID,
                         "a user name has 1 to 255 bytes of printable UTF-8, no colon, and no # first");
    if (change != USER_REMOVE && (!hash || !*hash || strpbrk(hash, "\n\r:")))
        return error_set(err, STATUS_INVALID, "not a password hash");
    int folder = -1;
    enum status st = lock_folder(path, &folder, err);
    if (st != STATUS_OK)
        return st;
    struct buf old, text;
    st = users_file_read(path, &old, err);
    if (st == STATUS_NOT_FOUND && change == USER_ADD)
        st = STATUS_OK;
    if (st == STATUS_OK) {
        buf_init(&text, old.max + 1024);
        st = change_text(buf_span(&old), change, name, hash, &text, err);
        if (st == STATUS_OK)
            st = replace_file(path, folder, buf_span(&text), err);
        buf_free(&text);
        buf_free(&old);
    }
    close(folder);
    return st;
}
