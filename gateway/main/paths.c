#include "gateway/main/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/message/spool.h"

enum status path_in_state(const struct conf *conf, const char *name, char out[PATH_SIZE], struct error *err)
{
    int n = snprintf(out, PATH_SIZE, "%s/%s", conf->state_dir, name);
    if (n < 0 || n >= PATH_SIZE)
        return error_set(err, STATUS_INVALID, "state-dir %s is too long", conf->state_dir);
    return STATUS_OK;
}

enum status path_signing_home(const struct conf *conf, char out[PATH_SIZE], struct error *err)
{
    if (!conf->seal_signing_home)
        return path_in_state(conf, FOLDER_SIGNING, out, err);
    int n = snprintf(out, PATH_SIZE, "%s", conf->seal_signing_home);
    if (n < 0 || n >= PATH_SIZE)
        return error_set(err, STATUS_INVALID, "signing-home %s is too long", conf->seal_signing_home);
    return STATUS_OK;
}

static enum status make_folder(const char *path, uid_t uid, gid_t gid, struct error *err)
{
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_errno(err, STATUS_INVALID, errno, "cannot make the folder %s", path);
    /* By descriptor: the service user owns what is above and could put a link there in between. */
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, STATUS_INVALID, errno, "%s is not a folder that can be opened", path);
    enum status st = STATUS_OK;
    if (geteuid() == 0 && fchown(fd, uid, gid) < 0)
        st = error_errno(err, STATUS_INVALID, errno, "cannot give %s to the service user", path);
    else if (fchmod(fd, 0700) < 0)
        st = error_errno(err, STATUS_DENIED, errno, "cannot set the rights of %s to 0700", path);
    close(fd);
    return st;
}

static enum status service_user(const struct conf *conf, uid_t *uid, gid_t *gid, struct error *err)
{
    *uid = geteuid();
    *gid = getegid();
    if (*uid != 0)
        return STATUS_OK;
    struct passwd *pw = conf->user ? getpwnam(conf->user) : NULL;
    if (!pw || pw->pw_uid == 0)
        return error_set(
            err, STATUS_INVALID,
            "user \"%s\": started as root, so an existing unprivileged user is needed (useradd --system)",
            conf->user ? conf->user : "");
    *uid = pw->pw_uid;
    *gid = pw->pw_gid;
    return STATUS_OK;
}

static enum status lock_state(const struct conf *conf, int *lock_fd_out, struct error *err)
{
    char path[PATH_SIZE];
    enum status st = path_in_state(conf, "lock", path, err);
    if (st != STATUS_OK)
        return st;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(err, STATUS_INVALID, errno, "cannot open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        return error_set(err, STATUS_DENIED, "%s is locked: another sealgate runs on this state directory",
                         path);
    }
    *lock_fd_out = fd;
    return STATUS_OK;
}

/* The roles that hold it load it themselves; here one that others can read stops the start (A26). */
static enum status prepare_spool_key(const char *path, struct error *err)
{
    struct spool_key key;
    enum status st = spool_key_ensure(path, err);
    if (st == STATUS_OK)
        st = spool_key_load(path, &key, err);
    explicit_bzero(&key, sizeof key);
    return st;
}

enum status state_prepare(const struct conf *conf, int *lock_fd_out, struct error *err)
{
    static const char *const folders[] = {FOLDER_EMPTY, FOLDER_QUEUE,   FOLDER_KEYS,    FOLDER_SEAL,
                                          FOLDER_AUTH,  FOLDER_SIGNING, FOLDER_DELIVERY};
    char path[PATH_SIZE];
    uid_t uid;
    gid_t gid;
    enum status st = service_user(conf, &uid, &gid, err);
    if (st == STATUS_OK)
        st = make_folder(conf->state_dir, uid, gid, err);
    if (st == STATUS_OK)
        st = lock_state(conf, lock_fd_out, err);
    for (size_t i = 0; st == STATUS_OK && i < sizeof folders / sizeof folders[0]; i++) {
        st = path_in_state(conf, folders[i], path, err);
        if (st == STATUS_OK)
            st = make_folder(path, uid, gid, err);
    }
    if (st == STATUS_OK)
        st = path_in_state(conf, SPOOL_KEY_FILE, path, err);
    if (st == STATUS_OK)
        st = prepare_spool_key(path, err);
    return st;
}
