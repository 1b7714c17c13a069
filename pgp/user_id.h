/* What a user ID (RFC 4880 §5.11) says: an address and a text for people. */
#ifndef SEALGATE_PGP_USER_ID_H
#define SEALGATE_PGP_USER_ID_H

#include <stdbool.h>

#include "base/span.h"

/*
 * The address of a user ID: all of it, "addr-spec", or what stands in the angle brackets at its end,
 * "Name (comment) <addr-spec>". The local part is a dot-atom, the domain host names with letters of any
 * script (RFC 5321 §4.1.2, RFC 6531 §3.3). An address in the name or in a comment never counts (A13), and
 * what could be read in two ways has none: a second pair of brackets, an open comment.
 */
bool pgp_user_id_address(struct span user_id, struct span *address_out);

/* A copy for people, to be freed: UTF-8 without control characters ("?" instead); NULL: out of memory. */
char *pgp_user_id_text(struct span user_id);

#endif
