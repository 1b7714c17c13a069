#include <stdlib.h>

#include "gateway/jobs/fields.h"
#include "gateway/jobs/queue_job.h"

void queue_refused_pack(struct buf *b, const struct queue_refused *refused)
{
    envelope_pack(b, &refused->envelope);
    pack_str(b, refused->recipient);
    pack_str(b, refused->rule);
    pack_str(b, refused->reply);
}

enum status queue_refused_unpack(struct span bytes, struct queue_refused *refused_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *refused_out = (struct queue_refused){0};
    envelope_init(&refused_out->envelope);
    envelope_unpack(&u, &refused_out->envelope);
    refused_out->recipient = unpack_str_needed(&u);
    refused_out->rule = unpack_str(&u);
    refused_out->reply = unpack_str(&u);
    enum status st = unpack_done(&u, "refused recipient", err);
    if (st != STATUS_OK)
        queue_refused_free(refused_out);
    return st;
}

void queue_refused_free(struct queue_refused *refused)
{
    envelope_free(&refused->envelope);
    free(refused->recipient);
    free(refused->rule);
    free(refused->reply);
    *refused = (struct queue_refused){0};
    envelope_init(&refused->envelope);
}
