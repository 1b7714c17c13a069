/*
 * A worker's loop. Its limits are the kernel's: SIGALRM and SIGXCPU keep their default action, so that even
 * a library that spins for ever (pitfalls: GPGME, GMime) ends on time. The supervisor then kills the process
 * group, which takes the helpers (gpg) along.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
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

int worker_run(const struct worker_settings *settings, worker_job_fn *job, void *arg)
{
    struct error err;
    int term = term_fd();
    if (term < 0 || ipc_nonblocking(settings->service_fd, &err) != STATUS_OK)
        return 1;
    struct pollfd p[2] = {{.fd = term, .events = POLLIN}, {.fd = settings->service_fd, .events = POLLIN}};
    unsigned done = 0;
    while (done < settings->jobs_max) {
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return 1;
        if (p[0].revents)
            break;
        struct ipc_msg msg;
        enum status st = ipc_recv(settings->service_fd, &msg, &err);
        if (st == STATUS_BUSY)
            continue; /* another worker was faster */
        if (st != STATUS_OK)
            return 1;
        do_job(settings, &msg, job, arg);
        done++;
    }
    close(term);
    return 0;
}
