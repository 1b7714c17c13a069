/* Base64 on one line (RFC 4648 §4), as AUTH uses it (RFC 4954 §4). */
#ifndef SEALGATE_WIRE_BASE64_H
#define SEALGATE_WIRE_BASE64_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * Appends what TEXT stands for to OUT. False: TEXT is no base64. Strict: whole groups of four, padding at the
 * end only, unused bits zero, nothing else in between; so any data has one text only. OUT->failed is the
 * caller's to look at.
 */
bool base64_decode(struct span text, struct buf *out);

/* Appends BYTES as base64 to OUT. */
void base64_encode(struct span bytes, struct buf *out);

#endif
