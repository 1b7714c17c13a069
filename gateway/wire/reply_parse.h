/*
 * Replies of an SMTP server as a client reads them (RFC 5321 §4.2). The next hop is not trusted: lines, their
 * number and what is kept of them are bounded, control characters are escaped (A22).
 */
#ifndef SEALGATE_WIRE_REPLY_PARSE_H
#define SEALGATE_WIRE_REPLY_PARSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

#define REPLY_LINE_MAX 2048 /* bytes with CRLF; RFC 5321 §4.5.3.1.5 says 512, some send more */
#define REPLY_LINES_MAX 128 /* lines of one reply */
#define REPLY_KEPT_MAX 4096 /* bytes of text kept; what comes after is read and dropped */
#define REPLY_TEXT_MAX 500  /* bytes of a reply made fit for people, without its NUL */

struct reply_parser {
    int code; /* 0 until the first line, and when a later one has another */
    unsigned n_lines;
    char enhanced[12]; /* "5.1.1" (RFC 3463) of the last line that had one; "" when none */
    size_t len;
    char text[REPLY_KEPT_MAX]; /* the lines' texts without code, each with a LF behind it; raw bytes */
};

/* Ready for the next reply. */
void reply_parse_start(struct reply_parser *p);

/*
 * Takes whole lines from the front of INPUT, up to the end of one reply and never a byte further.
 * *consumed_out: bytes taken, also when more are needed (*done_out false; then give the rest again with what
 * follows it). A line ends with LF; a CR before it is optional. STATUS_INVALID: no reply, codes that differ
 * within one, a line or a reply too long; nothing more can be read from this server.
 */
MUST_USE enum status reply_parse(struct reply_parser *p, struct span input, size_t *consumed_out,
                                 bool *done_out, struct error *err);

/* "550 5.1.1 no such user": the code and all lines, in printable ASCII, the rest as \xNN. */
void reply_parse_text(const struct reply_parser *p, char out[REPLY_TEXT_MAX + 1]);

/* Escapes S the same way into OUT of SIZE bytes, cut at the end; NUL-terminated. */
void reply_escape(struct span s, char *out, size_t size);

#endif
