#include "gateway/main/supervisor.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/memfile.h"
#include "gateway/main/check.h"
#include "gateway/main/children.h"
#include "gateway/main/paths.h"
#include "gateway/main/role_runs.h"
#include "gateway/main/status.h"
#include "gateway/net/tickets.h"
#include "gateway/seal/wrong_pins.h"

/* Added to the roles' own time to drain before what is left is killed. */
#define GRACE_EXTRA_MS 5000

struct supervisor {
    const struct supervisor_settings *settings;
    struct log log;
    struct conf conf;
    int lock_fd;
    struct services services;
    struct inherited inherited;
    struct sockets sockets;
    struct event_base *base;
    struct tickets *tickets;
    struct children *children;
    struct status_server *status;
};

/* Whoever starts or reloads may have corrected one. */
static void forget_wrong_pins(const struct supervisor *s)
{
    char folder[PATH_SIZE];
    struct error err;
    if (path_in_state(&s->conf, FOLDER_SEAL, folder, &err) == STATUS_OK)
        wrong_pins_forget(folder);
}

/* Hands the bytes that were checked to the roles: nobody reads the file a second time. */
static enum status configure(struct supervisor *s, const struct buf *text, struct error *err)
{
    int fd;
    enum status st = memfile_from("configuration", buf_span(text), &fd, err);
    if (st != STATUS_OK)
        return st;
    forget_wrong_pins(s);
    children_configure(s->children, &s->conf, fd, &s->sockets);
    close(fd);
    return STATUS_OK;
}

static void log_problems(struct supervisor *s, struct buf *problems)
{
    struct span rest = buf_span(problems);
    while (rest.len > 0) {
        const char *end = memchr(rest.p, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.p) : rest.len;
        struct log_line line;
        log_start(&line, &s->log, LOG_LEVEL_ERROR, "configuration-problem");
        log_span(&line, "problem", span_of(rest.p, len));
        log_end(&line);
        len += end ? 1 : 0;
        rest = span_of(rest.p + len, rest.len - len);
    }
}

/* What cannot change while roles of both configurations run side by side. */
static enum status check_fixed(const struct conf *now, const struct conf *next, struct error *err)
{
    if (strcmp(now->state_dir, next->state_dir) != 0)
        return error_set(err, STATUS_INVALID, "state-dir cannot change on reload; restart the gateway");
    return STATUS_OK;
}

static enum status take_new(struct supervisor *s, struct conf *next, const struct buf *text,
                            struct error *err)
{
    struct sockets sockets;
    enum status st = check_fixed(&s->conf, next, err);
    if (st == STATUS_OK)
        st = inherited_check(&s->inherited, next, err);
    if (st == STATUS_OK)
        st = sockets_open(next, &s->inherited, &s->sockets, &sockets, err);
    if (st != STATUS_OK) {
        conf_free(next);
        return st;
    }
    s->sockets = sockets;
    conf_free(&s->conf);
    s->conf = *next;
    s->log = log_from_conf(&s->conf, "supervisor", s->settings->verbose);
    /* Behind all that may refuse the reload. Tickets mend themselves when next they are asked for. */
    if (tickets_set_rotation(s->tickets, s->conf.tls_ticket_rotation_ms, err) != STATUS_OK)
        log_error(&s->log, LOG_LEVEL_WARNING, "tickets-failed", NULL, err);
    return configure(s, text, err);
}

static void reload(struct supervisor *s)
{
    struct buf text, problems;
    struct conf next;
    struct error err;
    buf_init(&problems, 1u << 16);
    sd_notify(0, "RELOADING=1");
    enum status st = conf_read_file(s->settings->conf_path, &text, &err);
    if (st == STATUS_OK) {
        st = check_configuration(buf_span(&text), s->settings->conf_path, &next, &problems, &err);
        if (st == STATUS_OK)
            st = take_new(s, &next, &text, &err);
        buf_free(&text);
    }
    if (st == STATUS_OK) {
        struct log_line line;
        log_start(&line, &s->log, LOG_LEVEL_NOTICE, "reloaded");
        log_str(&line, "configuration", s->settings->conf_path);
        log_end(&line);
    } else {
        log_problems(s, &problems);
        log_error(&s->log, LOG_LEVEL_ERROR, "reload-refused", "the old configuration stays in force", &err);
    }
    buf_free(&problems);
    sd_notify(0, "READY=1");
}

static void stopped(void *arg)
{
    struct supervisor *s = arg;
    event_base_loopexit(s->base, NULL);
}

static void on_signal(evutil_socket_t signum, short what, void *arg)
{
    (void)what;
    struct supervisor *s = arg;
    if (signum == SIGCHLD) {
        children_reap(s->children);
    } else if (signum == SIGHUP) {
        reload(s);
    } else {
        struct log_line line;
        log_start(&line, &s->log, LOG_LEVEL_NOTICE, "stopping");
        log_end(&line);
        sd_notify(0, "STOPPING=1");
        children_stop(s->children, s->conf.limit_drain_ms + GRACE_EXTRA_MS, stopped, s);
    }
}

static enum status open_all(struct supervisor *s, struct error *err)
{
    enum status st = inherited_take(&s->inherited, err);
    if (st == STATUS_OK)
        st = inherited_check(&s->inherited, &s->conf, err);
    if (st == STATUS_OK)
        st = state_prepare(&s->conf, &s->lock_fd, err);
    if (st == STATUS_OK)
        st = sockets_open(&s->conf, &s->inherited, NULL, &s->sockets, err);
    if (st == STATUS_OK)
        st = services_open(&s->services, err);
    if (st != STATUS_OK)
        return st;
    /* Workers that are killed leave gpg behind: it comes here instead of to process 1. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return error_set(err, STATUS_INTERNAL, "cannot become the reaper of orphans");
    s->base = event_base_new();
    if (!s->base)
        return error_set(err, STATUS_TEMPORARY, "cannot make the event loop");
    st = tickets_open(s->conf.tls_ticket_rotation_ms, &s->tickets, err);
    if (st == STATUS_OK)
        st = tickets_run(s->tickets, s->base, err);
    if (st != STATUS_OK)
        return st;
    struct children_settings settings = {
        .log = &s->log, .verbose = s->settings->verbose, .services = &s->services, .tickets = s->tickets};
    st = children_open(s->base, &settings, &s->children, err);
    if (st == STATUS_OK)
        st = status_server_start(s->base, s->services.fds[SERVICE_SUPERVISOR][SERVICE_SERVER], s->children,
                                 s->settings->conf_path, &s->status, err);
    return st;
}

static void close_all(struct supervisor *s)
{
    if (s->status)
        status_server_stop(s->status);
    if (s->children)
        children_close(s->children);
    if (s->tickets)
        tickets_close(s->tickets);
    if (s->base)
        event_base_free(s->base);
    sockets_close(&s->sockets);
    inherited_close(&s->inherited);
    conf_free(&s->conf);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
}

static enum status serve(struct supervisor *s, const struct buf *text, struct error *err)
{
    static const int signals[] = {SIGCHLD, SIGHUP, SIGTERM, SIGINT};
    enum { SIGNALS = sizeof signals / sizeof signals[0] };
    struct event *events[SIGNALS] = {NULL};
    enum status st = STATUS_OK;
    for (int i = 0; i < SIGNALS && st == STATUS_OK; i++) {
        events[i] = evsignal_new(s->base, signals[i], on_signal, s);
        if (!events[i] || event_add(events[i], NULL) < 0)
            st = error_set(err, STATUS_TEMPORARY, "cannot watch signals");
    }
    if (st == STATUS_OK)
        st = configure(s, text, err);
    if (st == STATUS_OK) {
        struct log_line line;
        log_start(&line, &s->log, LOG_LEVEL_NOTICE, "started");
        log_str(&line, "configuration", s->settings->conf_path);
        log_end(&line);
        sd_notify(0, "READY=1");
        event_base_dispatch(s->base);
    }
    for (int i = 0; i < SIGNALS; i++)
        if (events[i])
            event_free(events[i]);
    return st;
}

int supervisor_run(const struct supervisor_settings *settings, struct conf *conf, const struct buf *text)
{
    struct supervisor s = {.settings = settings, .conf = *conf, .lock_fd = -1, .sockets = {.control = -1}};
    struct error err;
    s.log = log_from_conf(&s.conf, "supervisor", settings->verbose);
    enum status st = open_all(&s, &err);
    if (st == STATUS_OK)
        st = serve(&s, text, &err);
    if (st != STATUS_OK)
        log_error(&s.log, LOG_LEVEL_ERROR, "start-failed", settings->conf_path, &err);
    close_all(&s);
    if (st == STATUS_OK)
        return EX_OK;
    return st == STATUS_INVALID || st == STATUS_DENIED ? EX_CONFIG : EX_OSERR;
}
