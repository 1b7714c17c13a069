/*
 * The forms that addresses and identifiers take in notifications (RFC 3461 §6.3, RFC 6533 §3). Whatever they
 * are given, nothing they write breaks a line (A2, A9).
 */
#ifndef SEALGATE_DELIVERY_DSN_ADDRESS_H
#define SEALGATE_DELIVERY_DSN_ADDRESS_H

#include <stdbool.h>

#include "base/buf.h"

/* Printable ASCII only? */
bool dsn_is_printable(const char *s);

/*
 * "rfc822; bob@example.com", "utf-8; j\x{F6}rg@example.com": of an address as it stands in the envelope. At
 * most 950 bytes: a longer one is cut, and ends in "... (shortened)".
 */
void dsn_put_address(struct buf *out, const char *address);

/* An address for people, in UTF-8; '?' for what cannot be shown. */
void dsn_put_shown(struct buf *out, const char *address);

/* The value of ORCPT as Original-Recipient has it, "rfc822;bob+x@example.com". False and nothing written: it
 * is none. */
bool dsn_put_orcpt(struct buf *out, const char *orcpt);

#endif
