/*
 * Command lines, strictly: a line ends in CRLF and nothing else (RFC 5321 §2.3.8), so that no peer can
 * see a line end where we see none.
 */
#ifndef SEALGATE_WIRE_LINE_H
#define SEALGATE_WIRE_LINE_H

#include <stdbool.h>

#include "base/span.h"

/* Bytes of a line with its CRLF. */
#define LINE_COMMAND_MAX 512 /* RFC 5321 §4.5.3.1.4 */
/* MAIL with SIZE (RFC 1870 §3: +26), BODY (RFC 6152 §2: +17), AUTH (RFC 4954 §3: +500), SMTPUTF8 (RFC 6531
 * §3.1: +10), REQUIRETLS (RFC 8689 §2: +11), " RET=FULL" and " ENVID=" with 100 bytes (RFC 3461 §4). */
#define LINE_MAIL_MAX (LINE_COMMAND_MAX + 26 + 17 + 500 + 10 + 11 + 9 + 107)
/* RCPT with " NOTIFY=SUCCESS,FAILURE,DELAY" and " ORCPT=" with 500 bytes (RFC 3461 §4). */
#define LINE_RCPT_MAX (LINE_COMMAND_MAX + 29 + 507)
#define LINE_AUTH_MAX 12288 /* RFC 4954 §4 */

/* A line over its limit is swallowed up to here; then the reader gives up (A17). */
#define LINE_SWALLOW_MAX 65536

enum line_event {
    LINE_MORE,     /* no whole line yet: feed more */
    LINE_WHOLE,    /* *line_out is a line without its CRLF */
    LINE_TOO_LONG, /* a line over the limit was swallowed, up to its CRLF */
    LINE_NUL,      /* a line with a NUL byte was swallowed, up to its CRLF */
    LINE_NO_CHUNK, /* either of the two, and it began with BDAT: what follows may be a chunk, of a size that
                      nobody knows (A1); close */
    LINE_BAD_END,  /* a bare CR or LF: nobody can say where the next line begins; close */
    LINE_FLOOD,    /* LINE_SWALLOW_MAX bytes without a line end; close */
};

/* State between calls; zero it to begin. */
struct line_reader {
    size_t seen; /* bytes at the front of the input that were looked at before */
    size_t swallowed;
    bool too_long;
    bool nul;
    bool chunk; /* the line that is swallowed began with BDAT */
};

/*
 * Reads the next line at the front of INPUT, which is everything unread so far. MAX is the longest line
 * with its CRLF; 0: by the verb (line_limit). *USED_OUT bytes are to be removed from the front of the input,
 * whatever the event is. The line points into INPUT.
 */
enum line_event line_read(struct line_reader *reader, struct span input, size_t max, struct span *line_out,
                          size_t *used_out);

/* The limit for a command line that begins with START: AUTH, MAIL and RCPT lines may be longer than others.
 */
size_t line_limit(struct span start);

#endif
