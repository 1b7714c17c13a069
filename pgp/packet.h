/*
 * Walks the packets of binary OpenPGP data (RFC 4880 §4). Looks at framing only, never past the end of
 * the data, and copies nothing.
 */
#ifndef SEALGATE_PGP_PACKET_H
#define SEALGATE_PGP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/* Packet tags (RFC 4880 §4.3; padding: RFC 9580 §5.14). */
enum pgp_tag {
    PGP_TAG_PKESK = 1,
    PGP_TAG_SIGNATURE = 2,
    PGP_TAG_SKESK = 3,
    PGP_TAG_SECRET_KEY = 5,
    PGP_TAG_PUBLIC_KEY = 6,
    PGP_TAG_SECRET_SUBKEY = 7,
    PGP_TAG_COMPRESSED = 8,
    PGP_TAG_SED = 9,
    PGP_TAG_MARKER = 10,
    PGP_TAG_LITERAL = 11,
    PGP_TAG_TRUST = 12,
    PGP_TAG_USER_ID = 13,
    PGP_TAG_PUBLIC_SUBKEY = 14,
    PGP_TAG_USER_ATTRIBUTE = 17,
    PGP_TAG_SEIPD = 18,
    PGP_TAG_AEAD = 20, /* of drafts, and of GnuPG 2.3 */
    PGP_TAG_PADDING = 21,
};

struct pgp_packet {
    unsigned tag;
    struct span whole; /* with its header and all length octets */
    struct span body;  /* the body; of a body in several parts, the first part */
    size_t body_len;   /* bytes of the body in all parts, without length octets */
    bool partial;      /* the body comes in parts (RFC 4880 §4.2.2.4) */
};

/*
 * Takes the next packet off the front of *REST, which must not be empty. STATUS_INVALID: no packet
 * header, a length past the end, partial lengths where they may not be, or an indeterminate length
 * (it would swallow whatever follows, so nothing behind it could be judged).
 */
MUST_USE enum status pgp_packet_next(struct span *rest, struct pgp_packet *packet_out, struct error *err);

/* LEN octets at P as a big-endian number; LEN at most 8. */
unsigned long long pgp_packet_number(const char *p, size_t len);

#define PGP_LENGTH_OCTETS_MAX 5
#define PGP_PARTIAL_FIRST_MIN 512 /* octets of the first part of a body (RFC 4880 §4.2.2.4) */

/* How many octets a new-format body length (RFC 4880 §4.2.2) has that begins with FIRST: 1, 2 or 5. */
size_t pgp_length_octets(uint8_t first);

/* What they say; *PARTIAL_OUT: the body goes on with another length behind so many octets. */
size_t pgp_length_read(const uint8_t *octets, bool *partial_out);

/* May a packet with this tag come in parts? Data packets alone (RFC 4880 §4.2.2.4). */
bool pgp_packet_may_be_partial(unsigned tag);

#endif
