#include "gateway/main/guard_conf.h"

#include <stdlib.h>

static struct guard_rate rate(const struct conf_rate *from)
{
    return (struct guard_rate){.count = from->count, .window_ms = from->window_ms};
}

static struct guard_account *accounts(const struct conf *conf)
{
    struct guard_account *made = calloc(conf->n_accounts ? conf->n_accounts : 1, sizeof *made);
    for (size_t i = 0; made && i < conf->n_accounts; i++)
        made[i] = (struct guard_account){.pattern = conf->accounts[i].pattern,
                                         .messages = rate(&conf->accounts[i].rate),
                                         .recipients = rate(&conf->accounts[i].recipients_rate)};
    return made;
}

static struct guard_client *clients(const struct conf *conf)
{
    struct guard_client *made = calloc(conf->n_clients ? conf->n_clients : 1, sizeof *made);
    for (size_t i = 0; made && i < conf->n_clients; i++)
        made[i] = (struct guard_client){.name = conf->clients[i].name,
                                        .messages = rate(&conf->clients[i].rate),
                                        .recipients = rate(&conf->clients[i].recipients_rate)};
    return made;
}

enum status guard_from_conf(const struct conf *conf, struct guard_settings *settings_out, struct error *err)
{
    *settings_out =
        (struct guard_settings){.user_messages = rate(&conf->auth_rate),
                                .user_recipients = rate(&conf->auth_recipients_rate),
                                .address_messages = rate(&conf->throttle_client_rate),
                                .address_recipients = rate(&conf->throttle_client_recipients_rate),
                                .accounts = accounts(conf),
                                .n_accounts = conf->n_accounts,
                                .clients = clients(conf),
                                .n_clients = conf->n_clients,
                                .failures_address = rate(&conf->throttle_failures_address),
                                .failures_network = rate(&conf->throttle_failures_network),
                                .failures_user = rate(&conf->throttle_failures_user),
                                .block_ms = conf->throttle_block_ms};
    if (settings_out->accounts && settings_out->clients)
        return STATUS_OK;
    guard_conf_free(settings_out);
    return error_set(err, STATUS_TEMPORARY, "out of memory for rates");
}

struct submission_rates guard_rates_in(const struct conf *conf)
{
    bool messages = conf->throttle_client_rate.count > 0;
    bool recipients = conf->throttle_client_recipients_rate.count > 0;
    struct submission_rates rates = {.user_messages = messages || conf->auth_rate.count > 0,
                                     .user_recipients = recipients || conf->auth_recipients_rate.count > 0,
                                     .client_messages = messages,
                                     .client_recipients = recipients};
    for (size_t i = 0; i < conf->n_accounts; i++) {
        rates.user_messages |= conf->accounts[i].rate.count > 0;
        rates.user_recipients |= conf->accounts[i].recipients_rate.count > 0;
    }
    for (size_t i = 0; i < conf->n_clients; i++) {
        rates.client_messages |= conf->clients[i].rate.count > 0;
        rates.client_recipients |= conf->clients[i].recipients_rate.count > 0;
    }
    return rates;
}

void guard_conf_free(struct guard_settings *settings)
{
    free((void *)(uintptr_t)settings->accounts);
    free((void *)(uintptr_t)settings->clients);
    *settings = (struct guard_settings){0};
}
