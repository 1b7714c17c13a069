/* The line ends of a message that is counted, not ended by a dot (BDAT, RFC 3030): no CR or LF without the
 * other. */
#ifndef SEALGATE_WIRE_LINE_ENDS_H
#define SEALGATE_WIRE_LINE_ENDS_H

#include <stdbool.h>

#include "base/span.h"

/* What was seen so far; zero it to begin. */
struct line_ends {
    bool after_cr;  /* the last byte was a CR */
    bool bare;      /* a CR without LF or an LF without CR (RFC 5321 §2.3.8) */
    bool nul;       /* a NUL byte (RFC 6152 §3 allows none) */
    bool eight_bit; /* a byte over 127 */
};

/* Looks at a piece of the message; pieces may be cut anywhere. */
void line_ends_check(struct line_ends *ends, struct span piece);

/* The message has ended: a CR at its end is bare. */
void line_ends_finish(struct line_ends *ends);

#endif
