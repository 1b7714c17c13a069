/* base64 in full lines of 76 characters with CRLF (RFC 2045 §6.8), written and read piece by piece. */
#ifndef SEALGATE_SEAL_BASE64_LINES_H
#define SEALGATE_SEAL_BASE64_LINES_H

#include "base/sink.h"

/* Characters of a full line, and the bytes they stand for. */
#define BASE64_LINE 76
#define BASE64_LINE_BYTES 57

struct base64_lines {
    const struct sink *to;
    unsigned char kept[BASE64_LINE_BYTES]; /* less than a line */
    size_t n_kept;
};

void base64_lines_start(struct base64_lines *lines, const struct sink *to);
MUST_USE enum status base64_lines_write(struct base64_lines *lines, struct span bytes, struct error *err);
/* Writes the last, shorter line. */
MUST_USE enum status base64_lines_end(struct base64_lines *lines, struct error *err);

/*
 * Decodes what base64_lines wrote, and nothing else, to TO. STATUS_INVALID: any other form, be it one more
 * blank, a line too short, or unused bits that are not zero. A status of TO's is passed on.
 */
MUST_USE enum status base64_lines_read(struct span text, const struct sink *to, struct error *err);

#endif
