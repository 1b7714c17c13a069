#include "smime/der.h"

#include <limits.h>

#include <openssl/asn1.h>
#include <openssl/objects.h>

struct smime_der smime_der_of(struct span bytes)
{
    return (struct smime_der){
        .p = (const uint8_t *)bytes.p, .len = bytes.len, .failed = bytes.len > (size_t)INT_MAX};
}

bool smime_der_is(const struct smime_der *d, uint8_t identifier)
{
    return !d->failed && d->len > 0 && *d->p == identifier;
}

struct smime_der smime_der_take(struct smime_der *d, uint8_t identifier)
{
    struct smime_der failed = {.failed = true};
    if (!smime_der_is(d, identifier)) {
        d->failed = true;
        return failed;
    }

    const unsigned char *content = d->p;
    long len = 0;
    int tag = 0;
    int class = 0;
    int form = ASN1_get_object(&content, &len, &tag, &class, (long)d->len);
    /* 0x80: damaged or longer than what is there; 0x01: indefinite length */
    if ((form & 0x81) != 0) {
        d->failed = true;
        return failed;
    }
    size_t size = (size_t)(content - d->p) + (size_t)len;
    if (size > d->len || (size_t)ASN1_object_size(0, (int)len, tag) != size) {
        d->failed = true;
        return failed;
    }
    d->p += size;
    d->len -= size;
    return (struct smime_der){.p = content, .len = (size_t)len};
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
