/*
 * Reads BER (X.690 §8) of others element by element without copying: indefinite lengths and long forms too.
 *
 * Failure is sticky in the reader that met it: take what should be there, then ask.
 */
#ifndef SEALGATE_SMIME_BER_H
#define SEALGATE_SMIME_BER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "smime/der.h"

struct smime_ber {
    const uint8_t *p; /* what is still to be read; never owned */
    size_t len;
    bool failed;
};

struct smime_ber smime_ber_of(struct span bytes);

/* The identifier octet of the next element; 0: none. */
uint8_t smime_ber_peek(const struct smime_ber *b);

/* Takes the next element, which must have IDENTIFIER (low-tag form), and returns a reader of its content. */
struct smime_ber smime_ber_take(struct smime_ber *b, uint8_t identifier);

/* Takes the next element when it has IDENTIFIER; else nothing. */
void smime_ber_skip(struct smime_ber *b, uint8_t identifier);

#endif
