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

#include "gateway/users/users.h"
#include "gateway/users/users_file.h"

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

/* Copies TEXT to OUT without the lines of users in SET; the first of those, NULL: none. */
static const struct user *copy_others(struct span text, const struct users *set, struct buf *out)
{
    const struct user *first = NULL;
    struct users_line line;
    while (users_line_next(&text, &line)) {
        char *name = line.is_user ? span_dup(line.name) : NULL;
        const struct user *found = name ? users_find(set, name) : NULL;
        free(name);
        if (found) {
            first = first ? first : found;
            continue;
        }
        buf_append_span(out, line.raw);
        if (line.raw.p[line.raw.len - 1] != '\n')
            buf_append_char(out, '\n');
    }
    return first;
}

static void append_user(struct buf *text, const struct user *user)
{
    buf_printf(text, "%s:%s", user->name, user->hash ? user->hash : "");
    if (user->has_scram) {
        buf_append_char(text, ':');
        scram_keys_format(text, &user->scram);
    }
    buf_append_char(text, '\n');
}

/* What is done with those of a set that stand in the file, and those that do not. */
struct plan {
    const struct users *set;
    bool may_be_there, must_be_there;
    bool write; /* false: they are removed */
};

static enum status change_text(struct span old, const struct plan *plan, struct buf *text, struct error *err)
{
    const struct user *found = copy_others(old, plan->set, text);
    if (found && !plan->may_be_there)
        return error_set(err, STATUS_INVALID, "user %s is there already", found->name);
    if (!found && plan->must_be_there)
        return error_set(err, STATUS_NOT_FOUND, "there is no user %s", plan->set->items[0].name);
    for (size_t i = 0; plan->write && i < plan->set->n; i++)
        append_user(text, &plan->set->items[i]);
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

static enum status check_entries(const struct plan *plan, struct error *err)
{
    for (size_t i = 0; i < plan->set->n; i++) {
        const struct user *user = &plan->set->items[i];
        if (!user_name_is_valid(user->name))
            return error_set(err, STATUS_INVALID,
                             "a user name has 1 to 255 bytes of printable UTF-8, no colon, and no # first");
        if (!plan->write)
            continue;
        if (!user->hash && !user->has_scram)
            return error_set(err, STATUS_INVALID, "user %s has no password hash", user->name);
        if (user->hash && user_hash_is_safe(user->hash, err) != STATUS_OK)
            return error_prefix(err, "user %s", user->name);
    }
    return STATUS_OK;
}

static enum status carry_out(const char *path, const struct plan *plan, struct error *err)
{
    int folder = -1;
    enum status st = check_entries(plan, err);
    if (st == STATUS_OK)
        st = lock_folder(path, &folder, err);
    if (st != STATUS_OK)
        return st;
    struct buf old, text;
    st = users_file_read(path, &old, err);
    if (st == STATUS_NOT_FOUND && !plan->must_be_there)
        st = STATUS_OK;
    if (st == STATUS_OK) {
        buf_init(&text, old.max);
        st = change_text(buf_span(&old), plan, &text, err);
        if (st == STATUS_OK)
            st = replace_file(path, folder, buf_span(&text), err);
        buf_free(&text);
        buf_free(&old);
    }
    close(folder);
    return st;
}

enum status users_change(const char *path, enum user_change change, const struct user *user,
                         struct error *err)
{
    struct user item = *user;
    const struct users set = {.items = &item, .n = 1};
    const struct plan plan = {.set = &set,
                              .may_be_there = change != USER_ADD,
                              .must_be_there = change != USER_ADD,
                              .write = change != USER_REMOVE};
    enum status st = carry_out(path, &plan, err);
    explicit_bzero(&item, sizeof item);
    return st;
}

enum status users_add_all(const char *path, const struct users *added, bool replace, struct error *err)
{
    const struct plan plan = {.set = added, .may_be_there = replace, .write = true};
    return carry_out(path, &plan, err);
}
