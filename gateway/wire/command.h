/* A command line: verb and arguments (RFC 5321 §4.1.1). */
#ifndef SEALGATE_WIRE_COMMAND_H
#define SEALGATE_WIRE_COMMAND_H

#include <stdbool.h>

#include "base/span.h"

struct command {
    struct span verb; /* letters only; compare with span_is */
    struct span args; /* behind the one space; without blanks at its end; empty when there are none */
};

/* Splits LINE (without CRLF). False: no verb, something other than a space behind it, or a control character
 * anywhere (A9; 8-bit bytes are left to who reads the arguments). */
bool command_parse(struct span line, struct command *command_out);

/* Takes the next blank-separated word from the front of *ARGS; empty at the end. */
struct span command_word(struct span *args);

#endif
