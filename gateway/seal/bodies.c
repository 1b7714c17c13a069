#include "gateway/seal/bodies.h"

#include <unistd.h>

#include "base/memfile.h"

enum status seal_bodies_open(struct seal_bodies *bodies_out, struct error *err)
{
    *bodies_out = (struct seal_bodies){.fd = -1};
    return memfile_create("bodies", &bodies_out->fd, err);
}

enum status seal_bodies_add(struct seal_bodies *bodies, struct span body, struct seal_place *place_out,
                            struct error *err)
{
    if (body.len > SEAL_BODIES_MAX - bodies->len)
        return error_set(err, STATUS_LIMIT,
                         "all copies of the message together are over %llu MiB: send it to fewer recipients "
                         "at once",
                         (unsigned long long)(SEAL_BODIES_MAX >> 20));
    enum status st = memfile_write(bodies->fd, body, err);
    if (st != STATUS_OK)
        return st;
    *place_out = (struct seal_place){.at = bodies->len, .len = body.len};
    bodies->len += body.len;
    return STATUS_OK;
}

void seal_bodies_close(struct seal_bodies *bodies)
{
    if (bodies->fd >= 0)
        close(bodies->fd);
    bodies->fd = -1;
}
