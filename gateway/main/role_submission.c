#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/main/auth_conf.h"
#include "gateway/main/descriptors.h"
#include "gateway/main/guard_conf.h"
#include "gateway/main/policy_conf.h"
#include "gateway/main/relay_conf.h"
#include "gateway/main/role_runs.h"
#include "gateway/main/tls_conf.h"
#include "gateway/net/network.h"
#include "gateway/net/tickets.h"
#include "gateway/submission/submission.h"

static struct submission_limits limits_from(const struct conf *conf)
{
    return (struct submission_limits){
        .message_max = (size_t)conf->limit_message,
        .in_hand_max = (size_t)conf->limit_in_hand,
        .recipients_max = (unsigned)conf->limit_recipients,
        .sessions_max = (unsigned)conf->limit_sessions,
        .sessions_per_client_max = (unsigned)conf->limit_sessions_per_client,
        .sessions_per_user_max = (unsigned)conf->limit_sessions_per_user,
        .transactions_max = (unsigned)conf->limit_transactions,
        .bad_commands_max = (unsigned)conf->limit_bad_commands,
        .auth_failures_max = (unsigned)conf->limit_auth_failures,
        .greeting_delay_ms = conf->submission_greeting_delay_ms,
        .handshake_ms = conf->limit_handshake_ms,
        .command_ms = conf->limit_command_ms,
        .data_ms = conf->limit_data_ms,
        .before_auth_ms = conf->limit_before_auth_ms,
        .keys_ms = conf->keys_budget_ms,
        .auth_ms = 10000,
        .auth_total_ms = 120000,
        .busy_ms = conf->limit_busy_ms,
        .seal_ms = conf->limit_seal_ms,
        .drain_ms = conf->limit_drain_ms,
        .rates = guard_rates_in(conf),
    };
}

/* A session has a socket, a message being received, and the reply of a role that it waits for. Beside them
 * there are calls that no session waits for. */
static int64_t descriptors_for(const struct conf *conf)
{
    return conf->limit_sessions * 3 + 1000;
}

static void listeners_free(struct submission_listener *listeners, size_t n)
{
    for (size_t i = 0; listeners && i < n; i++) {
        free((void *)(uintptr_t)listeners[i].clients);
        free(listeners[i].proxies);
    }
    free(listeners);
}

static enum status listener_from(const struct conf_listen *from, const struct relay_clients *clients, int fd,
                                 struct submission_listener *listener, struct error *err)
{
    *listener =
        (struct submission_listener){.name = from->address,
                                     .fd = fd,
                                     .implicit_tls = strcmp(from->tls, "implicit") == 0,
                                     .normalizes_line_ends = strcmp(from->line_ends, "normalize") == 0,
                                     .n_proxies = from->proxy.n,
                                     .n_clients = from->clients.n};
    enum status st = networks_parse(from->proxy.items, from->proxy.n, &listener->proxies, err);
    return st == STATUS_OK ? relay_clients_of(clients, from, &listener->clients, err) : st;
}

/* FIRST_FD: of the listening sockets. */
static enum status listeners_from(const struct conf *conf, const struct relay_clients *clients, int first_fd,
                                  struct submission_listener **listeners_out, struct error *err)
{
    struct submission_listener *listeners = calloc(conf->n_listens, sizeof *listeners);
    *listeners_out = listeners;
    if (!listeners)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the listeners");
    for (size_t i = 0; i < conf->n_listens; i++) {
        enum status st = listener_from(&conf->listens[i], clients, first_fd + (int)i, &listeners[i], err);
        if (st != STATUS_OK)
            return st;
    }
    return STATUS_OK;
}

static void warn_stale(void *arg, const char *path)
{
    const struct role_start *start = arg;
    struct log_line line;
    log_start(&line, &start->log, LOG_LEVEL_WARNING, "ocsp-stale");
    log_str(&line, "file", path);
    log_str(&line, "advice", "not stapled; fetch a new response and reload");
    log_end(&line);
}

/* The state of tickets comes from the supervisor, the rest from files. */
static enum status open_tls(const struct role_start *start, struct tickets **tickets_out,
                            struct tls_server **server_out, struct error *err)
{
    enum status st = tickets_take(start->first_extra, tickets_out, err);
    close(start->first_extra);
    if (st == STATUS_OK)
        st = tls_server_from_conf(&start->conf, *tickets_out, server_out, err);
    if (st == STATUS_OK)
        tls_server_stale_ocsp(*server_out, warn_stale, (void *)(uintptr_t)start);
    return st;
}

int role_submission(const struct role_start *start)
{
    const struct conf *conf = &start->conf;
    struct policy_settings policy;
    struct submission_listener *listeners = NULL;
    struct tickets *tickets;
    struct tls_server *tls;
    struct error err;
    struct relay_clients clients;
    if (policy_from_conf(conf, &policy, &err) != STATUS_OK)
        return role_failed(start, "rules", &err);
    if (relay_clients_from_conf(conf, &clients, &err) != STATUS_OK)
        return role_failed(start, "relay clients", &err);
    if (listeners_from(conf, &clients, start->first_extra + 1, &listeners, &err) != STATUS_OK)
        return role_failed(start, "listeners", &err);
    if (open_tls(start, &tickets, &tls, &err) != STATUS_OK)
        return role_failed(start, "TLS", &err);
    struct submission_settings settings = {
        .log = &start->log,
        .hostname = conf->hostname,
        .listeners = listeners,
        .n_listeners = conf->n_listens,
        .tls = tls_server_first(tls),
        .tickets = tickets,
        .policy = &policy,
        .mechanisms = mechanisms_from_conf(conf),
        .limits = limits_from(conf),
        .auth_service = start->ports[0],
        .seal_service = start->ports[1],
        .keys_service = start->ports[2],
        .queue_service = start->ports[3],
    };
    descriptors_raise(descriptors_for(conf), &start->log);
    int code = role_drop(start, "submission", 0) ? submission_run(&settings) : EX_CONFIG;
    tls_server_close(tls);
    tickets_close(tickets);
    policy_conf_free(&policy);
    listeners_free(listeners, conf->n_listens);
    relay_clients_free(&clients);
    return code;
}
