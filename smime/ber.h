/* Reads BER that others wrote (X.690 §8): indefinite lengths and strings in pieces too. Copies nothing. */
#ifndef SEALGATE_SMIME_BER_H
#define SEALGATE_SMIME_BER_H

#include "smime/der.h"

/* The next element, whatever it is. */
struct smime_ber {
    uint8_t identifier;       /* its octet; tags over 30 are a failure */
    struct smime_der content; /* without the end-of-contents octets */
};

/* Takes the next element of D. False, and D failed: it is damaged, cut off, or nested deeper than any CMS. */
bool smime_ber_next(struct smime_der *d, struct smime_ber *out);

/* Takes the next element, which must have IDENTIFIER, and returns its content. */
struct smime_der smime_ber_take(struct smime_der *d, uint8_t identifier);

/* Takes the next element if it has IDENTIFIER. */
void smime_ber_skip_optional(struct smime_der *d, uint8_t identifier);

/* Adds up an OCTET STRING in pieces: CONTENT of its constructed form. False: it is none. */
bool smime_ber_pieces(struct smime_der content, size_t *len_out);

#endif
