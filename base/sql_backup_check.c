/* A process of its own that looks through a copy and puts it on disk: seconds for a large one, in which mail
 * goes on. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sql_backup_private.h"

/* What the child has to say, and its standard descriptors; nothing of its parent's may stay open in it. */
#define CHILD_OUT 3

static int is_good(void *arg, int n, char **values, char **names)
{
    (void)names;
    *(bool *)arg = n == 1 && values[0] && strcmp(values[0], "ok") == 0;
    return 0;
}

/* A backup that cannot be read is none. It has the mode of its original: closed in order, it leaves no log
 * beside it. */
static enum status look_through(struct sql_backup *b, struct error *err)
{
    bool good = false;
    int code =
        sqlite3_open_v2(b->copy.path, &b->copy.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_exec(b->copy.db, "PRAGMA quick_check(1)", is_good, &good, NULL);
    enum status st = code != SQLITE_OK ? sql_status(&b->copy, code, "read a backup", err) : STATUS_OK;
    sqlite3_close(b->copy.db);
    if (st == STATUS_OK && !good)
        st = error_set(err, STATUS_INTERNAL,
                       "the backup is damaged, and so may be the database: look at the disk");
    return st;
}

enum status sql_backup_sync(const char *path, int flags, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    int failed = fd < 0 || fsync(fd) < 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    return failed ? error_errno(err, STATUS_TEMPORARY, failed, "cannot put the backup %s on disk", path)
                  : STATUS_OK;
}

static _Noreturn void be_child(struct sql_backup *b, int out, pid_t parent)
{
    struct error err = {0};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGTERM, SIG_DFL);
    if (getppid() != parent || dup2(out, CHILD_OUT) < 0 || close_range(CHILD_OUT + 1, ~0U, 0) < 0)
        _exit(STATUS_TEMPORARY);
    enum status st = look_through(b, &err);
    if (st == STATUS_OK)
        st = sql_backup_sync(b->copy.path, 0, &err);
    /* Less than a pipe takes at once; what is lost with it is only the reason. */
    ssize_t told = st == STATUS_OK ? 0 : write(CHILD_OUT, err.text, strlen(err.text));
    (void)told;
    _exit(st);
}

enum status sql_backup_check(struct sql_backup *b, int *over_fd_out, struct error *err)
{
    int ends[2];
    int code = sqlite3_backup_finish(b->backup);

    b->backup = NULL;
    if (code != SQLITE_OK)
        return sql_status(&b->copy, code, "write a backup", err);
    sqlite3_close(b->copy.db);
    b->copy.db = NULL;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot check a backup");
    pid_t parent = getpid();
    b->child = fork();
    if (b->child == 0)
        be_child(b, ends[1], parent);
    close(ends[1]);
    b->over = ends[0];
    *over_fd_out = ends[0];
    return b->child > 0 ? STATUS_OK : error_errno(err, STATUS_TEMPORARY, errno, "cannot check a backup");
}

enum status sql_backup_verdict(struct sql_backup *b, struct error *err)
{
    char why[ERROR_TEXT_MAX];
    int status = 0;
    ssize_t n = read(b->over, why, sizeof why - 1);

    while (waitpid(b->child, &status, 0) < 0 && errno == EINTR)
        ;
    b->child = 0;
    why[n > 0 ? n : 0] = '\0';
    if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_OK)
        return STATUS_OK;
    if (WIFEXITED(status) && n > 0)
        return error_set(err, (enum status)WEXITSTATUS(status), "%s", why);
    return error_set(err, STATUS_TEMPORARY, "the process that checks the backup ended before it was through");
}

void sql_backup_stop_check(struct sql_backup *b)
{
    if (b->child > 0 && kill(b->child, SIGKILL) == 0)
        while (waitpid(b->child, NULL, 0) < 0 && errno == EINTR)
            ;
    if (b->over >= 0)
        close(b->over);
}
