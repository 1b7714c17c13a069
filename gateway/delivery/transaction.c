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

bool transaction_is_put_off(const struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (is_open(t->recipients[i]) && !t->recipients[i]->put_off)
            return false;
    return true;
}

bool transaction_has_next_turn(const struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (is_open(t->recipients[i]) && t->recipients[i]->next_turn)
            return true;
    return false;
}

/* Out of memory leaves the field out; it is only for the audit. */
static char *copy(const char *s)
{
    return s && s[0] ? strdup(s) : NULL;
}

static void free_peer(struct recipient *r)
{
    free(r->host);
    free(r->tls_version);
    free(r->tls_cipher);
    free(r->tls_peer);
    r->host = r->tls_version = r->tls_cipher = r->tls_peer = NULL;
}

static void set(struct recipient *r, const struct result *result, const struct peer *peer)
{
    free_peer(r);
    r->result = *result;
    r->host = copy(peer ? peer->host : result->host);
    if (!peer)
        return;
    r->tls_version = copy(peer->tls_version);
    r->tls_cipher = copy(peer->tls_cipher);
    r->tls_peer = copy(peer->tls_peer);
    r->way = peer->way;
}

void transaction_result(struct recipient *r, const struct result *result, const struct peer *peer)
{
    if (!is_open(r))
        return;
    set(r, result, peer);
    r->done = true;
}

void transaction_put_off(struct recipient *r, const struct result *result, const struct peer *peer)
{
    if (!is_open(r) || (r->put_off && result->failure == FAILURE_PERMANENT))
        return;
    set(r, result, peer);
    r->put_off = true;
}

void transaction_put_off_all(struct transaction *t, const struct result *result, const struct peer *peer)
{
    for (size_t i = 0; i < t->n; i++)
        transaction_put_off(t->recipients[i], result, peer);
}

void transaction_soften(struct transaction *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (is_open(t->recipients[i]) && t->recipients[i]->put_off)
            outcome_not_final(&t->recipients[i]->result, FAILURE_TEMPORARY);
}

void transaction_give_up(struct transaction *t, const struct result *why)
{
    for (size_t i = 0; i < t->n; i++) {
        struct recipient *r = t->recipients[i];
        if (is_open(r) && r->put_off)
            r->done = true;
        else
            transaction_result(r, why, NULL);
    }
}

void transaction_fail(struct transaction *t, const struct result *result, const struct peer *peer)
{
    for (size_t i = 0; i < t->n; i++)
        transaction_result(t->recipients[i], result, peer);
}

void transaction_fail_accepted(struct transaction *t, const struct result *result, const struct peer *peer)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->recipients[i]->accepted)
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
    free_peer(r);
}
