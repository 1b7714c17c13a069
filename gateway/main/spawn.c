#include "gateway/main/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

/* Conf, ports, tickets, listeners. */
#define SPAWN_FDS_MAX 80

/* The descriptors of the child in their final order from ROLE_FD_CONF on; returns their number, 0 when there
 * are too many. */
static size_t collect(const struct spawn *s, int tickets_fd, int fds[SPAWN_FDS_MAX])
{
    size_t n = 0;
    fds[n++] = s->conf_fd;
    for (unsigned i = 0; i < s->role->n_ports; i++)
        fds[n++] = s->services->fds[s->role->ports[i].service][s->role->ports[i].end];
    if (s->role->takes_control_socket)
        fds[n++] = s->sockets->control;
    if (s->role->takes_listeners)
        fds[n++] = tickets_fd;
    for (size_t i = 0; s->role->takes_listeners && i < s->sockets->n_listeners; i++) {
        if (n == SPAWN_FDS_MAX)
            return 0;
        fds[n++] = s->sockets->listeners[i];
    }
    return n;
}

/* Moves them to 3, 4, 5 …: first all out of the way, then each to its place. */
static bool place(int fds[SPAWN_FDS_MAX], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fds[i] = fcntl(fds[i], F_DUPFD, ROLE_FD_CONF + SPAWN_FDS_MAX);
        if (fds[i] < 0)
            return false;
    }
    for (size_t i = 0; i < n; i++)
        if (dup2(fds[i], ROLE_FD_CONF + (int)i) < 0)
            return false;
    return close_range((unsigned)(ROLE_FD_CONF + n), ~0u, 0) == 0;
}

static _Noreturn void run_child(const struct spawn *s, pid_t supervisor_pid, int *fds, size_t n)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    char index[16], supervisor[16];
    sigset_t none;
    for (size_t i = 0; i < sizeof handled / sizeof handled[0]; i++)
        signal(handled[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    snprintf(index, sizeof index, "%u", s->index);
    snprintf(supervisor, sizeof supervisor, "%d", (int)supervisor_pid);
    const char *argv[] = {"sealgate", "--role", s->role->name, index, supervisor, s->verbose ? "-v" : NULL,
                          NULL};
    /* The locale of whoever starts the gateway decides nothing, and gpg would read a dozen files for it. */
    setenv("LC_ALL", "C", 1);
    if (place(fds, n))
        execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
    _exit(EX_OSERR);
}

static enum status start_process(const struct spawn *spawn, int *fds, size_t n, pid_t *pid_out,
                                 struct error *err)
{
    /* The supervisor's handlers write to its event loop: run in a child that is signalled before it executes,
     * they would make the supervisor believe that the signal was for itself. */
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0)
        run_child(spawn, self, fds, n);
    int saved = errno;
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (pid < 0)
        return error_errno(err, STATUS_TEMPORARY, saved, "cannot start a process for %s", spawn->role->name);
    /* Here too, so that the group exists whichever of the two runs first. */
    setpgid(pid, pid);
    *pid_out = pid;
    return STATUS_OK;
}

enum status spawn_role(const struct spawn *spawn, pid_t *pid_out, struct error *err)
{
    int fds[SPAWN_FDS_MAX], tickets_fd = -1;
    enum status st = STATUS_OK;
    if (spawn->role->takes_listeners)
        st = tickets_hand_over(spawn->tickets, &tickets_fd, err);
    size_t n = st == STATUS_OK ? collect(spawn, tickets_fd, fds) : 0;
    if (st == STATUS_OK && n == 0)
        st = error_set(err, STATUS_INVALID, "too many listen sections");
    if (st == STATUS_OK)
        st = start_process(spawn, fds, n, pid_out, err);
    if (tickets_fd >= 0)
        close(tickets_fd);
    return st;
}
