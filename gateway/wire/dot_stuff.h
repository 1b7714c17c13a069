/*
 * A message on its way out behind DATA (RFC 5321 §4.5.2): dots doubled, CRLF.CRLF at the end, and never a
 * bare CR or LF, which some servers would take for an end of line (A2: CVE-2023-51764, CVE-2026-33604).
 */
#ifndef SEALGATE_WIRE_DOT_STUFF_H
#define SEALGATE_WIRE_DOT_STUFF_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

struct dot_stuffer {
    bool line_start;
    bool after_cr; /* the piece before ended in CR: a LF must follow */
};

void dot_stuff_start(struct dot_stuffer *s);

/* Appends a piece of the message; pieces may be cut anywhere. STATUS_INVALID: a bare CR or LF; what is in OUT
 * must not be sent. STATUS_LIMIT: OUT is full (it needs at most twice the piece). */
MUST_USE enum status dot_stuff(struct dot_stuffer *s, struct span piece, struct buf *out, struct error *err);

/* Ends the message: a last line without CRLF gets one, then the dot. Errors as above. */
MUST_USE enum status dot_stuff_end(struct dot_stuffer *s, struct buf *out, struct error *err);

/* STATUS_OK when the whole message can be sent, so that nothing is begun that cannot be ended. */
MUST_USE enum status dot_stuff_check(struct span message, struct error *err);

#endif
