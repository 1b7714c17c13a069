#include "gateway/submission/data.h"

#include <string.h>
#include <unistd.h>

#include "base/memfile.h"

#define PIECE 16384

void data_init(struct data *data)
{
    *data = (struct data){.fd = -1};
}

enum status data_begin(struct data *data, size_t size_max, struct error *err)
{
    data_init(data);
    data->size_max = size_max;
    end_of_data_init(&data->eod);
    return memfile_create("message", &data->fd, err);
}

void data_fail(struct data *data, enum status why)
{
    if (data->failed != STATUS_OK)
        return;
    data->failed = why;
    /* Gives the memory back now; if not, data_end does. */
    if (ftruncate(data->fd, 0) == 0)
        data->kept = 0;
}

static void keep(struct data *data, struct span piece)
{
    struct error err;
    data->size += piece.len;
    if (data->size > data->size_max)
        data_fail(data, STATUS_LIMIT);
    else if (data->eod.bare_line_end || data->eod.nul)
        data_fail(data, STATUS_INVALID);
    if (data->failed != STATUS_OK)
        return;
    if (memfile_write(data->fd, piece, &err) == STATUS_OK)
        data->kept += piece.len;
    else
        data_fail(data, STATUS_TEMPORARY);
}

size_t data_feed(struct data *data, struct span input)
{
    char piece[PIECE];
    size_t len = 0;
    if (input.len > sizeof piece)
        input.len = sizeof piece;
    size_t used = end_of_data_feed(&data->eod, input, piece, &len);
    keep(data, span_of(piece, len));
    explicit_bzero(piece, len);
    return used;
}

bool data_is_whole(const struct data *data)
{
    return data->eod.state == END_OF_DATA_DONE;
}

enum status data_finish(struct data *data, struct error *err)
{
    /* Also when the message became too big first: what it is refused for must not depend on its size. */
    if (data->eod.bare_line_end || data->eod.nul)
        return error_set(err, STATUS_INVALID, "the message has a bare CR or LF, or a NUL byte");
    if (data->failed == STATUS_LIMIT)
        return error_set(err, STATUS_LIMIT, "the message has %zu bytes, over the limit of %zu", data->size,
                         data->size_max);
    if (data->failed != STATUS_OK)
        return error_set(err, STATUS_TEMPORARY, "no memory for a message of %zu bytes", data->size);
    return memfile_seal(data->fd, err);
}

void data_end(struct data *data)
{
    if (data->fd >= 0)
        close(data->fd);
    data_init(data);
}
