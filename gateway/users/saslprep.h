/* How names and passwords are written before they are compared or hashed (RFC 4013). */
#ifndef SEALGATE_USERS_SASLPREP_H
#define SEALGATE_USERS_SASLPREP_H

#include <stdbool.h>

#include "base/error.h"

/*
 * SASLprep of TEXT, UTF-8, which errors call WHAT ("the password"); the caller wipes and frees it. With
 * STORED, code points that Unicode 3.2 did not assign are refused, as for what is stored; else they pass, as
 * for what is looked up (RFC 3454 §7). STATUS_INVALID: not UTF-8, a prohibited character, or nothing is left.
 * STATUS_TEMPORARY: out of memory.
 */
MUST_USE enum status saslprep(const char *what, const char *text, bool stored, char **prepared_out,
                              struct error *err);

#endif
