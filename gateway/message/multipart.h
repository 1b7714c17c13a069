/* The parts of a multipart body (RFC 2046 §5.1.1), cut where every reader cuts them. */
#ifndef SEALGATE_MESSAGE_MULTIPART_H
#define SEALGATE_MESSAGE_MULTIPART_H

#include "gateway/message/content_type.h"

enum multipart_delimiter { MULTIPART_NONE, MULTIPART_OPEN, MULTIPART_CLOSE };

/* The boundary in TYPE. False: there is none, or one that readers could take differently. */
bool multipart_boundary(const struct content_type *type, struct span *boundary_out);

/*
 * Cuts *AT behind the next delimiter line of BOUNDARY. *BEFORE_OUT is what stands before that line (preamble
 * or part), without the CRLF that belongs to the delimiter. MULTIPART_NONE: there is no more, and *AT is
 * empty.
 */
enum multipart_delimiter multipart_next(struct span *at, struct span boundary, struct span *before_out);

#endif
