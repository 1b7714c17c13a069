#include "gateway/wire/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* -1: not in the alphabet. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

/* One group of four of which the last PADS are "=". */
static bool decode_group(const char *four, unsigned pads, struct buf *out)
{
    uint32_t bits = 0;
    for (unsigned i = 0; i < 4; i++) {
        int value = i < 4 - pads ? value_of(four[i]) : 0;
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    uint32_t unused = pads == 2 ? 0xffff : pads == 1 ? 0xff : 0;
    if (bits & unused)
        return false;
    for (unsigned i = 0; i < 3 - pads; i++)
        buf_append_char(out, (char)(unsigned char)(bits >> (16 - 8 * i)));
    return true;
}

bool base64_decode(struct span text, struct buf *out)
{
    if (text.len % 4 != 0)
        return false;
    for (size_t at = 0; at < text.len; at += 4) {
        const char *four = text.p + at;
        unsigned pads = 0;
        if (at + 4 == text.len && four[3] == '=')
            pads = four[2] == '=' ? 2 : 1;
        if (!decode_group(four, pads, out))
            return false;
    }
    return true;
}

void base64_encode(struct span bytes, struct buf *out)
{
    for (size_t at = 0; at < bytes.len; at += 3) {
        size_t n = bytes.len - at < 3 ? bytes.len - at : 3;
        uint32_t bits = 0;
        for (size_t i = 0; i < 3; i++)
            bits = bits << 8 | (i < n ? (unsigned char)bytes.p[at + i] : 0u);
        for (unsigned i = 0; i < 4; i++)
            buf_append_char(out, i <= n ? alphabet[bits >> (18 - 6 * i) & 63] : '=');
    }
}
