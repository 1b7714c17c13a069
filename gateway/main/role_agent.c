/*
 * gpg-agent, which holds the OpenPGP keys to sign with, as a child like the other roles: rights are dropped
 * first, then the program takes this process's place. Its socket is made here and handed over as systemd
 * would (gpg-agent --supervised), because it stays in the foreground in that mode alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/main/paths.h"
#include "gateway/main/role_runs.h"

#define AGENT_SOCKET "S.gpg-agent"
#define LISTEN_FD 3 /* SD_LISTEN_FDS_START */
#define BACKLOG 64

static enum status make_address(const char *home, struct sockaddr_un *address, struct error *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(address->sun_path, sizeof address->sun_path, "%s/" AGENT_SOCKET, home);
    if (n < 0 || (size_t)n >= sizeof address->sun_path)
        return error_set(
            err, STATUS_INVALID,
            "the path of signing-home %s is too long for a socket in it (%zu bytes): choose a shorter "
            "one",
            home, sizeof address->sun_path);
    return STATUS_OK;
}

/* The private folder is what keeps others off the socket. */
static enum status check_home(const char *home, struct error *err)
{
    struct stat st;
    if (stat(home, &st) < 0)
        return error_errno(err, STATUS_INVALID, errno, "signing-home %s", home);
    if (st.st_uid != geteuid() || st.st_mode & 077)
        return error_set(err, STATUS_DENIED,
                         "signing-home %s must belong to the service user alone: chown it, and chmod 700",
                         home);
    return STATUS_OK;
}

static enum status listen_in(const char *home, struct error *err)
{
    struct sockaddr_un address;
    enum status st = check_home(home, err);
    if (st == STATUS_OK)
        st = make_address(home, &address, err);
    if (st != STATUS_OK)
        return st;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot make the agent's socket");
    /* What a former agent left there is dead: the supervisor runs one at a time. */
    unlink(address.sun_path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot listen on %s", address.sun_path);
    if (fd != LISTEN_FD) {
        if (dup2(fd, LISTEN_FD) < 0)
            return error_errno(err, STATUS_TEMPORARY, errno, "cannot hand over the agent's socket");
        close(fd);
    }
    return fcntl(LISTEN_FD, F_SETFD, 0) == 0
               ? STATUS_OK
               : error_errno(err, STATUS_TEMPORARY, errno, "cannot hand over the agent's socket");
}

static enum status set_environment(const char *home, struct error *err)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    if (setenv("LISTEN_FDS", "1", 1) < 0 || setenv("LISTEN_FDNAMES", "std", 1) < 0 ||
        setenv("LISTEN_PID", pid, 1) < 0 ||
        /* gnupg-pkcs11-scd makes a socket, by default where others can put something in its way. */
        setenv("GNUPG_PKCS11_SOCKETDIR", home, 1) < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot set the agent's environment");
    return STATUS_OK;
}

/*
 * gnupg-pkcs11-scd writes all that it is told to standard error, the PIN among it, and inherits that of the
 * agent. What goes wrong is said by GnuPG to whoever signs.
 */
static enum status silence(int *stderr_out, struct error *err)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    *stderr_out = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, LISTEN_FD + 1);
    if (null < 0 || *stderr_out < 0 || dup2(null, STDERR_FILENO) < 0)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot silence the program for the card");
    return STATUS_OK;
}

/* Takes this process's place. A card is reached only where the configuration asks for it: the agent would
 * look for one by itself. */
static void run_agent(const struct conf *conf, const char *home, struct error *err)
{
    const char *program = conf->seal_gpg_agent;
    const char *argv[] = {program, "--homedir", home, "--supervised", "--quiet", NULL, NULL, NULL};
    int kept = -1;
    if (conf->seal_scdaemon) {
        if (silence(&kept, err) != STATUS_OK)
            return;
        argv[5] = "--scdaemon-program";
        argv[6] = conf->seal_scdaemon;
    } else {
        argv[5] = "--disable-scdaemon";
    }
    execv(program, (char *const *)(uintptr_t)argv);
    int failure = errno;
    if (kept >= 0)
        dup2(kept, STDERR_FILENO);
    error_errno(err, STATUS_INVALID, failure, "cannot run %s: install gpg-agent", program);
}

int role_agent(const struct role_start *start)
{
    char home[PATH_SIZE];
    struct error err;
    enum status st = path_signing_home(&start->conf, home, &err);
    if (st != STATUS_OK)
        return role_failed(start, "signing-home", &err);
    if (!role_drop(start, "agent", 0))
        return EX_CONFIG;
    st = listen_in(home, &err);
    if (st == STATUS_OK)
        st = set_environment(home, &err);
    if (st == STATUS_OK)
        run_agent(&start->conf, home, &err);
    return role_failed(start, "gpg-agent", &err);
}
