#include "gateway/message/envelope.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_RECIPIENTS 4

void envelope_init(struct envelope *e)
{
    *e = (struct envelope){0};
}

void envelope_recipient_free(struct envelope_recipient *r)
{
    free(r->address);
    free(r->notify);
    free(r->orcpt);
}

void envelope_free(struct envelope *e)
{
    free(e->reverse_path);
    free(e->user);
    free(e->client);
    free(e->listener);
    free(e->client_address);
    free(e->helo);
    free(e->tls_version);
    free(e->tls_cipher);
    free(e->envid);
    free(e->ret);
    envelope_forget_send_as(e);
    for (size_t i = 0; i < e->n_recipients; i++)
        envelope_recipient_free(&e->recipients[i]);
    free(e->recipients);
    envelope_init(e);
}

/* Room for one more: the array doubles whenever the count reaches a power of two. */
static bool make_room(struct envelope *e)
{
    size_t n = e->n_recipients;
    bool full = n == 0 || (n >= FIRST_RECIPIENTS && (n & (n - 1)) == 0);
    if (!full)
        return true;
    size_t size = n == 0 ? FIRST_RECIPIENTS : 2 * n;
    struct envelope_recipient *grown = reallocarray(e->recipients, size, sizeof *grown);
    if (!grown)
        return false;
    e->recipients = grown;
    return true;
}

enum status envelope_add_recipient(struct envelope *e, const char *address, struct error *err)
{
    if (e->n_recipients >= ENVELOPE_RECIPIENTS_MAX)
        return error_set(err, STATUS_LIMIT, "more than %d recipients: send the rest in another transaction",
                         ENVELOPE_RECIPIENTS_MAX);
    char *copy = strdup(address);
    if (!copy || !make_room(e)) {
        free(copy);
        return error_set(err, STATUS_TEMPORARY, "out of memory for a recipient");
    }
    e->recipients[e->n_recipients++] = (struct envelope_recipient){.address = copy};
    return STATUS_OK;
}

enum status envelope_set_send_as(struct envelope *e, char *const *patterns, size_t n, struct error *err)
{
    envelope_forget_send_as(e);
    if (n > ENVELOPE_SEND_AS_MAX)
        return error_set(err, STATUS_LIMIT, "more than %d patterns of addresses to send as",
                         ENVELOPE_SEND_AS_MAX);
    e->send_as = calloc(n ? n : 1, sizeof *e->send_as);
    for (size_t i = 0; e->send_as && i < n; i++) {
        e->send_as[i] = strdup(patterns[i]);
        if (!e->send_as[i])
            break;
        e->n_send_as++;
    }
    if (e->send_as && e->n_send_as == n)
        return STATUS_OK;
    envelope_forget_send_as(e);
    return error_set(err, STATUS_TEMPORARY, "out of memory for the addresses to send as");
}

void envelope_forget_send_as(struct envelope *e)
{
    for (size_t i = 0; i < e->n_send_as; i++)
        free(e->send_as[i]);
    free(e->send_as);
    e->send_as = NULL;
    e->n_send_as = 0;
}

void envelope_pack(struct buf *b, const struct envelope *e)
{
    pack_str(b, e->id);
    pack_i64(b, e->received_ms);
    pack_str(b, e->reverse_path);
    pack_str(b, e->user);
    pack_str(b, e->client);
    pack_str(b, e->listener);
    pack_str(b, e->client_address);
    pack_str(b, e->helo);
    pack_u32(b, e->plain_smtp);
    pack_str(b, e->tls_version);
    pack_str(b, e->tls_cipher);
    pack_u32(b, e->body_8bit);
    pack_u32(b, e->smtputf8);
    pack_u32(b, e->requiretls);
    pack_str(b, e->envid);
    pack_str(b, e->ret);
    pack_u32(b, (uint32_t)e->n_send_as);
    for (size_t i = 0; i < e->n_send_as; i++)
        pack_str(b, e->send_as[i]);
    pack_u32(b, (uint32_t)e->n_recipients);
    for (size_t i = 0; i < e->n_recipients; i++) {
        pack_str(b, e->recipients[i].address);
        pack_str(b, e->recipients[i].notify);
        pack_str(b, e->recipients[i].orcpt);
    }
}

static void unpack_send_as(struct unpack *u, struct envelope *e)
{
    uint32_t n = unpack_u32(u);
    if (n > ENVELOPE_SEND_AS_MAX)
        u->failed = true;
    if (u->failed || n == 0)
        return;
    e->send_as = calloc(n, sizeof *e->send_as);
    if (!e->send_as)
        u->failed = true;
    for (uint32_t i = 0; i < n && !u->failed; i++) {
        e->send_as[e->n_send_as++] = unpack_str(u);
        if (!e->send_as[i])
            u->failed = true;
    }
}

static void unpack_recipients(struct unpack *u, struct envelope *e)
{
    uint32_t n = unpack_u32(u);
    if (n > ENVELOPE_RECIPIENTS_MAX)
        u->failed = true;
    if (u->failed || n == 0)
        return;
    e->recipients = calloc(n, sizeof *e->recipients);
    if (!e->recipients) {
        u->failed = true;
        return;
    }
    for (uint32_t i = 0; i < n && !u->failed; i++) {
        struct envelope_recipient *r = &e->recipients[e->n_recipients++];
        r->address = unpack_str(u);
        r->notify = unpack_str(u);
        r->orcpt = unpack_str(u);
        if (!r->address)
            u->failed = true;
    }
}

void envelope_unpack(struct unpack *u, struct envelope *e)
{
    envelope_init(e);
    unpack_str_to(u, e->id, sizeof e->id);
    e->received_ms = unpack_i64(u);
    e->reverse_path = unpack_str(u);
    e->user = unpack_str(u);
    e->client = unpack_str(u);
    e->listener = unpack_str(u);
    e->client_address = unpack_str(u);
    e->helo = unpack_str(u);
    e->plain_smtp = unpack_u32(u) != 0;
    e->tls_version = unpack_str(u);
    e->tls_cipher = unpack_str(u);
    e->body_8bit = unpack_u32(u) != 0;
    e->smtputf8 = unpack_u32(u) != 0;
    e->requiretls = unpack_u32(u) != 0;
    e->envid = unpack_str(u);
    e->ret = unpack_str(u);
    unpack_send_as(u, e);
    unpack_recipients(u, e);
}
