#include "gateway/jobs/fields.h"
#include "gateway/jobs/queue_job.h"

void queue_release_pack(struct buf *b, const struct queue_release *release)
{
    envelope_pack(b, &release->envelope);
    pack_i64(b, release->copy_id);
    pack_bool(b, release->notice);
}

enum status queue_release_unpack(struct span bytes, struct queue_release *release_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *release_out = (struct queue_release){0};
    envelope_init(&release_out->envelope);
    envelope_unpack(&u, &release_out->envelope);
    release_out->copy_id = unpack_i64(&u);
    release_out->notice = unpack_bool(&u);
    enum status st = unpack_done(&u, "held copy to release", err);
    if (st != STATUS_OK)
        queue_release_free(release_out);
    return st;
}

void queue_release_free(struct queue_release *release)
{
    envelope_free(&release->envelope);
    *release = (struct queue_release){0};
    envelope_init(&release->envelope);
}

void queue_released_pack(struct buf *b, const struct queue_released *released)
{
    pack_u32(b, released->verdict);
    pack_str(b, released->why);
    if (released->verdict == RELEASE_SEALED)
        queue_store_pack(b, &released->store);
}

enum status queue_released_unpack(struct span bytes, struct queue_released *released_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *released_out = (struct queue_released){0};
    envelope_init(&released_out->store.envelope);
    released_out->verdict = unpack_between(&u, RELEASE_NOT, RELEASE_AS_IS);
    unpack_str_to(&u, released_out->why, sizeof released_out->why);
    if (released_out->verdict == RELEASE_SEALED)
        unpack_queue_store(&u, &released_out->store);
    enum status st = unpack_done(&u, "released copy", err);
    if (st != STATUS_OK)
        queue_released_free(released_out);
    return st;
}

void queue_released_free(struct queue_released *released)
{
    queue_store_free(&released->store);
    released->verdict = RELEASE_NOT;
    released->why[0] = '\0';
}
