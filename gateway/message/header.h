/*
 * Header and body, split byte for byte, and the fields of a header. Nothing here copies or changes a byte.
 */
#ifndef SEALGATE_MESSAGE_HEADER_H
#define SEALGATE_MESSAGE_HEADER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

struct message_parts {
    struct span header;    /* all field lines, each with its CRLF; may be empty */
    struct span separator; /* the empty line, CRLF; empty when the message has no body */
    struct span body;      /* everything behind it */
};

/* The next line with its line end; *AT starts as the whole and moves behind it. Empty at the end. A line ends
 * at LF, with or without CR before it: submission lets only CRLF through, but a bare LF must not hide from us
 * what another reader would see as a line. */
struct span message_line(struct span *at);

/* An empty line, CRLF or bare LF? */
bool message_line_is_empty(struct span line);

/* Splits at the first empty line; without one all of it is header (RFC 5322 §2.1: the body is optional).
 * header+separator+body == message always. */
void message_split(struct span message, struct message_parts *parts_out);

struct header_field {
    struct span raw;   /* with folded lines and the last CRLF */
    struct span name;  /* empty: not a field (no colon, bad name); kept inside, never sent outside */
    struct span value; /* between colon and last CRLF, still folded */
};

/* The next field; *AT starts as the header. False at the end. */
bool header_next(struct span *at, struct header_field *field_out);

/* The Nth (from 0) field named NAME (case-insensitive). */
bool header_find(struct span header, const char *name, size_t nth, struct header_field *field_out);

/* Appends RAW as a whole line: the last one of a header may lack its end. */
void header_append(struct span raw, struct buf *out);

/*
 * May a reader who ignores everything odd take a line of RAW, which is no field, for the field NAME
 * ("B\x01cc: …", " Bcc: …" as the very first line)? NAME: its letters alone, "ResentBcc".
 */
bool header_line_passes_for(struct span raw, const char *name);

/* The value unfolded (RFC 5322 §2.2.3) and trimmed, raw bytes otherwise. */
void header_unfold(struct span value, struct buf *out);

#endif
