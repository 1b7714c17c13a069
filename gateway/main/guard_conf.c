#include "gateway/main/guard_conf.h"

#include <stdlib.h>

static struct guard_rate rate_of(struct conf_rate rate)
{
    return (struct guard_rate){.count = rate.count, .window_ms = rate.window_ms};
}

static struct guard_account *accounts_of(const struct conf *conf)
{
    struct guard_account *accounts = calloc(conf->n_accounts + 1, sizeof *accounts);
    for (size_t i = 0; accounts && i < conf->n_accounts; i++)
        accounts[i] = (struct guard_account){.pattern = conf->accounts[i].pattern,
                                             .messages = rate_of(conf->accounts[i].rate),
                                             .recipients = rate_of(conf->accounts[i].recipients_rate)};
    return accounts;
}

static struct guard_client *clients_of(const struct conf *conf)
{
    struct guard_client *clients = calloc(conf->n_clients + 1, sizeof *clients);
    for (size_t i = 0; clients && i < conf->n_clients; i++)
        clients[i] = (struct guard_client){.name = conf->clients[i].name,
                                           .messages = rate_of(conf->clients[i].rate),
                                           .recipients = rate_of(conf->clients[i].recipients_rate)};
    return clients;
}

enum status guard_from_conf(const struct conf *conf, struct guard_settings *settings_out, struct error *err)
{
    *settings_out = (struct guard_settings){
        .user_messages = rate_of(conf->auth_rate),
        .user_recipients = rate_of(conf->auth_recipients_rate),
        .address_messages = rate_of(conf->throttle_client_rate),
        .address_recipients = rate_of(conf->throttle_client_recipients_rate),
        .accounts = accounts_of(conf),
        .n_accounts = conf->n_accounts,
        .clients = clients_of(conf),
        .n_clients = conf->n_clients,
        .failures_address = rate_of(conf->throttle_failures_address),
        .failures_network = rate_of(conf->throttle_failures_network),
        .failures_user = rate_of(conf->throttle_failures_user),
        .block_ms = conf->throttle_block_ms,
    };
    if (settings_out->accounts && settings_out->clients)
        return STATUS_OK;
    guard_conf_free(settings_out);
    return error_set(err, STATUS_TEMPORARY, "out of memory for the rates of users and clients");
}

void guard_conf_free(struct guard_settings *settings)
{
    free((void *)(uintptr_t)settings->accounts);
    free((void *)(uintptr_t)settings->clients);
    settings->accounts = NULL;
    settings->clients = NULL;
}
