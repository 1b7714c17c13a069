#include "gateway/seal/bodies.h"

#include <unistd.h>

#include "base/memfile.h"

enum status seal_bodies_open(struct seal_bodies *bodies_out, struct error *err)
{
    *bodies_out = (struct seal_bodies){.fd = -1};
    return memfile_create("bodies", &bodies_out->fd, err);
}

static enum status append(void *arg, struct span bytes, struct error *err)
{
    struct seal_bodies *bodies = arg;
    if (bytes.len > SEAL_BODIES_MAX - bodies->len)
        return error_set(err, STATUS_LIMIT,
                         "all copies of the message together are over %llu MiB: send it to fewer recipients "
                         "at once",
                         (unsigned long long)(SEAL_BODIES_MAX >> 20));
    enum status st = memfile_write(bodies->fd, bytes, err);
    if (st == STATUS_OK)
        bodies->len += bytes.len;
    return st;
}

struct sink seal_bodies_sink(struct seal_bodies *bodies)
{
    return (struct sink){.write = append, .arg = bodies};
}

enum status seal_bodies_map(const struct seal_bodies *bodies, struct seal_place place, struct span *body_out,
                            struct error *err)
{
    *body_out = span_of(NULL, 0);
    if (place.len == 0 || place.at > bodies->len || place.len > bodies->len - place.at)
        return error_set(err, STATUS_INTERNAL, "a body that is empty or not there was to be read again");
    return memfile_map_range(bodies->fd, place.at, (size_t)place.len, body_out, err);
}

void seal_bodies_close(struct seal_bodies *bodies)
{
    if (bodies->fd >= 0)
        close(bodies->fd);
    bodies->fd = -1;
}
