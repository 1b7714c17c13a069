/* Makes ASCII armor and packets for tests. */
#ifndef SEALGATE_TESTS_UNIT_PGP_ARMORING_H
#define SEALGATE_TESTS_UNIT_PGP_ARMORING_H

#include <openssl/evp.h>
#include <string.h>

#include "base/buf.h"
#include "pgp/base64.h"

/* Appends DATA as base64 lines of at most WIDTH characters (a multiple of 4), each with EOL. */
static inline void armor_lines(struct buf *out, struct span data, size_t width, const char *eol)
{
    unsigned char text[200];

    for (size_t i = 0; i < data.len; i += width / 4 * 3) {
        size_t n = data.len - i < width / 4 * 3 ? data.len - i : width / 4 * 3;

        EVP_EncodeBlock(text, (const unsigned char *)data.p + i, (int)n);
        buf_append_str(out, (const char *)text);
        buf_append_str(out, eol);
    }
}

static inline void armor_crc(struct buf *out, struct span data, const char *eol)
{
    uint32_t crc = pgp_crc24(data);
    unsigned char bytes[3] = {crc >> 16 & 0xff, crc >> 8 & 0xff, crc & 0xff}, text[8];

    EVP_EncodeBlock(text, bytes, 3);
    buf_append_char(out, '=');
    buf_append_str(out, (const char *)text);
    buf_append_str(out, eol);
}

/* Appends DATA as one armored block of TYPE ("MESSAGE", "PUBLIC KEY BLOCK"). */
static inline void armor_block(struct buf *out, const char *type, struct span data, size_t width,
                               const char *eol)
{
    buf_printf(out, "-----BEGIN PGP %s-----%s%s", type, eol, eol);
    armor_lines(out, data, width, eol);
    armor_crc(out, data, eol);
    buf_printf(out, "-----END PGP %s-----%s", type, eol);
}

/* Appends a new-format packet whose body is HEAD and then FILL octets of 'x'. */
static inline void packet_add(struct buf *out, unsigned tag, struct span head, size_t fill)
{
    size_t len = head.len + fill;
    unsigned char bytes[6] = {(unsigned char)(0xc0 | tag), 0xff,
                              (unsigned char)(len >> 24),  (unsigned char)(len >> 16),
                              (unsigned char)(len >> 8),   (unsigned char)len};

    if (len < 192) {
        bytes[1] = (unsigned char)len;
        buf_append(out, bytes, 2);
    } else {
        buf_append(out, bytes, sizeof bytes);
    }
    buf_append_span(out, head);
    for (size_t i = 0; i < fill; i++)
        buf_append_char(out, 'x');
}

#endif
