/*
 * A view of a message that we made ourselves in ASCII armor (RFC 4880 §6), whose data is read where it
 * lies: nothing of the size of the message is decoded into memory.
 */
#ifndef SEALGATE_PGP_ARMORED_H
#define SEALGATE_PGP_ARMORED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

struct pgp_armored {
    struct span lines; /* of base64, each of 64 characters and CRLF but for the last */
    size_t len;        /* bytes of data */
};

/*
 * Proves the form, and the checksum of all data: "-----BEGIN PGP MESSAGE-----", an empty line (no armor
 * headers), base64 in full lines of 64 and a shorter last one, "=" and the CRC24, "-----END PGP
 * MESSAGE-----"; every line ends in CRLF; nothing before or behind. STATUS_INVALID: any other form, or a CRC
 * that is wrong. STATUS_TEMPORARY: out of memory.
 */
MUST_USE enum status pgp_armored_open(struct span armored, struct pgp_armored *view_out, struct error *err);

/* Reads N bytes of data from AT on; false when there are fewer. */
bool pgp_armored_read(const struct pgp_armored *view, size_t at, size_t n, uint8_t *out);

#endif
