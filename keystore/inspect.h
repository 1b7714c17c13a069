/* What one certificate says of itself, in either format, judged at a time. */
#ifndef SEALGATE_KEYSTORE_INSPECT_H
#define SEALGATE_KEYSTORE_INSPECT_H

#include "keystore/address.h"
#include "keystore/private.h"

struct finding {
    struct certificate certificate; /* what it says itself; with a copy of the bytes */
    struct address_keys *keys;      /* of its addresses; owned */
    size_t n_keys;
};

/*
 * Judges BYTES at NOW (seconds since 1970). INTERMEDIATES (may be NULL) help to build a chain, which one that
 * is PINNED does not need. Unfit is
 * STATUS_OK with a reason; a certificate so damaged that it has no fingerprint is STATUS_INVALID. Addresses
 * that are no addr-spec are left out. Free with keystore_finding_free.
 */
MUST_USE enum status keystore_inspect(struct keystore *ks, enum certificate_format format, struct span bytes,
                                      const struct smime_certificates *intermediates, bool pinned,
                                      int64_t now, struct finding *finding_out, struct error *err);
void keystore_finding_free(struct finding *finding);

/* Has DER basicConstraints with cA (RFC 5280 §4.2.1.9)? A damaged certificate has not. */
bool keystore_is_authority(struct span der);

#endif
