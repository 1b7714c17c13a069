/* The Content-Type field of a signed mail (RFC 2045 §5.1), without comments, which no mail program writes
 * here. */
#ifndef SEALGATE_SMIME_CONTENT_TYPE_H
#define SEALGATE_SMIME_CONTENT_TYPE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

#define SMIME_CONTENT_TYPE_MAX 4096 /* bytes of a field that are looked at */

/* Takes "type/subtype" from the front of FIELD; its parameters are left. */
struct span smime_content_type_take(struct span *field);

/*
 * Reads parameter NAME of PARAMETERS, unquoted, into OUT, which stays empty without it. False: the field is
 * damaged or names it twice.
 */
bool smime_content_type_parameter(struct span parameters, const char *name, struct buf *out);

#endif
