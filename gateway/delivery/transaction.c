#include "gateway/delivery/transaction.h"

#include <stdlib.h>
#include <string.h>

struct transaction *transaction_new(const struct mail *mail, struct recipient **recipients, size_t n)
{
    struct transaction *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->mail = mail;
    t->n = n;
    t->recipients = calloc(n, sizeof(struct recipient *));
    if (!t->recipients) {
        free(t);
        return NULL;
    }
    memcpy(t->recipients, recipients, n * sizeof(struct recipient *));
    return t;
}

void transaction_free(struct transaction *t)
{
    free(t->recipients);
    free(t);
}

static bool is_open(const struct recipient *r)
{
    return !r->done && !r->abandoned;
}

bool transaction_is_open(const struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (is_open(t->recipients[i]))
            return true;
    return false;
}

/* Out of memory leaves the field out; it is only for the audit. */
static char *copy(const char *s)
{
    return s && s[0] ? strdup(s) : NULL;
}

void transaction_result(struct recipient *r, const struct result *result, const struct peer *peer)
{
    if (!is_open(r))
        return;
    r->done = true;
    r->result = *result;
    if (!peer)
        return;
    r->host = copy(peer->host);
    r->tls_version = copy(peer->tls_version);
    r->tls_cipher = copy(peer->tls_cipher);
    r->tls_peer = copy(peer->tls_peer);
    r->way = peer->way;
}

void transaction_fail(struct transaction *t, const struct result *result, const struct peer *peer)
{
    for (size_t i = 0; i < t->n; i++)
        transaction_result(t->recipients[i], result, peer);
}

void transaction_abandon(struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++)
        t->recipients[i]->abandoned = !t->recipients[i]->done;
}

void recipient_free(struct recipient *r)
{
    free(r->domain);
    free(r->host);
    free(r->tls_version);
    free(r->tls_cipher);
    free(r->tls_peer);
}
