/* Checking UTF-8 text from outside (RFC 3629). */
#ifndef SEALGATE_USERS_UTF8_H
#define SEALGATE_USERS_UTF8_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Takes one code point from the front of *TEXT. False: not well-formed (overlong, surrogate, over U+10FFFF,
 * cut). */
bool utf8_next(struct span *text, uint32_t *code_point_out);

#endif
