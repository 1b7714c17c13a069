/* A few bytes more in the middle of a body, in its Content-Transfer-Encoding, with nothing else touched. */
#ifndef SEALGATE_MESSAGE_INSERTION_H
#define SEALGATE_MESSAGE_INSERTION_H

#include "base/buf.h"
#include "gateway/message/entity.h"

struct insertion {
    size_t at;        /* where, as bytes of the decoded body */
    struct span text; /* what: whole lines, or what starts one; ASCII where the encoding is 7bit */
    size_t fill_at;   /* where spaces may be put into TEXT: base64 goes on behind whole groups */
};

/*
 * What stands for the first bytes of BODY, about MAX of them encoded, appended to DECODED where there is an
 * encoding. *WHOLE_OUT: it is all of it. False: BODY is not well-formed so far, or DECODED has failed.
 */
bool insertion_decode(struct span body, enum entity_encoding encoding, size_t max, struct buf *decoded,
                      struct span *text_out, bool *whole_out);

/*
 * Appends to OUT what takes the place of *CUT_OUT, in BODY (which may be empty; in base64 it is the group
 * that is opened). False: the text has no place there (a line over 998 bytes, RFC 5322 §2.1.1; bytes beyond
 * ASCII in 7bit; base64 that is not well-formed; what could pass for a boundary), or OUT has failed.
 */
bool insertion_make(struct span body, enum entity_encoding encoding, const struct insertion *insertion,
                    struct buf *out, struct span *cut_out);

#endif
