#include <stdlib.h>

#include "gateway/jobs/fields.h"
#include "gateway/jobs/queue_job.h"

static void pack_recipient(struct buf *b, const struct outcome_recipient *r)
{
    pack_i64(b, r->id);
    pack_u32(b, r->outcome);
    pack_u32(b, r->reach);
    pack_bool(b, r->delay_told);
    pack_str(b, r->reply);
    pack_str(b, r->host);
    pack_str(b, r->tls_version);
    pack_str(b, r->tls_cipher);
    pack_str(b, r->tls_peer);
}

static void unpack_recipient(struct unpack *u, struct outcome_recipient *r)
{
    r->id = unpack_i64(u);
    r->outcome = unpack_between(u, OUTCOME_DELIVERED, OUTCOME_BOUNCED);
    r->reach = unpack_between(u, REACH_UNKNOWN, REACH_NO_PRIVACY);
    r->delay_told = unpack_bool(u);
    r->reply = unpack_str(u);
    r->host = unpack_str(u);
    r->tls_version = unpack_str(u);
    r->tls_cipher = unpack_str(u);
    r->tls_peer = unpack_str(u);
}

static void free_recipient(struct outcome_recipient *r)
{
    free(r->reply);
    free(r->host);
    free(r->tls_version);
    free(r->tls_cipher);
    free(r->tls_peer);
}

void queue_outcome_pack(struct buf *b, const struct queue_outcome *outcome)
{
    pack_i64(b, outcome->number);
    pack_i64(b, outcome->copy_id);
    pack_bool(b, outcome->has_dsn);
    if (outcome->has_dsn) {
        pack_str(b, outcome->dsn_id);
        pack_str(b, outcome->dsn_recipient);
        pack_bool(b, outcome->dsn_tls_optional);
    }
    pack_u32(b, (uint32_t)outcome->n_recipients);
    for (size_t i = 0; i < outcome->n_recipients; i++)
        pack_recipient(b, &outcome->recipients[i]);
}

static void unpack_dsn(struct unpack *u, struct queue_outcome *outcome)
{
    outcome->has_dsn = unpack_bool(u);
    if (!outcome->has_dsn)
        return;
    unpack_str_to(u, outcome->dsn_id, sizeof outcome->dsn_id);
    if (!id_is_valid(outcome->dsn_id))
        u->failed = true;
    outcome->dsn_recipient = unpack_str_needed(u);
    outcome->dsn_tls_optional = unpack_bool(u);
}

enum status queue_outcome_unpack(struct span bytes, struct queue_outcome *outcome_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *outcome_out = (struct queue_outcome){.number = unpack_i64(&u)};
    outcome_out->copy_id = unpack_i64(&u);
    unpack_dsn(&u, outcome_out);
    outcome_out->recipients = unpack_array(&u, ENVELOPE_RECIPIENTS_MAX, sizeof(struct outcome_recipient),
                                           &outcome_out->n_recipients);
    for (size_t i = 0; i < outcome_out->n_recipients && !u.failed; i++)
        unpack_recipient(&u, &outcome_out->recipients[i]);
    enum status st = unpack_done(&u, "outcome of a delivery", err);
    if (st != STATUS_OK)
        queue_outcome_free(outcome_out);
    return st;
}

void queue_outcome_free(struct queue_outcome *outcome)
{
    for (size_t i = 0; i < outcome->n_recipients; i++)
        free_recipient(&outcome->recipients[i]);
    free(outcome->recipients);
    free(outcome->dsn_recipient);
    *outcome = (struct queue_outcome){0};
}
