/*
 * Is it a detached OpenPGP signature? Reads what others made (A12) as far as it goes without the signer's
 * certificate: that it holds is for the reader to see.
 */
#ifndef SEALGATE_PGP_DETACHED_H
#define SEALGATE_PGP_DETACHED_H

#include "base/error.h"
#include "base/span.h"

/*
 * DATA is one or more signature packets and nothing else, armored (RFC 3156 §5): each of version 4 or 6, over
 * a document (type 0x00 or 0x01), its subpackets and numbers filling the packet to its end (RFC 4880 §5.2.3,
 * RFC 9580 §5.2.3). The hash of at least one is MICALG ("pgp-sha256"). STATUS_INVALID with the reason:
 * anything else. STATUS_TEMPORARY: out of memory.
 */
MUST_USE enum status pgp_detached_check(struct span data, struct span micalg, struct error *err);

#endif
