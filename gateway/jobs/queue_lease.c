#include <stdlib.h>

#include "gateway/jobs/fields.h"
#include "gateway/jobs/queue_job.h"

void queue_attach_pack(struct buf *b, const struct queue_attach *attach)
{
    pack_str(b, attach->instance);
    pack_u32(b, attach->window);
}

enum status queue_attach_unpack(struct span bytes, struct queue_attach *attach_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *attach_out = (struct queue_attach){0};
    unpack_str_to(&u, attach_out->instance, sizeof attach_out->instance);
    attach_out->window = unpack_u32(&u);
    if (!id_is_valid(attach_out->instance))
        u.failed = true;
    enum status st = unpack_done(&u, "delivery's attachment", err);
    if (st != STATUS_OK)
        *attach_out = (struct queue_attach){0};
    return st;
}

static void pack_recipient(struct buf *b, const struct lease_recipient *r)
{
    pack_i64(b, r->id);
    pack_str(b, r->address);
    pack_str(b, r->reason);
    pack_str(b, r->notify);
    pack_str(b, r->orcpt);
    pack_u32(b, r->attempts);
    pack_i64(b, r->expires_ms);
    pack_bool(b, r->delay_told);
}

static void unpack_recipient(struct unpack *u, struct lease_recipient *r)
{
    r->id = unpack_i64(u);
    r->address = unpack_str_needed(u);
    r->reason = unpack_str(u);
    r->notify = unpack_str(u);
    r->orcpt = unpack_str(u);
    r->attempts = unpack_u32(u);
    r->expires_ms = unpack_i64(u);
    r->delay_told = unpack_bool(u);
}

static void free_recipient(struct lease_recipient *r)
{
    free(r->address);
    free(r->reason);
    free(r->notify);
    free(r->orcpt);
}

void queue_lease_pack(struct buf *b, const struct queue_lease *lease)
{
    pack_i64(b, lease->copy_id);
    pack_str(b, lease->message_id);
    pack_u32(b, lease->state);
    pack_u32(b, lease->format);
    pack_bool(b, lease->locked);
    pack_bool(b, lease->body_8bit);
    pack_bool(b, lease->smtputf8);
    pack_bool(b, lease->requiretls);
    pack_u32(b, lease->tls);
    pack_str(b, lease->rule);
    pack_i64(b, lease->received_ms);
    pack_str(b, lease->reverse_path);
    pack_str(b, lease->envid);
    pack_str(b, lease->ret);
    pack_span(b, buf_span(&lease->dsn_header));
    pack_u32(b, (uint32_t)lease->n_recipients);
    for (size_t i = 0; i < lease->n_recipients; i++)
        pack_recipient(b, &lease->recipients[i]);
}

static void unpack_lease_head(struct unpack *u, struct queue_lease *lease)
{
    lease->copy_id = unpack_i64(u);
    unpack_str_to(u, lease->message_id, sizeof lease->message_id);
    if (!id_is_valid(lease->message_id))
        u->failed = true;
    lease->state = unpack_between(u, COPY_QUEUED, COPY_DELAYED);
    lease->format = unpack_between(u, FORMAT_NONE, FORMAT_SMIME);
    lease->locked = unpack_bool(u);
    lease->body_8bit = unpack_bool(u);
    lease->smtputf8 = unpack_bool(u);
    lease->requiretls = unpack_bool(u);
    lease->tls = unpack_between(u, TLS_LEVEL_NONE, TLS_LEVEL_SECURE);
    lease->rule = unpack_str(u);
    lease->received_ms = unpack_i64(u);
    lease->reverse_path = unpack_str_needed(u);
    lease->envid = unpack_str(u);
    lease->ret = unpack_str(u);
    struct span header = unpack_span(u);
    buf_init(&lease->dsn_header, header.len);
    buf_append_span(&lease->dsn_header, header);
    if (lease->dsn_header.failed)
        u->failed = true;
}

enum status queue_lease_unpack(struct span bytes, struct queue_lease *lease_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *lease_out = (struct queue_lease){0};
    unpack_lease_head(&u, lease_out);
    lease_out->recipients =
        unpack_array(&u, ENVELOPE_RECIPIENTS_MAX, sizeof(struct lease_recipient), &lease_out->n_recipients);
    for (size_t i = 0; i < lease_out->n_recipients && !u.failed; i++)
        unpack_recipient(&u, &lease_out->recipients[i]);
    enum status st = unpack_done(&u, "lease", err);
    if (st != STATUS_OK)
        queue_lease_free(lease_out);
    return st;
}

void queue_lease_free(struct queue_lease *lease)
{
    for (size_t i = 0; i < lease->n_recipients; i++)
        free_recipient(&lease->recipients[i]);
    free(lease->recipients);
    free(lease->rule);
    free(lease->reverse_path);
    free(lease->envid);
    free(lease->ret);
    buf_free(&lease->dsn_header);
    *lease = (struct queue_lease){0};
}
