/* The Content-Type of what is protected, and its parameters by RFC 9788 §2.1. */
#ifndef SEALGATE_MESSAGE_PROTECT_TYPE_H
#define SEALGATE_MESSAGE_PROTECT_TYPE_H

#include "base/buf.h"
#include "gateway/message/content_type.h"

/* Appends FIELD, of TYPE, up to its last parameter, without what others said of their protection. */
void protect_type_append(const struct header_field *field, const struct content_type *type, struct buf *out);

#endif
