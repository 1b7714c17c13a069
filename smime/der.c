#include "smime/der.h"

#include <openssl/objects.h>

#define LONG_FORM 0x80u /* X.690 §8.1.3.5: the low bits count the length octets that follow */

struct smime_der smime_der_of(struct span bytes)
{
    return (struct smime_der){.p = (const uint8_t *)bytes.p, .len = bytes.len};
}

bool smime_der_is(const struct smime_der *d, uint8_t identifier)
{
    return !d->failed && d->len > 0 && *d->p == identifier;
}

static size_t length_octets(size_t len)
{
    size_t n = 0;
    for (size_t rest = len; len >= LONG_FORM && rest > 0; rest >>= 8) {
        n++;
    }
    return n;
}

size_t smime_der_header_size(size_t len)
{
    return 2 + length_octets(len);
}

void smime_der_put_header(struct buf *to, uint8_t identifier, size_t len)
{
    size_t n = length_octets(len);
    uint8_t octets[2 + sizeof len] = {identifier, (uint8_t)(n > 0 ? LONG_FORM | n : len)};
    for (size_t i = 0; i < n; i++) {
        octets[2 + i] = (uint8_t)(len >> (8 * (n - 1 - i)));
    }
    buf_append(to, octets, 2 + n);
}

bool smime_der_open(struct smime_der *d, uint8_t identifier, size_t *len_out)
{
    if (d->failed || (d->len > 0 && *d->p != identifier)) {
        d->failed = true;
        return false;
    }
    if (d->len < 2) {
        return false;
    }
    size_t len = d->p[1];
    size_t n = len >= LONG_FORM ? len - LONG_FORM : 0;
    if (len == LONG_FORM || n > sizeof len) { /* indefinite, or beyond memory */
        d->failed = true;
        return false;
    }
    if (d->len < 2 + n) {
        return false;
    }
    if (n > 0) {
        len = 0;
    }
    for (size_t i = 0; i < n; i++) {
        len = len << 8 | d->p[2 + i];
    }
    if (length_octets(len) != n) { /* not the shortest form (X.690 §10.1) */
        d->failed = true;
        return false;
    }
    d->p += 2 + n;
    d->len -= 2 + n;
    *len_out = len;
    return true;
}

struct smime_der smime_der_take(struct smime_der *d, uint8_t identifier)
{
    size_t len = 0;
    if (!smime_der_open(d, identifier, &len) || len > d->len) {
        d->failed = true;
        return (struct smime_der){.failed = true};
    }
    struct smime_der content = {.p = d->p, .len = len};
    d->p += len;
    d->len -= len;
    return content;
}

void smime_der_take_small(struct smime_der *d, uint8_t value)
{
    struct smime_der integer = smime_der_take(d, SMIME_DER_INTEGER);
    if (integer.failed || integer.len != 1 || *integer.p != value) {
        d->failed = true;
    }
}

void smime_der_take_oid(struct smime_der *d, int nid)
{
    const ASN1_OBJECT *expected = OBJ_nid2obj(nid);
    struct smime_der oid = smime_der_take(d, SMIME_DER_OID);
    if (oid.failed || oid.len != OBJ_length(expected) ||
        memcmp(oid.p, OBJ_get0_data(expected), oid.len) != 0) {
        d->failed = true;
    }
}

bool smime_der_done(const struct smime_der *d)
{
    return !d->failed && d->len == 0;
}
