#include "gateway/seal/bodies.h"

#include <errno.h>
#include <sys/mman.h>
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

enum status seal_bodies_map(const struct seal_bodies *bodies, struct seal_place place,
                            struct seal_view *view_out, struct error *err)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t from = place.at - place.at % page;
    *view_out = (struct seal_view){0};
    if (place.len == 0 || place.at > bodies->len || place.len > bodies->len - place.at)
        return error_set(err, STATUS_INTERNAL, "a body that is empty or not there was to be read again");
    size_t len = (size_t)(place.at + place.len - from);
    char *map = mmap(NULL, len, PROT_READ, MAP_SHARED, bodies->fd, (off_t)from);
    if (map == MAP_FAILED)
        return error_errno(err, STATUS_TEMPORARY, errno, "cannot read a body again");
    *view_out = (struct seal_view){
        .body = span_of(map + (place.at - from), (size_t)place.len), .map = map, .map_len = len};
    return STATUS_OK;
}

void seal_bodies_unmap(struct seal_view *view)
{
    if (view->map)
        munmap(view->map, view->map_len);
    *view = (struct seal_view){0};
}

void seal_bodies_close(struct seal_bodies *bodies)
{
    if (bodies->fd >= 0)
        close(bodies->fd);
    bodies->fd = -1;
}
