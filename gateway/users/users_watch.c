#include "gateway/users/users_watch.h"

static bool look(const char *path, struct users_version *version_out)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return false;
    *version_out = (struct users_version){.dev = st.st_dev,
                                          .ino = st.st_ino,
                                          .size = st.st_size,
                                          .changed = st.st_ctim,
                                          .modified = st.st_mtim};
    return true;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_version(const struct users_version *a, const struct users_version *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->size == b->size && same_time(a->changed, b->changed) &&
           same_time(a->modified, b->modified);
}

/* Looked at before it is read: a change in between is found the next time. */
static enum status load(struct users_watch *watch, struct error *err)
{
    users_free(&watch->users);
    watch->version = (struct users_version){0};
    bool seen = look(watch->path, &watch->version);
    enum status st = users_load(watch->path, &watch->users, &watch->why);
    watch->loaded = seen && st == STATUS_OK;
    if (st != STATUS_OK)
        *err = watch->why;
    return st;
}

/* What stands in the file is wrong, not what is around it. */
static bool is_lasting(const struct users_watch *watch)
{
    return !watch->loaded && (watch->why.status == STATUS_INVALID || watch->why.status == STATUS_LIMIT);
}

enum status users_watch_open(const char *path, struct users_watch *watch_out, struct error *err)
{
    *watch_out = (struct users_watch){.path = path};
    return load(watch_out, err);
}

void users_watch_close(struct users_watch *watch)
{
    users_free(&watch->users);
    *watch = (struct users_watch){0};
}

enum status users_watch_refresh(struct users_watch *watch, struct error *err)
{
    struct users_version now;
    bool same = look(watch->path, &now) && same_version(&now, &watch->version);
    if (same && watch->loaded)
        return STATUS_OK;
    if (!same || !is_lasting(watch))
        return load(watch, err);
    *err = watch->why;
    return err->status;
}
