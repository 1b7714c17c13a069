#include "gateway/tlsrpt/gzip.h"

#include <limits.h>
#include <zlib.h>

/* The largest window, in the clothes of gzip instead of zlib. */
#define WINDOW_BITS (15 + 16)
#define MEMORY_LEVEL 8

static enum status compress_into(z_stream *z, struct span bytes, struct buf *out, struct error *err)
{
    uLong bound = deflateBound(z, bytes.len);
    uint8_t *place = bound <= UINT_MAX && bytes.len <= UINT_MAX ? buf_reserve(out, bound) : NULL;
    if (!place)
        return error_set(err, STATUS_LIMIT, "the TLS report is too large to be compressed");
    z->next_in = (Bytef *)bytes.p;
    z->avail_in = (uInt)bytes.len;
    z->next_out = place;
    z->avail_out = (uInt)bound;
    if (deflate(z, Z_FINISH) != Z_STREAM_END)
        return error_set(err, STATUS_INTERNAL, "zlib cannot compress the TLS report");
    buf_commit(out, z->total_out);
    return STATUS_OK;
}

enum status gzip_bytes(struct span bytes, struct buf *out, struct error *err)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return error_set(err, STATUS_TEMPORARY, "out of memory for compressing a TLS report");
    enum status st = compress_into(&z, bytes, out, err);
    deflateEnd(&z);
    return st;
}
