/* The process: listeners, signals, and the drain at its end. */
#include "gateway/submission/submission.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/net/listener.h"
#include "gateway/net/tickets.h"
#include "gateway/submission/refused.h"
#include "gateway/submission/session.h"

struct port {
    struct server_state *server;
    const struct submission_listener *settings;
    struct listener *listener;
};

struct process {
    struct server_state server;
    struct port *ports;
    struct event *retire, *retire_end;
    struct event *term, *drain_end;
};

/* A session that never pauses and never ends must not keep old rules and certificates for ever. */
#define RETIRED_SECONDS 3600

static void on_accept(void *arg, int fd)
{
    struct port *port = arg;
    session_accept(port->server, port->settings, fd);
}

/* And closes: a socket that stays open without being accepted from would take connections to an address that
 * the new configuration gives up, or has in another socket, and leave them without an answer. */
static void stop_listening(struct process *process)
{
    for (size_t i = 0; i < process->server.settings->n_listeners; i++) {
        struct port *port = &process->ports[i];
        if (!port->listener)
            continue;
        listener_stop(port->listener);
        close(port->settings->fd);
        port->listener = NULL;
    }
}

/* With its own events gone, the loop ends by itself as soon as the last connection has sent its last words.
 */
static void on_empty(struct server_state *server)
{
    struct process *process = server->owner;
    if (server->settings->tickets)
        tickets_stop(server->settings->tickets);
    event_del(process->retire);
    event_del(process->retire_end);
    event_del(process->term);
    event_del(process->drain_end);
    /* Another one must not cut the last words short. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
}

void server_check_empty(struct server_state *server)
{
    if ((server->draining || server->retired) && !server->sessions && !server->refused)
        server->on_empty(server);
}

static void on_drain_end(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct process *process = arg;
    struct session *next;
    refused_cancel_all(&process->server);
    for (struct session *s = process->server.sessions; s; s = next) {
        next = s->next;
        session_end_with(s, REPLY_SHUTTING_DOWN);
        session_settle(s);
    }
    server_check_empty(&process->server);
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct process *process = arg;
    int64_t ms = process->server.settings->limits.drain_ms;
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    struct session *next;
    if (process->server.draining)
        return;
    process->server.draining = true;
    stop_listening(process);
    event_add(process->drain_end, &tv);
    for (struct session *s = process->server.sessions; s; s = next) {
        next = s->next;
        session_settle(s);
    }
    server_check_empty(&process->server);
}

/* A successor with a new configuration takes what comes; what is here goes on to its own end. */
static void on_retire(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct process *process = arg;
    const struct timeval tv = {.tv_sec = RETIRED_SECONDS};
    struct log_line line;
    if (process->server.retired)
        return;
    log_start(&line, process->server.settings->log, LOG_LEVEL_INFO, "retired");
    log_int(&line, "sessions", process->server.limits.sessions);
    log_end(&line);
    process->server.retired = true;
    stop_listening(process);
    event_add(process->retire_end, &tv);
    server_check_empty(&process->server);
}

static enum status listen_all(struct process *process, struct error *err)
{
    const struct submission_settings *settings = process->server.settings;
    process->ports = calloc(settings->n_listeners ? settings->n_listeners : 1, sizeof *process->ports);
    if (!process->ports)
        return error_set(err, STATUS_TEMPORARY, "out of memory for listeners");
    for (size_t i = 0; i < settings->n_listeners; i++) {
        struct port *port = &process->ports[i];
        *port = (struct port){.server = &process->server, .settings = &settings->listeners[i]};
        port->listener = listener_start(process->server.base, port->settings->fd, on_accept, port, err);
        if (!port->listener)
            return err->status;
    }
    return STATUS_OK;
}

static enum status start(struct process *process, struct error *err)
{
    struct server_state *server = &process->server;
    const struct submission_limits *limits = &server->settings->limits;
    server->base = event_base_new();
    if (!server->base)
        return error_set(err, STATUS_TEMPORARY, "cannot make an event loop");
    enum status st = STATUS_OK;
    if (server->settings->tickets)
        st = tickets_run(server->settings->tickets, server->base, err);
    if (st == STATUS_OK)
        st = limits_init(&server->limits, limits->sessions_max, limits->sessions_per_client_max, err);
    if (st == STATUS_OK)
        st = limits_init(&server->users, limits->sessions_max, limits->sessions_per_user_max, err);
    if (st != STATUS_OK)
        return st;
    process->retire = evsignal_new(server->base, SIGHUP, on_retire, process);
    process->retire_end = event_new(server->base, -1, 0, on_term, process);
    process->term = evsignal_new(server->base, SIGTERM, on_term, process);
    process->drain_end = event_new(server->base, -1, 0, on_drain_end, process);
    if (!process->retire || !process->retire_end || !process->term || !process->drain_end ||
        event_add(process->retire, NULL) < 0 || event_add(process->term, NULL) < 0)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the event loop");
    return listen_all(process, err);
}

static void stop(struct process *process)
{
    struct server_state *server = &process->server;
    if (process->ports)
        stop_listening(process);
    free(process->ports);
    struct event *const events[] = {process->retire, process->retire_end, process->term, process->drain_end};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i])
            event_free(events[i]);
    if (server->settings->tickets)
        tickets_stop(server->settings->tickets);
    limits_free(&server->limits);
    limits_free(&server->users);
    if (server->base)
        event_base_free(server->base);
}

int submission_run(const struct submission_settings *settings)
{
    struct process process = {.server = {.settings = settings, .on_empty = on_empty}};
    struct error err = {0};
    process.server.owner = &process;
    int code = EX_OK;
    if (start(&process, &err) != STATUS_OK) {
        log_error(settings->log, LOG_LEVEL_ERROR, "cannot-start", "submission", &err);
        code = EX_OSERR;
    } else if (event_base_dispatch(process.server.base) < 0) {
        code = EX_SOFTWARE;
    }
    stop(&process);
    return code;
}
