/* What the values of MIME fields are made of (RFC 2045 §5.1). */
#ifndef SEALGATE_MESSAGE_MIME_TOKEN_H
#define SEALGATE_MESSAGE_MIME_TOKEN_H

#include "base/span.h"

/* Moves *AT behind spaces, tabs and line ends. */
void mime_skip_blanks(struct span *at);

/*
 * The token that *AT begins with, which moves behind it: anything but tspecials, white space and controls.
 * Empty: there is none. BEYOND_ASCII: bytes over 127 belong to it too, as lenient readers have it.
 */
struct span mime_take_token(struct span *at, bool beyond_ascii);

#endif
