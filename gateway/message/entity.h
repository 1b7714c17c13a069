/* The MIME fields of one entity, and a body in base64, read strictly: what readers could take differently is
 * refused. */
#ifndef SEALGATE_MESSAGE_ENTITY_H
#define SEALGATE_MESSAGE_ENTITY_H

#include "base/buf.h"
#include "gateway/message/content_type.h"

enum entity_encoding { ENTITY_7BIT, ENTITY_8BIT, ENTITY_QUOTED_PRINTABLE, ENTITY_BASE64 };

/* Content-Transfer-Encoding (RFC 2045 §6); 7bit when there is none. False: there are several, or another. */
bool entity_encoding(struct span header, enum entity_encoding *encoding_out);

/* Is a text of TYPE (NULL: none given) part of what is read, and no attachment: no file name, and no
 * Content-Disposition but "inline" alone? */
bool entity_is_shown(struct span header, const struct content_type *type);

/* Is CHARSET (empty: us-ascii) known to write all of ASCII, line ends too, as ASCII does? */
bool entity_extends_ascii(struct span charset);

/*
 * Appends what a body in base64 stands for to OUT. False: something else stands in it or behind its padding,
 * its last group is not whole, or OUT has failed.
 */
bool entity_decode_base64(struct span body, struct buf *out);

/*
 * *TEXT_OUT is what BODY stands for: BODY itself, or in DECODED, which is begun here with room for it. False:
 * as entity_decode_base64. Free DECODED in any case.
 */
bool entity_decode(struct span body, enum entity_encoding encoding, struct buf *decoded,
                   struct span *text_out);

#endif
