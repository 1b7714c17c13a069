/*
 * ASCII armor (RFC 4880 §6) of files and messages that people and other programs made, read by our own code.
 */
#ifndef SEALGATE_PGP_ARMOR_H
#define SEALGATE_PGP_ARMOR_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/sink.h"
#include "base/span.h"

/*
 * Decodes a message that others made, piece by piece, into the sink BINARY. Armor headers, LF or CRLF, any
 * line length and white space around it are fine; the CRC may be missing (RFC 9580 §6.1) but not wrong.
 * STATUS_INVALID: text before or behind, or damage, after which what the sink got counts for nothing; a
 * failure of the sink is passed on. What we made ourselves is judged by pgp/armored.h.
 */
MUST_USE enum status pgp_armor_decode_message(struct span armored, const struct sink *binary,
                                              struct error *err);

/* As pgp_armor_decode_message, for a detached signature ("-----BEGIN PGP SIGNATURE-----"). */
MUST_USE enum status pgp_armor_decode_signature(struct span armored, const struct sink *binary,
                                                struct error *err);

/*
 * Finds the next armored block in a file from people and appends its data to BINARY_OUT; *REST goes on
 * behind it. Text outside of blocks, armor headers, LF or CRLF and any line length are fine; the CRC may
 * be missing (RFC 9580 §6.1) but not wrong. *FOUND_OUT false: no more blocks. STATUS_INVALID: damaged,
 * or a block that is no public key block, a private one above all.
 */
MUST_USE enum status pgp_armor_next_certificate(struct span *rest, struct buf *binary_out, bool *found_out,
                                                struct error *err);

#endif
