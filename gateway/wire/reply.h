/* Writing SMTP replies (RFC 5321 §4.2, enhanced status codes of RFC 2034). */
#ifndef SEALGATE_WIRE_REPLY_H
#define SEALGATE_WIRE_REPLY_H

#include "base/buf.h"

#define REPLY_LINE_MAX 512 /* bytes with CRLF, RFC 5321 §4.5.3.1.5 */

/*
 * Appends a reply to OUT: one line for each line of TEXT (separated by LF), each with CODE, with ENHANCED
 * ("5.7.1"; NULL: none) and CRLF. What is not printable ASCII becomes "?"; a line that is too long goes on in
 * the next. TEXT may hold bytes that came from outside, but no LF from there.
 */
void reply_format(struct buf *out, int code, const char *enhanced, const char *text);

#endif
