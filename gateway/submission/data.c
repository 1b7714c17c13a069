#include "gateway/submission/data.h"

#include <string.h>
#include <unistd.h>

#include "base/memfile.h"

#define PIECE 16384

void data_init(struct data *data)
{
    *data = (struct data){.fd = -1};
}

enum status data_begin(struct data *data, size_t size_max, bool normalizes, struct error *err)
{
    data_init(data);
    data->size_max = size_max;
    data->normalizes = normalizes;
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

bool data_has_bare_line_end(const struct data *data)
{
    return !data->normalizes && (data->eod.bare_line_end || data->ends.bare);
}

bool data_has_nul(const struct data *data)
{
    return data->eod.nul || data->ends.nul;
}

bool data_has_eight_bit(const struct data *data)
{
    return data->eod.eight_bit || data->ends.eight_bit;
}

static bool is_flawed(const struct data *data)
{
    return data_has_bare_line_end(data) || data_has_nul(data);
}

static void keep(struct data *data, struct span piece)
{
    struct error err;
    if (piece.len == 0)
        return;
    data->mid_line = piece.p[piece.len - 1] != '\n';
    data->size += piece.len;
    if (data->size > data->size_max)
        data_fail(data, STATUS_LIMIT);
    else if (is_flawed(data))
        data_fail(data, STATUS_INVALID);
    if (data->failed != STATUS_OK)
        return;
    if (memfile_write(data->fd, piece, &err) == STATUS_OK)
        data->kept += piece.len;
    else
        data_fail(data, STATUS_TEMPORARY);
}

/* PIECE is at most PIECE + 1 bytes. */
static void keep_normalized(struct data *data, struct span piece)
{
    char normal[NORMALIZE_ROOM(PIECE + 1)];
    size_t len = normalize_feed(&data->normalizer, piece, normal);
    keep(data, span_of(normal, len));
    explicit_bzero(normal, len);
}

static void take(struct data *data, struct span piece)
{
    if (data->normalizes)
        keep_normalized(data, piece);
    else
        keep(data, piece);
}

size_t data_feed(struct data *data, struct span input)
{
    char piece[PIECE + 1];
    size_t len = 0;
    if (input.len > PIECE)
        input.len = PIECE;
    size_t used = end_of_data_feed(&data->eod, input, piece, &len);
    take(data, span_of(piece, len));
    explicit_bzero(piece, len);
    return used;
}

size_t data_feed_chunk(struct data *data, struct span input)
{
    if (input.len > PIECE)
        input.len = PIECE;
    line_ends_check(&data->ends, input);
    take(data, input);
    return input.len;
}

bool data_is_whole(const struct data *data)
{
    return data->eod.state == END_OF_DATA_DONE;
}

/* What only the end of a message counted by BDAT shows: a last CR without its LF, a last line without end. */
static void end_lines(struct data *data)
{
    char lf;
    line_ends_finish(&data->ends);
    size_t len = normalize_finish(&data->normalizer, &lf);
    keep(data, span_of(&lf, len));
    if (data->mid_line)
        keep(data, span_str("\r\n"));
}

enum status data_finish(struct data *data, struct error *err)
{
    end_lines(data);
    /* Also when the message became too big first: what it is refused for must not depend on its size. */
    if (is_flawed(data))
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
