#include "gateway/seal/base64_lines.h"

#include <openssl/evp.h>

#define LINE_SIZE (BASE64_LINE + 2) /* with CRLF */
#define LINES 128                   /* handed on at once */

void base64_lines_start(struct base64_lines *lines, const struct sink *to)
{
    *lines = (struct base64_lines){.to = to};
}

/* One line; AT has room for LINE_SIZE bytes and a NUL. The length with its CRLF. */
static size_t encode_line(unsigned char *at, const unsigned char *bytes, size_t len)
{
    int n = EVP_EncodeBlock(at, bytes, (int)len);
    memcpy(at + n, "\r\n", 2);
    return (size_t)n + 2;
}

/* Full lines of BYTES. */
static enum status write_lines(struct base64_lines *lines, const unsigned char *bytes, size_t n,
                               struct error *err)
{
    unsigned char text[LINES * LINE_SIZE + 1];
    enum status st = STATUS_OK;
    while (n > 0 && st == STATUS_OK) {
        size_t part = n < LINES ? n : LINES, len = 0;
        for (size_t i = 0; i < part; i++, bytes += BASE64_LINE_BYTES)
            len += encode_line(text + len, bytes, BASE64_LINE_BYTES);
        st = sink_write(lines->to, span_of(text, len), err);
        n -= part;
    }
    return st;
}

enum status base64_lines_write(struct base64_lines *lines, struct span bytes, struct error *err)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t len = bytes.len;
    if (lines->n_kept > 0) {
        size_t part = BASE64_LINE_BYTES - lines->n_kept;
        part = part < len ? part : len;
        memcpy(lines->kept + lines->n_kept, p, part);
        lines->n_kept += part;
        p += part;
        len -= part;
        if (lines->n_kept < BASE64_LINE_BYTES)
            return STATUS_OK;
        enum status st = write_lines(lines, lines->kept, 1, err);
        if (st != STATUS_OK)
            return st;
    }
    lines->n_kept = len % BASE64_LINE_BYTES;
    if (lines->n_kept > 0)
        memcpy(lines->kept, p + len - lines->n_kept, lines->n_kept);
    return write_lines(lines, p, len / BASE64_LINE_BYTES, err);
}

enum status base64_lines_end(struct base64_lines *lines, struct error *err)
{
    unsigned char text[LINE_SIZE + 1];
    if (lines->n_kept == 0)
        return STATUS_OK;
    return sink_write(lines->to, span_of(text, encode_line(text, lines->kept, lines->n_kept)), err);
}

/* Decodes one line without its CRLF and proves by encoding it again that it is in the one form there is. */
static bool decode_line(struct span line, unsigned char *to, size_t *len_out)
{
    unsigned char text[LINE_SIZE + 1];
    if (line.len == 0 || line.len % 4 != 0 || line.len > BASE64_LINE)
        return false;
    int n = EVP_DecodeBlock(to, (const unsigned char *)line.p, (int)line.len);
    if (n < 0)
        return false;
    for (size_t pads = 0; pads < 2 && line.p[line.len - 1 - pads] == '='; pads++)
        n--;
    *len_out = (size_t)n;
    size_t again = encode_line(text, to, (size_t)n) - 2;
    return again == line.len && memcmp(text, line.p, again) == 0;
}

enum status base64_lines_read(struct span text, const struct sink *to, struct error *err)
{
    unsigned char bytes[LINES * BASE64_LINE_BYTES + 4];
    size_t last = BASE64_LINE_BYTES, len = 0;
    while (text.len > 0) {
        const char *end = memmem(text.p, text.len, "\r\n", 2);
        /* Only the last line may be short. */
        if (!end || last != BASE64_LINE_BYTES ||
            !decode_line(span_of(text.p, (size_t)(end - text.p)), bytes + len, &last))
            return error_set(err, STATUS_INVALID, "base64 that is not in its one right form");
        text = span_of(end + 2, text.len - (size_t)(end + 2 - text.p));
        len += last;
        if (len < LINES * BASE64_LINE_BYTES && text.len > 0)
            continue;
        enum status st = sink_write(to, span_of(bytes, len), err);
        if (st != STATUS_OK)
            return st;
        len = 0;
    }
    return STATUS_OK;
}
