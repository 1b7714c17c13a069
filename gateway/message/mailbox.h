/*
 * The mailboxes of an address field, read strictly: RFC 5322 §3.4 with groups (RFC 6854) and UTF-8 (RFC
 * 6532).
 *
 * Where readers differ in whom a field names, it is refused instead of guessed: routes, comments or spaces
 * inside an address, empty list members, encoded-words in place of an address, angle brackets or control
 * characters in a display name or comment, be they encoded (RFC 2047), bytes that are no UTF-8. Of the
 * obsolete syntax only the dot in a display name is taken ("John Q. Public"), which mail programs write.
 */
#ifndef SEALGATE_MESSAGE_MAILBOX_H
#define SEALGATE_MESSAGE_MAILBOX_H

#include "base/error.h"
#include "base/span.h"

#define MAILBOX_FIELD_MAX                                                                                    \
    8192 /* bytes of a field's value: its encoded-words may overlap and are all decoded */

/* Called for each mailbox with its addr-spec as written; anything but STATUS_OK ends the reading. */
typedef enum status mailbox_fn(void *arg, struct span address, struct error *err);

/*
 * Calls EACH for every mailbox of a field's VALUE (still folded), those in groups too, in their order.
 * STATUS_INVALID: not so written; ERR says what is wrong, for people; EACH may have been called before.
 */
MUST_USE enum status mailboxes_each(struct span value, mailbox_fn *each, void *arg, struct error *err);

#endif
