#include "gateway/submission/transaction.h"

#include <string.h>

enum status transaction_begin(struct transaction *transaction, struct span reverse_path,
                              const struct transaction_client *client, struct error *err)
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
    enum status st = envelope_set_send_as(e, client->send_as, client->n_send_as, err);
    bool whole = e->reverse_path && e->user && e->client && e->listener && e->client_address && e->helo &&
                 e->tls_version && e->tls_cipher;
    transaction->open = st == STATUS_OK && whole;
    if (transaction->open)
        return STATUS_OK;
    envelope_free(e);
    envelope_init(e);
    return st != STATUS_OK ? st : error_set(err, STATUS_TEMPORARY, "out of memory for a transaction");
}

enum status transaction_add_recipient(struct transaction *transaction, const char *address, struct error *err)
{
    struct envelope *e = &transaction->envelope;
    for (size_t i = 0; i < e->n_recipients; i++)
        if (strcmp(e->recipients[i].address, address) == 0)
            return STATUS_OK;
    return envelope_add_recipient(e, address, err);
}

void transaction_reset(struct transaction *transaction)
{
    if (transaction->open)
        envelope_free(&transaction->envelope);
    transaction->open = false;
    envelope_init(&transaction->envelope);
}
