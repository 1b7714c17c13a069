/* xtext (RFC 3461 §4): how a value that a parameter of MAIL or RCPT may not hold as it is stands in one. */
#ifndef SEALGATE_WIRE_XTEXT_H
#define SEALGATE_WIRE_XTEXT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * Is TEXT xtext, not empty, of a value that is printable ASCII and spaces (RFC 3461 §4.2, §4.4)? Such a value
 * can stand in a header field or a log line: it holds no CR, LF, NUL or 8-bit byte (A9).
 */
bool xtext_is_valid(struct span text);

/* Appends the value that TEXT stands for. False, and OUT is worthless: TEXT is not as xtext_is_valid says, or
 * OUT is full. */
bool xtext_decode(struct span text, struct buf *out);

#endif
