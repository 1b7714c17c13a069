#include "gateway/submission/transaction.h"

#include <stdlib.h>
#include <string.h>

static bool keep_params(struct envelope *e, const struct mail_params *params)
{
    e->body_8bit = params->body_8bit;
    e->smtputf8 = params->smtputf8;
    e->requiretls = params->requiretls;
    if (params->ret)
        e->ret = strdup(params->ret);
    if (params->envid.len > 0)
        e->envid = span_dup(params->envid);
    return (!params->ret || e->ret) && (params->envid.len == 0 || e->envid);
}

enum status transaction_begin(struct transaction *transaction, struct span reverse_path,
                              const struct transaction_client *client, const struct mail_params *params,
                              struct error *err)
{
    struct envelope *e = &transaction->envelope;
    envelope_init(e);
    id_make(e->id);
    e->reverse_path = span_dup(reverse_path);
    e->user = strdup(client->user);
    e->client = strdup(client->relay);
    e->listener = strdup(client->listener);
    e->client_address = strdup(client->address);
    e->helo = strdup(client->helo);
    e->tls_version = strdup(client->tls_version);
    e->tls_cipher = strdup(client->tls_cipher);
    e->plain_smtp = client->plain_smtp;
    enum status st = envelope_set_send_as(e, client->send_as, client->n_send_as, err);
    bool whole = keep_params(e, params) && e->reverse_path && e->user && e->client && e->listener &&
                 e->client_address && e->helo && e->tls_version && e->tls_cipher;
    transaction->open = st == STATUS_OK && whole;
    if (transaction->open)
        return STATUS_OK;
    envelope_free(e);
    envelope_init(e);
    return st != STATUS_OK ? st : error_set(err, STATUS_TEMPORARY, "out of memory for a transaction");
}

enum status transaction_add_recipient(struct transaction *transaction, struct envelope_recipient *recipient,
                                      struct error *err)
{
    struct envelope *e = &transaction->envelope;
    struct envelope_recipient taken = *recipient;
    *recipient = (struct envelope_recipient){0};
    for (size_t i = 0; i < e->n_recipients; i++) {
        if (strcmp(e->recipients[i].address, taken.address) == 0) {
            envelope_recipient_free(&e->recipients[i]);
            e->recipients[i] = taken;
            return STATUS_OK;
        }
    }
    enum status st = envelope_add_recipient(e, taken.address, err);
    if (st == STATUS_OK) {
        struct envelope_recipient *added = &e->recipients[e->n_recipients - 1];
        free(added->address);
        *added = taken;
    } else {
        envelope_recipient_free(&taken);
    }
    return st;
}

void transaction_reset(struct transaction *transaction)
{
    if (transaction->open)
        envelope_free(&transaction->envelope);
    transaction->open = false;
    envelope_init(&transaction->envelope);
}
