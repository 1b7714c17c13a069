/*
 * LD_PRELOAD: kills a role of the gateway at an exact system call (R1), or makes a call of it fail (R2).
 * Which one stands in a page that the test shares with every process (a file named by KILLAT_PAGE, mapped
 * before the role drops its rights), so that one running gateway can be killed at step after step:
 *
 *     armed | countdown | fired | after | role | call | fault
 *
 * Without a fault the role's COUNTDOWNth CALL from now on ends it, before the call is made or after it. With
 * one, every such call fails with that errno as long as it is armed; SHORT makes it write the first half
 * only.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

struct page {
    _Atomic uint32_t armed; /* number of the step; 0: nobody is to die */
    _Atomic int32_t countdown;
    _Atomic uint32_t fired; /* number of the last step at which somebody died */
    uint32_t after;         /* 0: before the call, 1: after it */
    char role[16];
    char call[16];
    int32_t fault; /* 0: kill; an errno; SHORT */
};

#define SHORT (-1)

static struct page *page;
static char role[16];

__attribute__((constructor)) static void find_out_who_we_are(void)
{
    const char *path = getenv("KILLAT_PAGE");
    char cmdline[256] = "";
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, cmdline, sizeof cmdline - 1) : 0;
    if (fd >= 0)
        close(fd);
    if (!path || n <= 0)
        return;
    const char *name = cmdline;
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    if (strcmp(base, "sealgate") != 0)
        return;
    const char *second = name + strlen(name) + 1;
    if (strcmp(second, "--role") == 0)
        snprintf(role, sizeof role, "%s", second + strlen(second) + 1);
    else
        snprintf(role, sizeof role, "supervisor");
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *p = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    page = p == MAP_FAILED ? NULL : p;
    close(fd);
}

/* The step that concerns this call; 0: none. */
static uint32_t step_of(const char *call)
{
    uint32_t step = page ? atomic_load(&page->armed) : 0;
    return step && strcmp(page->role, role) == 0 && strcmp(page->call, call) == 0 ? step : 0;
}

/* The step at which this call ends us; 0: none. */
static uint32_t is_due(const char *call)
{
    uint32_t step = step_of(call);
    return step && page->fault == 0 && atomic_fetch_sub(&page->countdown, 1) == 1 ? step : 0;
}

/* How this call fails: an errno, SHORT, or 0. */
static int fault_of(const char *call)
{
    uint32_t step = step_of(call);
    int fault = step ? page->fault : 0;
    if (fault)
        atomic_store(&page->fired, step);
    return fault;
}

/* A step may be over before its call comes back. The test disarms, then looks at what fired; here it is the
 * other way round: nobody dies of whom the test does not know. */
static void end(uint32_t step)
{
    if (atomic_load(&page->armed) != step)
        return;
    atomic_store(&page->fired, step);
    if (atomic_load(&page->armed) == step)
        kill(getpid(), SIGKILL);
}

#define WRAP_WITH(type, name, parameters, arguments, before)                                                 \
    type name parameters                                                                                     \
    {                                                                                                        \
        type(*real) parameters = (type(*) parameters)dlsym(RTLD_NEXT, #name);                                \
        int fault = fault_of(#name);                                                                         \
        if (fault > 0) {                                                                                     \
            errno = fault;                                                                                   \
            return -1;                                                                                       \
        }                                                                                                    \
        before uint32_t due = is_due(#name);                                                                 \
        if (due && !page->after)                                                                             \
            end(due);                                                                                        \
        type result = real arguments;                                                                        \
        if (due)                                                                                             \
            end(due);                                                                                        \
        return result;                                                                                       \
    }

#define WRAP(type, name, parameters, arguments) WRAP_WITH(type, name, parameters, arguments, )

WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))
WRAP(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))
WRAP(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))
WRAP(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n))
WRAP_WITH(ssize_t, pwrite64, (int fd, const void *p, size_t n, off64_t at), (fd, p, n, at),
          if (fault == SHORT && n > 1) n /= 2;)
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(int, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
WRAP(int, close, (int fd), (fd))
