/*
 * Reads DER (X.690 §10) element by element without copying: definite and shortest lengths only.
 *
 * Failure is sticky in the reader that met it: take what should be there, then ask smime_der_done() once.
 */
#ifndef SEALGATE_SMIME_DER_H
#define SEALGATE_SMIME_DER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* Identifier octets (X.690 §8.1.2). */
enum smime_der_identifier {
    SMIME_DER_INTEGER = 0x02,
    SMIME_DER_BIT_STRING = 0x03,
    SMIME_DER_OCTET_STRING = 0x04,
    SMIME_DER_NULL = 0x05,
    SMIME_DER_OID = 0x06,
    SMIME_DER_SEQUENCE = 0x30,
    SMIME_DER_SET = 0x31,
    SMIME_DER_IMPLICIT_0 = 0x80,    /* [0] IMPLICIT of a primitive type */
    SMIME_DER_CONSTRUCTED_0 = 0xA0, /* [0] EXPLICIT, or IMPLICIT of a constructed type */
    SMIME_DER_CONSTRUCTED_1 = 0xA1,
};

struct smime_der {
    const uint8_t *p; /* what is still to be read; never owned */
    size_t len;
    bool failed;
};

struct smime_der smime_der_of(struct span bytes);

/* Is the next element one with IDENTIFIER? */
bool smime_der_is(const struct smime_der *d, uint8_t identifier);

/* Takes the next element, which must have IDENTIFIER, and returns a reader of its content (failed: it was not
 * there). */
struct smime_der smime_der_take(struct smime_der *d, uint8_t identifier);

/*
 * Reads the identifier and the length octets of an element that may go on beyond D: on success D stands at
 * the content and *LEN_OUT is the length announced. False, with D unchanged: D ends within them (not failed),
 * or they are not as they should be (failed).
 */
bool smime_der_open(struct smime_der *d, uint8_t identifier, size_t *len_out);

/* Bytes of the identifier and the length octets before LEN bytes of content. */
size_t smime_der_header_size(size_t len);
void smime_der_put_header(struct buf *to, uint8_t identifier, size_t len);

/* Takes an INTEGER of one content byte that must be VALUE (0 to 127). */
void smime_der_take_small(struct smime_der *d, uint8_t value);

/* Takes an OBJECT IDENTIFIER that must be the one OpenSSL numbers NID. */
void smime_der_take_oid(struct smime_der *d, int nid);

/* Nothing failed and nothing is left over. */
bool smime_der_done(const struct smime_der *d);

#endif
