#include "smime/ber.h"

#define DEPTH_MAX 16       /* of elements with indefinite lengths inside each other */
#define CONSTRUCTED 0x20u  /* X.690 §8.1.2.5 */
#define HIGH_TAG 0x1fu     /* §8.1.2.4 */
#define LONG_FORM 0x80u    /* §8.1.3.5; alone: indefinite, §8.1.3.6 */
#define END_OF_CONTENTS 2u /* two zero octets, §8.1.5 */

/* An element as it lies there. */
struct extent {
    size_t header, content, trailer; /* bytes */
};

static bool measure(const uint8_t *p, size_t len, unsigned depth, struct extent *out);

/* Elements up to the end-of-contents octets. */
static bool measure_indefinite(const uint8_t *p, size_t len, unsigned depth, struct extent *out)
{
    size_t at = 0;
    out->trailer = END_OF_CONTENTS;
    while (depth > 0 && len - at >= END_OF_CONTENTS) {
        struct extent inner;
        if (p[at] == 0 && p[at + 1] == 0) {
            out->content = at;
            return true;
        }
        if (!measure(p + at, len - at, depth - 1, &inner)) {
            return false;
        }
        at += inner.header + inner.content + inner.trailer;
    }
    return false;
}

static bool measure(const uint8_t *p, size_t len, unsigned depth, struct extent *out)
{
    *out = (struct extent){.header = 2};
    if (len < 2 || p[0] == 0 || (p[0] & HIGH_TAG) == HIGH_TAG) {
        return false;
    }
    if (p[1] == LONG_FORM) {
        return (p[0] & CONSTRUCTED) != 0 && measure_indefinite(p + 2, len - 2, depth, out);
    }
    size_t n = p[1] > LONG_FORM ? p[1] - LONG_FORM : 0;
    if (n > sizeof len || len - 2 < n) {
        return false;
    }
    out->header += n;
    out->content = n > 0 ? 0 : p[1];
    for (size_t i = 0; i < n; i++) {
        out->content = out->content << 8 | p[2 + i];
    }
    return out->content <= len - out->header;
}

bool smime_ber_next(struct smime_der *d, struct smime_ber *out)
{
    struct extent extent;
    *out = (struct smime_ber){.content.failed = true};
    if (d->failed || !measure(d->p, d->len, DEPTH_MAX, &extent)) {
        d->failed = true;
        return false;
    }
    size_t size = extent.header + extent.content + extent.trailer;
    out->identifier = d->p[0];
    out->content = (struct smime_der){.p = d->p + extent.header, .len = extent.content};
    d->p += size;
    d->len -= size;
    return true;
}

struct smime_der smime_ber_take(struct smime_der *d, uint8_t identifier)
{
    struct smime_ber element;
    if (!smime_ber_next(d, &element) || element.identifier != identifier) {
        d->failed = true;
        element.content.failed = true;
    }
    return element.content;
}

void smime_ber_skip_optional(struct smime_der *d, uint8_t identifier)
{
    if (smime_der_is(d, identifier)) {
        smime_ber_take(d, identifier);
    }
}

bool smime_ber_pieces(struct smime_der content, size_t *len_out)
{
    *len_out = 0;
    while (!content.failed && content.len > 0) {
        struct smime_der piece = smime_ber_take(&content, SMIME_DER_OCTET_STRING);
        *len_out += piece.len;
    }
    return !content.failed;
}
