/* Text of header fields as a reader sees it. */
#ifndef SEALGATE_MESSAGE_DECODE_H
#define SEALGATE_MESSAGE_DECODE_H

#include "base/span.h"

/*
 * The value of a field, unfolded, encoded-words decoded (RFC 2047), as valid UTF-8; NUL bytes become spaces.
 * To be freed by the caller. Never NULL: out of memory ends the process, as everywhere in GLib.
 */
char *header_decode(struct span value);

/* As header_decode, without decoding: what a parser of addresses wants. */
char *header_text(struct span value);

#endif
