/*
 * The value of ORCPT, "addr-type;address" (RFC 3461 §4.2), and its form for addresses beyond ASCII, "utf-8;…"
 * (RFC 6533 §3).
 */
#ifndef SEALGATE_WIRE_ORCPT_H
#define SEALGATE_WIRE_ORCPT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

#define ORCPT_MAX 500 /* bytes, RFC 3461 §4.2: as given, and as orcpt_append_ascii writes it */

/*
 * Is VALUE well-formed, and not longer than ORCPT_MAX, nor would be in ASCII, so that a next hop with that
 * limit takes it too? The address decodes to printable characters and spaces, nothing that ends a line or
 * is a control character (A9). *EIGHT_BIT_OUT: it is utf-8-addr-unitext with bytes over 127, which only a
 * transaction with SMTPUTF8 may give.
 */
bool orcpt_is_valid(struct span value, bool *eight_bit_out);

/* Appends a valid VALUE with bytes over 127 as utf-8-addr-xtext ("\x{F6}"), which every server understands.
 */
void orcpt_append_ascii(struct span value, struct buf *out);

#endif
