/* The header outside of a protected message, by a header confidentiality policy (RFC 9788 §3). */
#ifndef SEALGATE_MESSAGE_PROTECT_OUTER_H
#define SEALGATE_MESSAGE_PROTECT_OUTER_H

#include "gateway/message/protect.h"

/*
 * Appends to OUTER what ORDER's fields are outside, and to TOLD one HP-Outer field for each. STATUS_INVALID
 * as outer_check_charset.
 */
MUST_USE enum status protect_outer(const struct protect_order *order, struct buf *outer, struct buf *told,
                                   struct error *err);

/* Does FIELD show people something that the outside lacks? */
bool protect_outer_hides(const struct protect_order *order, const struct header_field *field);

#endif
