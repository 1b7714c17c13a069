#include "smime/ber.h"

#define DEPTH_MAX 16 /* of elements with indefinite lengths in each other */

struct smime_ber smime_ber_of(struct span bytes)
{
    return (struct smime_ber){.p = (const uint8_t *)bytes.p, .len = bytes.len};
}

uint8_t smime_ber_peek(const struct smime_ber *b)
{
    return b->failed || b->len == 0 ? 0 : b->p[0];
}

/* X.690 §8.1.2, §8.1.3. *INDEFINITE_OUT: the content ends at two zero bytes on its level. */
static bool read_header(const uint8_t *p, size_t max, size_t *header_out, size_t *len_out,
                        bool *indefinite_out)
{
    size_t at = 2;
    /* High tag numbers stand nowhere in CMS. */
    if (max < 2 || (p[0] & 0x1f) == 0x1f) {
        return false;
    }
    *indefinite_out = p[1] == 0x80;
    *len_out = p[1] & 0x80 ? 0 : p[1];
    if (p[1] & 0x80) {
        size_t n = p[1] & 0x7f;
        if (n > max - at) {
            return false;
        }
        for (; n > 0; n--) {
            if (*len_out >> 32) {
                return false;
            }
            *len_out = *len_out << 8 | p[at++];
        }
    }
    *header_out = at;
    /* Only a constructed element can be told where it ends. */
    return *indefinite_out ? (p[0] & 0x20) != 0 : *len_out <= max - at;
}

static bool is_end(const uint8_t *p, size_t max)
{
    return max >= 2 && p[0] == 0 && p[1] == 0;
}

/* Bytes of the whole element at P; 0: damaged. */
static size_t measure(const uint8_t *p, size_t max, unsigned depth, size_t *header_out, size_t *content_out)
{
    size_t header, len;
    bool indefinite;
    if (!read_header(p, max, &header, &len, &indefinite)) {
        return 0;
    }
    *header_out = header;
    *content_out = len;
    if (!indefinite) {
        return header + len;
    }
    if (depth == 0) {
        return 0;
    }
    size_t at = header;
    while (!is_end(p + at, max - at)) {
        size_t inner_header, inner_content;
        size_t inner = measure(p + at, max - at, depth - 1, &inner_header, &inner_content);
        if (inner == 0) {
            return 0;
        }
        at += inner;
    }
    *content_out = at - header;
    return at + 2;
}

struct smime_ber smime_ber_take(struct smime_ber *b, uint8_t identifier)
{
    size_t header = 0, content = 0;
    size_t whole = smime_ber_peek(b) == identifier && !b->failed
                       ? measure(b->p, b->len, DEPTH_MAX, &header, &content)
                       : 0;
    if (whole == 0) {
        b->failed = true;
        return (struct smime_ber){.failed = true};
    }
    struct smime_ber inside = {.p = b->p + header, .len = content};
    b->p += whole;
    b->len -= whole;
    return inside;
}

void smime_ber_skip(struct smime_ber *b, uint8_t identifier)
{
    if (smime_ber_peek(b) == identifier) {
        (void)smime_ber_take(b, identifier);
    }
}
