#include "gateway/main/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status limit(int which, rlim_t value, const char *name, struct error *err)
{
    struct rlimit r = {value, value};
    if (setrlimit((__rlimit_resource_t)which, &r) < 0)
        return error_errno(err, STATUS_INTERNAL, errno, "cannot limit %s", name);
    return STATUS_OK;
}

static enum status enter_folder(const struct privileges *p, bool root, struct error *err)
{
    if (chdir(p->folder) < 0)
        return error_errno(err, STATUS_INTERNAL, errno, "cannot enter %s", p->folder);
    if (root && p->chroot && (chroot(".") < 0 || chdir("/") < 0))
        return error_errno(err, STATUS_INTERNAL, errno, "cannot make %s the root", p->folder);
    return STATUS_OK;
}

static enum status become(uid_t uid, gid_t gid, const char *user, struct error *err)
{
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return error_errno(err, STATUS_INTERNAL, errno, "cannot become user %s", user);
    if (setresuid(0, 0, 0) == 0 || geteuid() == 0 || getegid() == 0)
        return error_set(err, STATUS_INTERNAL, "still root after becoming user %s", user);
    return STATUS_OK;
}

/* Bytes of address space taken at the start: little, but terabytes in a sanitised build. */
static rlim_t mapped_now(void)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    if (!statm)
        return 0;
    if (fscanf(statm, "%lu", &pages) != 1)
        pages = 0;
    fclose(statm);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

enum status privileges_drop(const struct privileges *p, struct error *err)
{
    bool root = geteuid() == 0;
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (root) {
        struct passwd *pw = p->user ? getpwnam(p->user) : NULL;
        if (!pw || pw->pw_uid == 0)
            return error_set(err, STATUS_INVALID,
                             "user %s does not exist or is root; set user in the configuration",
                             p->user ? p->user : "(not set)");
        uid = pw->pw_uid;
        gid = pw->pw_gid;
    }

    umask(077);
    enum status st = limit(RLIMIT_CORE, 0, "core dumps", err);
    if (st == STATUS_OK && p->memory_max > 0)
        st = limit(RLIMIT_AS, mapped_now() + (rlim_t)p->memory_max, "memory", err);
    if (st == STATUS_OK)
        st = enter_folder(p, root, err);
    if (st == STATUS_OK && root)
        st = become(uid, gid, p->user, err);
    if (st != STATUS_OK)
        return st;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_errno(err, STATUS_INTERNAL, errno, "cannot forbid new privileges");
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return error_errno(err, STATUS_INTERNAL, errno, "cannot switch off dumps");
    /* Last, because a change of user clears it: without its supervisor no role may go on (its state is
     * crash-safe). */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return error_errno(err, STATUS_INTERNAL, errno, "cannot tie the process to its supervisor");
    if (getppid() != p->supervisor)
        return error_set(err, STATUS_CLOSED, "the supervisor is gone");
    return STATUS_OK;
}
