/*
 * A worker's loop. Its limits are the kernel's: SIGALRM and SIGXCPU keep their default action, so that even
 * a library that spins for ever (pitfalls: GPGME, GMime) ends on time. The supervisor then kills the process
 * group, which takes the helpers (gpg) along.
 */
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/call.h"

static void set_alarm(int64_t ms)
{
    struct itimerval it = {.it_value = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000}};
    setitimer(ITIMER_REAL, &it, NULL);
}

/* RLIMIT_CPU counts from the start of the process: what was used so far, plus this job's share. */
static void set_cpu_limit(int64_t ms)
{
    struct rusage used;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &used) < 0 || getrlimit(RLIMIT_CPU, &limit) < 0)
        return;
    rlim_t soft = (rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec + 1 + (ms + 999) / 1000);
    if (limit.rlim_max == RLIM_INFINITY || soft < limit.rlim_max) {
        limit.rlim_cur = soft;
        setrlimit(RLIMIT_CPU, &limit);
    }
}

static void do_job(const struct worker_settings *settings, struct ipc_msg *msg, worker_job_fn *job, void *arg)
{
    struct request request;
    struct error err;
    if (request_take(msg, &request, &err) != STATUS_OK)
        return; /* the caller gave up */
    set_cpu_limit(settings->cpu_ms);
    set_alarm(settings->deadline_ms);
    job(arg, &request);
    set_alarm(0);
    request_free(&request);
}

/* SIGTERM as a descriptor: it waits for the job in hand. Blocked before the first job. */
static int term_fd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

/*
 * Both descriptors, for one epoll_wait. Exclusive: a job wakes one idle worker, not all of them; the others
 * would find nothing, which on a virtual machine costs more than many a job.
 */
static int job_or_term(int service_fd, int term)
{
    struct epoll_event job = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = service_fd};
    struct epoll_event end = {.events = EPOLLIN, .data.fd = term};
    int set = epoll_create1(EPOLL_CLOEXEC);
    if (set < 0)
        return -1;
    if (epoll_ctl(set, EPOLL_CTL_ADD, term, &end) == 0 &&
        epoll_ctl(set, EPOLL_CTL_ADD, service_fd, &job) == 0)
        return set;
    close(set);
    return -1;
}

static bool holds(const struct epoll_event *found, int n, int fd)
{
    for (int i = 0; i < n; i++)
        if (found[i].data.fd == fd)
            return true;
    return false;
}

/* Returns the exit code. */
static int take_jobs(const struct worker_settings *settings, int set, int term, worker_job_fn *job, void *arg)
{
    unsigned done = 0;
    while (done < settings->jobs_max) {
        struct epoll_event found[2];
        struct ipc_msg msg;
        struct error err;
        int n = epoll_wait(set, found, 2, -1);
        if (n < 0 && errno != EINTR)
            return 1;
        /* A job that woke this worker woke no other: it is done although SIGTERM came with it. */
        bool leaves = holds(found, n, term);
        if (leaves && !holds(found, n, settings->service_fd))
            break;
        enum status st = ipc_recv(settings->service_fd, &msg, &err);
        if (st == STATUS_OK)
            do_job(settings, &msg, job, arg);
        else if (st != STATUS_BUSY) /* busy: another worker was faster */
            return 1;
        if (leaves)
            break;
        done += st == STATUS_OK;
    }
    return 0;
}

int worker_run(const struct worker_settings *settings, worker_job_fn *job, void *arg)
{
    struct error err;
    int code = 1;
    int term = term_fd();
    int set = term < 0 ? -1 : job_or_term(settings->service_fd, term);
    if (set >= 0 && ipc_nonblocking(settings->service_fd, &err) == STATUS_OK)
        code = take_jobs(settings, set, term, job, arg);
    if (set >= 0)
        close(set);
    if (term >= 0)
        close(term);
    return code;
}
