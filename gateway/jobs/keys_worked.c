#include <stdlib.h>

#include "gateway/jobs/fields.h"
#include "gateway/jobs/keys_job.h"

void keys_worked_pack(struct buf *b, const struct keys_worked *worked)
{
    pack_u32(b, (uint32_t)worked->n);
    for (size_t i = 0; i < worked->n; i++)
        pack_str(b, worked->fingerprints[i]);
}

enum status keys_worked_unpack(struct span bytes, struct keys_worked *worked_out, struct error *err)
{
    struct unpack u;
    unpack_init(&u, bytes);
    *worked_out = (struct keys_worked){0};
    worked_out->fingerprints = unpack_array(&u, KEYS_WORKED_MAX, sizeof(char *), &worked_out->n);
    for (size_t i = 0; i < worked_out->n && !u.failed; i++)
        worked_out->fingerprints[i] = unpack_str_needed(&u);
    enum status st = unpack_done(&u, "certificates that worked", err);
    if (st != STATUS_OK)
        keys_worked_free(worked_out);
    return st;
}

void keys_worked_free(struct keys_worked *worked)
{
    for (size_t i = 0; i < worked->n; i++)
        free(worked->fingerprints[i]);
    free(worked->fingerprints);
    *worked = (struct keys_worked){0};
}
