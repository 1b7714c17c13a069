#include "gateway/seal/smime_mime.h"

#include <openssl/evp.h>

#define LINE_SIZE (SMIME_MIME_LINE + 2) /* with CRLF */

/* One line; AT has room for LINE_SIZE bytes and a NUL. The length with its CRLF. */
static size_t encode_line(unsigned char *at, struct span bytes)
{
    int n = EVP_EncodeBlock(at, (const unsigned char *)bytes.p, (int)bytes.len);
    memcpy(at + n, "\r\n", 2);
    return (size_t)n + 2;
}

static struct span first_line(struct span bytes)
{
    return span_of(bytes.p, bytes.len < SMIME_MIME_LINE_BYTES ? bytes.len : SMIME_MIME_LINE_BYTES);
}

void smime_mime_write(struct buf *copy, struct span outer, struct span der)
{
    buf_append_span(copy, outer);
    buf_append_str(copy, "MIME-Version: 1.0\r\n"
                         "Content-Type: " SMIME_MIME_TYPE "\r\n"
                         "Content-Transfer-Encoding: " SMIME_MIME_ENCODING "\r\n"
                         "Content-Disposition: " SMIME_MIME_DISPOSITION "\r\n"
                         "\r\n");
    while (der.len > 0) {
        struct span line = first_line(der);
        unsigned char text[LINE_SIZE + 1];
        buf_append(copy, text, encode_line(text, line));
        der = span_of(der.p + line.len, der.len - line.len);
    }
}

/* Decodes one line without its CRLF and proves by encoding it again that it is in the one form there is. */
static bool decode_line(struct span line, struct buf *der_out, size_t *len_out)
{
    unsigned char text[LINE_SIZE + 1];
    unsigned char *to = buf_reserve(der_out, SMIME_MIME_LINE_BYTES);
    if (!to || line.len == 0 || line.len % 4 != 0 || line.len > SMIME_MIME_LINE)
        return false;
    int n = EVP_DecodeBlock(to, (const unsigned char *)line.p, (int)line.len);
    if (n < 0)
        return false;
    for (size_t pads = 0; pads < 2 && line.p[line.len - 1 - pads] == '='; pads++)
        n--;
    buf_commit(der_out, (size_t)n);
    *len_out = (size_t)n;
    size_t again = encode_line(text, span_of(to, (size_t)n)) - 2;
    return again == line.len && memcmp(text, line.p, again) == 0;
}

enum status smime_mime_decode(struct span text, struct buf *der_out, struct error *err)
{
    size_t last = SMIME_MIME_LINE_BYTES;
    while (text.len > 0) {
        const char *end = memmem(text.p, text.len, "\r\n", 2);
        /* Only the last line may be short. */
        if (!end || last != SMIME_MIME_LINE_BYTES ||
            !decode_line(span_of(text.p, (size_t)(end - text.p)), der_out, &last))
            return error_set(err, STATUS_INVALID, "base64 that is not in its one right form");
        text = span_of(end + 2, text.len - (size_t)(end + 2 - text.p));
    }
    return STATUS_OK;
}
