#include "gateway/main/children.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "gateway/main/spawn.h"

#define BACKOFF_FIRST_MS 20
#define BACKOFF_LAST_MS 1000
/* A process that ran so long dies anew without the backoff of its earlier deaths. */
#define STEADY_MS 1000
#define RANKS 4
#define LEAVE_EXTRA_MS 5000

struct child {
    struct children *all;
    const struct role *role;
    unsigned index;
    pid_t pid; /* 0: not running */
    int64_t started_ms, started_mono;
    unsigned restarts;
    int64_t backoff_ms;
    bool leaving; /* got SIGTERM; its end is expected */
    bool retired; /* got SIGHUP: ends with its last session */
    bool surplus; /* its end is the end of this entry */
    struct event *respawn, *overdue;
    struct child *next;
};

struct children {
    struct event_base *base;
    struct children_settings settings;
    int conf_fd;
    int64_t leave_ms; /* for roles without a time of their own */
    const struct sockets *sockets;
    struct child *first;
    bool stopping;
    unsigned rank; /* being stopped */
    struct event *grace;
    void (*done)(void *arg);
    void *done_arg;
};

static struct timeval timeval_of(int64_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
}

static void log_child(const struct child *c, enum log_level level, const char *event, const char *key,
                      int value)
{
    struct log_line line;
    log_start(&line, c->all->settings.log, level, event);
    log_str(&line, "process", c->role->name);
    log_int(&line, "index", c->index);
    log_int(&line, "pid", c->pid);
    if (key)
        log_int(&line, key, value);
    log_end(&line);
}

static void respawn_later(struct child *c)
{
    c->backoff_ms = c->backoff_ms ? c->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (c->backoff_ms > BACKOFF_LAST_MS)
        c->backoff_ms = BACKOFF_LAST_MS;
    struct timeval tv = timeval_of(c->backoff_ms);
    event_add(c->respawn, &tv);
}

static void start(struct child *c)
{
    struct children *all = c->all;
    struct spawn spawn = {.role = c->role,
                          .index = c->index,
                          .verbose = all->settings.verbose,
                          .conf_fd = all->conf_fd,
                          .services = all->settings.services,
                          .sockets = all->sockets,
                          .tickets = all->settings.tickets};
    struct error err;
    c->leaving = c->retired = false;
    if (spawn_role(&spawn, &c->pid, &err) != STATUS_OK) {
        c->pid = 0;
        log_error(all->settings.log, LOG_LEVEL_ERROR, "start-failed", c->role->name, &err);
        respawn_later(c);
        return;
    }
    c->started_ms = clock_wall_ms();
    c->started_mono = clock_mono_ms();
    log_child(c, LOG_LEVEL_DEBUG, "started", NULL, 0);
}

static void on_respawn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct child *c = arg;
    if (!c->pid && !c->all->stopping)
        start(c);
}

/* What hangs, or waits for somebody who hangs, must not keep its successor from starting. */
static void on_overdue(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct child *c = arg;
    if (!c->pid || !c->leaving)
        return;
    log_child(c, LOG_LEVEL_WARNING, "killed", NULL, 0);
    kill(-c->pid, SIGKILL);
}

static void free_child(struct child *c)
{
    if (c->respawn)
        event_free(c->respawn);
    if (c->overdue)
        event_free(c->overdue);
    free(c);
}

static struct child *add(struct children *all, const struct role *role, unsigned index)
{
    struct child *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct child){.all = all, .role = role, .index = index, .next = all->first};
    c->respawn = event_new(all->base, -1, 0, on_respawn, c);
    c->overdue = event_new(all->base, -1, 0, on_overdue, c);
    if (!c->respawn || !c->overdue) {
        free_child(c);
        return NULL;
    }
    all->first = c;
    return c;
}

static void remove_child(struct children *all, struct child *gone)
{
    for (struct child **at = &all->first; *at; at = &(*at)->next) {
        if (*at != gone)
            continue;
        *at = gone->next;
        free_child(gone);
        return;
    }
}

static void leave(struct child *c)
{
    if (!c->pid || c->leaving)
        return;
    c->leaving = true;
    kill(c->pid, SIGTERM);
    struct timeval tv = timeval_of(c->role->leave_ms ? c->role->leave_ms : c->all->leave_ms);
    if (!c->all->stopping) /* then there is one time for all */
        event_add(c->overdue, &tv);
}

/* A role with sessions lets them go on beside its successor (roles.h). */
static void replace(struct child *c)
{
    if (!c->role->takes_listeners) {
        leave(c);
    } else if (c->pid && !c->leaving && !c->retired) {
        c->retired = true;
        kill(c->pid, SIGHUP);
    }
}

enum status children_open(struct event_base *base, const struct children_settings *settings,
                          struct children **children_out, struct error *err)
{
    struct children *all = calloc(1, sizeof *all);
    if (!all)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the processes");
    *all = (struct children){.base = base, .settings = *settings, .conf_fd = -1};
    *children_out = all;
    return STATUS_OK;
}

void children_close(struct children *children)
{
    while (children->first) {
        if (children->first->pid)
            kill(-children->first->pid, SIGKILL);
        remove_child(children, children->first);
    }
    if (children->grace)
        event_free(children->grace);
    if (children->conf_fd >= 0)
        close(children->conf_fd);
    free(children);
}

static struct child *find(struct children *all, const struct role *role, unsigned index)
{
    for (struct child *c = all->first; c; c = c->next)
        if (c->role == role && c->index == index && !c->surplus)
            return c;
    return NULL;
}

/* One slot of a role under the new configuration. */
static void configure_one(struct children *all, const struct role *role, unsigned index)
{
    struct child *old = find(all, role, index);
    if (old && old->pid && role->takes_listeners) {
        /* The old process finishes its sessions beside its successor. */
        old->surplus = true;
        replace(old);
        old = NULL;
    }
    if (old) {
        leave(old); /* reap() starts it anew, with the new configuration */
        return;
    }
    struct child *c = add(all, role, index);
    if (c)
        start(c);
}

/* Those of ROLE beyond N. */
static void dismiss(struct children *all, const struct role *role, unsigned n)
{
    struct child *next;
    for (struct child *c = all->first; c; c = next) {
        next = c->next;
        if (c->role != role || c->index < n || c->surplus)
            continue;
        c->surplus = true;
        if (c->pid)
            replace(c);
        else
            remove_child(all, c); /* waits to be started anew: must not be */
    }
}

static int64_t longest_job(const struct conf *conf)
{
    return conf->seal_deadline_ms > conf->limit_drain_ms ? conf->seal_deadline_ms : conf->limit_drain_ms;
}

void children_configure(struct children *children, const struct conf *conf, int conf_fd,
                        const struct sockets *sockets)
{
    if (children->stopping)
        return;
    if (children->conf_fd >= 0)
        close(children->conf_fd);
    children->conf_fd = dup(conf_fd);
    children->sockets = sockets;
    children->leave_ms = longest_job(conf) + LEAVE_EXTRA_MS;
    for (size_t r = 0; r < ROLES; r++) {
        unsigned n = roles[r].processes(conf);
        dismiss(children, &roles[r], n);
        for (unsigned i = 0; i < n; i++)
            configure_one(children, &roles[r], i);
    }
}

/* True while a process of RANK runs. */
static bool stop_rank(struct children *all, unsigned rank)
{
    bool any = false;
    for (struct child *c = all->first; c; c = c->next) {
        if (c->role->stop_rank != rank || !c->pid)
            continue;
        leave(c);
        any = true;
    }
    return any;
}

static void stop_next(struct children *all)
{
    while (all->rank < RANKS && !stop_rank(all, all->rank))
        all->rank++;
    if (all->rank == RANKS && all->done) {
        void (*done)(void *) = all->done;
        all->done = NULL;
        done(all->done_arg);
    }
}

static void on_grace(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct children *all = arg;
    for (struct child *c = all->first; c; c = c->next) {
        if (!c->pid)
            continue;
        log_child(c, LOG_LEVEL_WARNING, "killed", NULL, 0);
        kill(-c->pid, SIGKILL);
    }
}

void children_stop(struct children *children, int64_t grace_ms, void (*done)(void *arg), void *arg)
{
    if (children->stopping)
        return;
    children->stopping = true;
    children->done = done;
    children->done_arg = arg;
    children->grace = event_new(children->base, -1, 0, on_grace, children);
    struct timeval tv = timeval_of(grace_ms);
    if (children->grace)
        event_add(children->grace, &tv);
    stop_next(children);
}

/* SIGHUP reached a process that did not listen to it yet, and so had no sessions. */
static bool is_retired_early(const struct child *c, int status)
{
    return c->retired && WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP;
}

static void ended(struct child *c, int status)
{
    struct children *all = c->all;
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0; /* a worker that is recycled */
    if (!c->leaving && !is_retired_early(c, status) && !clean) {
        c->restarts++;
        log_child(c, LOG_LEVEL_ERROR, "died", WIFSIGNALED(status) ? "signal" : "exit",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    /* What it had started, gpg for example, ends with it. */
    kill(-c->pid, SIGKILL);
    event_del(c->overdue);
    bool steady = clock_mono_ms() - c->started_mono >= STEADY_MS;
    c->pid = 0;
    if (steady || c->leaving)
        c->backoff_ms = 0;
    if (c->surplus)
        remove_child(all, c);
    else if (!all->stopping && (c->leaving || (clean && steady)))
        start(c);
    else if (!all->stopping)
        respawn_later(c);
}

void children_reap(struct children *children)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        for (struct child *c = children->first; c; c = c->next) {
            if (c->pid == pid) {
                ended(c, status);
                break;
            }
        }
    }
    if (children->stopping)
        stop_next(children);
}

void children_each(const struct children *children, void (*each)(void *arg, const struct child_info *info),
                   void *arg)
{
    for (size_t r = 0; r < ROLES; r++) {
        for (const struct child *c = children->first; c; c = c->next) {
            if (c->role != &roles[r])
                continue;
            struct child_info info = {.role = c->role->name,
                                      .index = c->index,
                                      .pid = c->pid,
                                      .started_ms = c->started_ms,
                                      .restarts = c->restarts};
            each(arg, &info);
        }
    }
}
