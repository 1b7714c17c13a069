#include <stdlib.h>

#include "gateway/jobs/fields.h"
#include "gateway/jobs/queue_job.h"

const char *copy_format_word(enum copy_format format)
{
    static const char *const words[] = {[FORMAT_NONE] = "none",
                                        [FORMAT_CLEAR] = "clear",
                                        [FORMAT_OPENPGP] = "openpgp",
                                        [FORMAT_SMIME] = "smime"};
    return format >= FORMAT_NONE && format <= FORMAT_SMIME ? words[format] : "unknown";
}

static void pack_recipient(struct buf *b, const struct copy_recipient *r)
{
    pack_str(b, r->address);
    pack_str(b, r->rule);
    pack_str(b, r->reason);
    pack_str(b, r->fingerprint);
    pack_str(b, r->source);
    pack_str(b, r->notify);
    pack_str(b, r->orcpt);
}

static void unpack_recipient(struct unpack *u, struct copy_recipient *r)
{
    r->address = unpack_str_needed(u);
    r->rule = unpack_str(u);
    r->reason = unpack_str(u);
    r->fingerprint = unpack_str(u);
    r->source = unpack_str(u);
    r->notify = unpack_str(u);
    r->orcpt = unpack_str(u);
}

static void free_recipient(struct copy_recipient *r)
{
    free(r->address);
    free(r->rule);
    free(r->reason);
    free(r->fingerprint);
    free(r->source);
    free(r->notify);
    free(r->orcpt);
}

static void pack_note(struct buf *b, const struct copy_note *note)
{
    pack_str(b, note->event);
    pack_str(b, note->address);
    pack_str(b, note->fingerprint);
    pack_str(b, note->source);
    pack_str(b, note->reason);
}

static void unpack_note(struct unpack *u, struct copy_note *note)
{
    note->event = unpack_str_needed(u);
    note->address = unpack_str_needed(u);
    note->fingerprint = unpack_str(u);
    note->source = unpack_str(u);
    note->reason = unpack_str(u);
}

static void free_note(struct copy_note *note)
{
    free(note->event);
    free(note->address);
    free(note->fingerprint);
    free(note->source);
    free(note->reason);
}

static void pack_copy(struct buf *b, const struct store_copy *copy)
{
    pack_u32(b, copy->state);
    pack_u32(b, copy->format);
    pack_bool(b, copy->locked);
    pack_u64(b, copy->body_at);
    pack_u64(b, copy->body_len);
    pack_u64(b, copy->header_at);
    pack_u64(b, copy->header_len);
    pack_u32(b, (uint32_t)copy->n_recipients);
    for (size_t i = 0; i < copy->n_recipients; i++)
        pack_recipient(b, &copy->recipients[i]);
    pack_str(b, copy->cipher);
    pack_u32(b, copy->tls);
    pack_bool(b, copy->tls_optional);
    pack_u32(b, (uint32_t)copy->n_notes);
    for (size_t i = 0; i < copy->n_notes; i++)
        pack_note(b, &copy->notes[i]);
}

/* A place in the memory file, whose end must be a number too; whether it lies inside is the reader's to see.
 */
static void unpack_place(struct unpack *u, uint64_t *at, uint64_t *len)
{
    uint64_t end;
    *at = unpack_u64(u);
    *len = unpack_u64(u);
    if (__builtin_add_overflow(*at, *len, &end))
        u->failed = true;
}

static void unpack_copy(struct unpack *u, struct store_copy *copy)
{
    copy->state = unpack_between(u, COPY_QUEUED, COPY_RETURN);
    copy->format = unpack_between(u, FORMAT_NONE, FORMAT_SMIME);
    copy->locked = unpack_bool(u);
    unpack_place(u, &copy->body_at, &copy->body_len);
    unpack_place(u, &copy->header_at, &copy->header_len);
    copy->recipients =
        unpack_array(u, ENVELOPE_RECIPIENTS_MAX, sizeof(struct copy_recipient), &copy->n_recipients);
    for (size_t i = 0; i < copy->n_recipients && !u->failed; i++)
        unpack_recipient(u, &copy->recipients[i]);
    copy->cipher = unpack_str(u);
    copy->tls = unpack_between(u, TLS_LEVEL_NONE, TLS_LEVEL_SECURE);
    copy->tls_optional = unpack_bool(u);
    copy->notes = unpack_array(u, COPY_NOTES_MAX, sizeof(struct copy_note), &copy->n_notes);
    for (size_t i = 0; i < copy->n_notes && !u->failed; i++)
        unpack_note(u, &copy->notes[i]);
}

static void free_copy(struct store_copy *copy)
{
    for (size_t i = 0; i < copy->n_recipients; i++)
        free_recipient(&copy->recipients[i]);
    free(copy->recipients);
    free(copy->cipher);
    for (size_t i = 0; i < copy->n_notes; i++)
        free_note(&copy->notes[i]);
    free(copy->notes);
}

void queue_store_pack(struct buf *b, const struct queue_store *store)
{
    envelope_pack(b, &store->envelope);
    submit_reply_pack(b, &store->reply);
    pack_u32(b, (uint32_t)store->n_copies);
    for (size_t i = 0; i < store->n_copies; i++)
        pack_copy(b, &store->copies[i]);
}

void unpack_queue_store(struct unpack *u, struct queue_store *store)
{
    envelope_unpack(u, &store->envelope);
    unpack_submit_reply(u, &store->reply);
    store->copies = unpack_array(u, ENVELOPE_RECIPIENTS_MAX, sizeof(struct store_copy), &store->n_copies);
    for (size_t i = 0; i < store->n_copies && !u->failed; i++)
        unpack_copy(u, &store->copies[i]);
}

enum status queue_store_unpack(struct span bytes, struct queue_store *store_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *store_out = (struct queue_store){0};
    envelope_init(&store_out->envelope);
    unpack_queue_store(&u, store_out);
    enum status st = unpack_done(&u, "message for the queue", err);
    if (st != STATUS_OK)
        queue_store_free(store_out);
    return st;
}

void queue_store_free(struct queue_store *store)
{
    envelope_free(&store->envelope);
    for (size_t i = 0; i < store->n_copies; i++)
        free_copy(&store->copies[i]);
    free(store->copies);
    *store = (struct queue_store){0};
    envelope_init(&store->envelope);
}
