#include "base/utf8.h"

/* Length of the sequence that begins with FIRST, and the bits that FIRST adds; 0: FIRST begins none. */
static size_t sequence_length(unsigned char first, uint32_t *bits_out)
{
    if (first < 0x80) {
        *bits_out = first;
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        *bits_out = first & 0x1fu;
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        *bits_out = first & 0x0fu;
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        *bits_out = first & 0x07u;
        return 4;
    }
    return 0;
}

bool utf8_next(struct span *text, uint32_t *code_point_out)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (text->len == 0)
        return false;
    uint32_t c = 0;
    size_t len = sequence_length((unsigned char)text->p[0], &c);
    if (len == 0 || len > text->len)
        return false;
    for (size_t i = 1; i < len; i++) {
        unsigned char next = (unsigned char)text->p[i];
        if ((next & 0xc0) != 0x80)
            return false;
        c = c << 6 | (next & 0x3fu);
    }
    if (c < smallest[len] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
        return false;
    *text = span_of(text->p + len, text->len - len);
    *code_point_out = c;
    return true;
}

bool utf8_is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}
