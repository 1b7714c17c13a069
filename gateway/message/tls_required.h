/* The header field TLS-Required (RFC 8689 §3). */
#ifndef SEALGATE_MESSAGE_TLS_REQUIRED_H
#define SEALGATE_MESSAGE_TLS_REQUIRED_H

#include <stdbool.h>

#include "base/span.h"

/* Does the sender say "TLS-Required: No": rather delivered without the recipient's TLS policies than not at
 * all? Said twice, or anything else, is not understood and asks for nothing. */
bool tls_required_no(struct span header);

#endif
