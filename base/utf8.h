/* Checking UTF-8 text from outside (RFC 3629). */
#ifndef SEALGATE_BASE_UTF8_H
#define SEALGATE_BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Takes one code point from the front of *TEXT. False: not well-formed (overlong, surrogate, over U+10FFFF,
 * cut). */
bool utf8_next(struct span *text, uint32_t *code_point_out);

/* C0, DEL, C1 (NEL is one), and the line and paragraph separators U+2028 and U+2029: what somebody might take
 * for the end of a line. */
bool utf8_is_control(uint32_t code_point);

#endif
