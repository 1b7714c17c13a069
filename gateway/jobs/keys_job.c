#include "gateway/jobs/keys_job.h"

#include <stdlib.h>

#include "gateway/jobs/fields.h"
#include "gateway/message/envelope.h"

/* Certificates of one address. The keystore stores far fewer. */
#define LIST_MAX 1000

void keys_lookup_pack(struct buf *b, const struct keys_lookup *lookup)
{
    pack_bool(b, lookup->with_bytes);
    pack_u32(b, (uint32_t)lookup->n);
    for (size_t i = 0; i < lookup->n; i++)
        pack_str(b, lookup->addresses[i]);
}

enum status keys_lookup_unpack(struct span bytes, struct keys_lookup *lookup_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *lookup_out = (struct keys_lookup){.with_bytes = unpack_bool(&u)};
    lookup_out->addresses = unpack_array(&u, ENVELOPE_RECIPIENTS_MAX, sizeof(char *), &lookup_out->n);
    for (size_t i = 0; i < lookup_out->n && !u.failed; i++)
        lookup_out->addresses[i] = unpack_str_needed(&u);
    enum status st = unpack_done(&u, "certificate lookup", err);
    if (st != STATUS_OK)
        keys_lookup_free(lookup_out);
    return st;
}

void keys_lookup_free(struct keys_lookup *lookup)
{
    for (size_t i = 0; i < lookup->n; i++)
        free(lookup->addresses[i]);
    free(lookup->addresses);
    *lookup = (struct keys_lookup){0};
}

static void pack_certificate(struct buf *b, const struct certificate *c, bool with_bytes)
{
    pack_u32(b, c->format);
    pack_str(b, c->fingerprint);
    pack_str(b, c->source);
    pack_str(b, c->algorithm);
    pack_bool(b, c->pinned);
    pack_bool(b, c->for_domain);
    pack_u32(b, c->capabilities);
    pack_i64(b, c->worked_ms);
    pack_bool(b, c->usable);
    pack_str(b, c->reason);
    pack_i64(b, c->added);
    pack_i64(b, c->expires);
    pack_u32(b, (uint32_t)c->n_keyids);
    for (size_t i = 0; i < c->n_keyids; i++)
        pack_u64(b, c->keyids[i]);
    pack_span(b, with_bytes ? buf_span(&c->bytes) : span_of(NULL, 0));
    pack_str(b, c->addresses);
    pack_str(b, c->name);
}

static void unpack_certificate(struct unpack *u, struct certificate *c)
{
    c->format = unpack_between(u, CERTIFICATE_OPENPGP, CERTIFICATE_SMIME);
    unpack_str_to(u, c->fingerprint, sizeof c->fingerprint);
    unpack_str_to(u, c->source, sizeof c->source);
    unpack_str_to(u, c->algorithm, sizeof c->algorithm);
    c->pinned = unpack_bool(u);
    c->for_domain = unpack_bool(u);
    c->capabilities = unpack_between(u, 0, CAPABILITY_AES256_GCM | CAPABILITY_RSA_OAEP);
    c->worked_ms = unpack_i64(u);
    c->usable = unpack_bool(u);
    unpack_str_to(u, c->reason, sizeof c->reason);
    c->added = unpack_i64(u);
    c->expires = unpack_i64(u);
    c->n_keyids = unpack_between(u, 0, CERTIFICATE_KEYIDS_MAX);
    for (size_t i = 0; i < c->n_keyids; i++)
        c->keyids[i] = unpack_u64(u);
    struct span bytes = unpack_span(u);
    buf_init(&c->bytes, bytes.len);
    buf_append_span(&c->bytes, bytes);
    c->addresses = unpack_str(u);
    c->name = unpack_str(u);
    if (c->bytes.failed)
        u->failed = true;
}

void keys_found_pack(struct buf *b, const struct keys_found *found, bool with_bytes)
{
    pack_u32(b, (uint32_t)found->n);
    for (size_t i = 0; i < found->n; i++) {
        const struct keys_answer *answer = &found->answers[i];
        pack_u32(b, answer->state);
        pack_str(b, answer->why);
        pack_u32(b, answer->list.preferred);
        pack_u32(b, (uint32_t)answer->list.n);
        for (size_t j = 0; j < answer->list.n; j++)
            pack_certificate(b, &answer->list.items[j], with_bytes);
    }
}

static void unpack_answer(struct unpack *u, struct keys_answer *answer)
{
    answer->state = unpack_between(u, LOOKUP_DONE, LOOKUP_FAILED);
    unpack_str_to(u, answer->why, sizeof answer->why);
    answer->list.preferred = unpack_between(u, 0, CERTIFICATE_SMIME);
    answer->list.items = unpack_array(u, LIST_MAX, sizeof(struct certificate), &answer->list.n);
    for (size_t i = 0; i < answer->list.n && !u->failed; i++)
        unpack_certificate(u, &answer->list.items[i]);
    /* The list of a failed lookup means nothing: whoever sent one is not to be believed. */
    if (answer->state == LOOKUP_FAILED && answer->list.n > 0)
        u->failed = true;
}

enum status keys_found_unpack(struct span bytes, struct keys_found *found_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *found_out = (struct keys_found){0};
    found_out->answers = unpack_array(&u, ENVELOPE_RECIPIENTS_MAX, sizeof(struct keys_answer), &found_out->n);
    for (size_t i = 0; i < found_out->n && !u.failed; i++)
        unpack_answer(&u, &found_out->answers[i]);
    enum status st = unpack_done(&u, "certificates found", err);
    if (st != STATUS_OK)
        keys_found_free(found_out);
    return st;
}

void keys_found_free(struct keys_found *found)
{
    for (size_t i = 0; i < found->n; i++)
        certificate_list_free(&found->answers[i].list);
    free(found->answers);
    *found = (struct keys_found){0};
}
