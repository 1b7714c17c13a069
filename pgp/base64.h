/*
 * Base64 and CRC24 of ASCII armor (RFC 4880 §6.1, §6.3), piece by piece. Strict: padding only at the
 * end, unused bits zero, so that there is one text only for any data.
 */
#ifndef SEALGATE_PGP_BASE64_H
#define SEALGATE_PGP_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

struct pgp_base64 {
    struct buf *out;    /* where the data goes; not owned */
    uint32_t bits;      /* characters of an unfinished group of four */
    unsigned count;     /* how many those are */
    unsigned pads;      /* "=" seen */
    uint8_t value[256]; /* of each character; 64: not in the alphabet */
};

/* The value of a character of the alphabet; 0 for all others. */
uint32_t pgp_base64_value(char c);

void pgp_base64_start(struct pgp_base64 *decoder, struct buf *out);

/* Decodes more text, appended to OUT. False: a character that may not be there. */
bool pgp_base64_feed(struct pgp_base64 *decoder, struct span text);

/* Decodes the last group. False: it is incomplete or its unused bits are not zero. */
bool pgp_base64_end(struct pgp_base64 *decoder);

/* CRC24, piece by piece. */
struct pgp_crc24 {
    uint32_t table[256];
    uint32_t value;
};
void pgp_crc24_start(struct pgp_crc24 *crc);
void pgp_crc24_add(struct pgp_crc24 *crc, struct span data);

/* The CRC24 of DATA. */
uint32_t pgp_crc24(struct span data);

#endif
