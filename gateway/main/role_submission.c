#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/main/policy_conf.h"
#include "gateway/main/role_runs.h"
#include "gateway/net/tls.h"
#include "gateway/submission/submission.h"

static struct submission_limits limits_from(const struct conf *conf)
{
    return (struct submission_limits){
        .message_max = (size_t)conf->limit_message,
        .in_hand_max = (size_t)conf->limit_in_hand,
        .recipients_max = (unsigned)conf->limit_recipients,
        .sessions_max = (unsigned)conf->limit_sessions,
        .sessions_per_client_max = (unsigned)conf->limit_sessions_per_client,
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
        .busy_ms = conf->limit_busy_ms,
        .seal_ms = conf->limit_seal_ms,
        .drain_ms = conf->limit_drain_ms,
    };
}

int role_submission(const struct role_start *start)
{
    const struct conf *conf = &start->conf;
    struct policy_settings policy;
    struct error err;
    struct submission_listener *listeners = calloc(conf->n_listens, sizeof *listeners);
    if (!listeners)
        return EX_TEMPFAIL;
    for (size_t i = 0; i < conf->n_listens; i++)
        listeners[i] = (struct submission_listener){
            .name = conf->listens[i].address,
            .fd = start->first_extra + (int)i,
            .implicit_tls = strcmp(conf->listens[i].tls, "implicit") == 0,
            .normalizes_line_ends = strcmp(conf->listens[i].line_ends, "normalize") == 0};
    struct submission_settings settings = {
        .log = &start->log,
        .hostname = conf->hostname,
        .listeners = listeners,
        .n_listeners = conf->n_listens,
        .policy = &policy,
        .limits = limits_from(conf),
        .auth_service = start->ports[0],
        .seal_service = start->ports[1],
        .keys_service = start->ports[2],
        .queue_service = start->ports[3],
    };
    struct tls_server_settings tls = {.certificate_path = conf->tls_certificate, .key_path = conf->tls_key};
    if (policy_from_conf(conf, &policy, &err) != STATUS_OK)
        return role_failed(start, "rules", &err);
    if (tls_server_context(&tls, &settings.tls, &err) != STATUS_OK)
        return role_failed(start, "TLS certificate", &err);
    int code = role_drop(start, "submission", 0) ? submission_run(&settings) : EX_CONFIG;
    SSL_CTX_free(settings.tls);
    policy_conf_free(&policy);
    free(listeners);
    return code;
}
