/* Is a message text alone, and what does the text say? For OpenPGP without MIME, which has no place for more.
 */
#ifndef SEALGATE_MESSAGE_PLAIN_TEXT_H
#define SEALGATE_MESSAGE_PLAIN_TEXT_H

#include "base/buf.h"
#include "gateway/message/header.h"

#define PLAIN_TEXT_CHARSET_SIZE 41 /* with NUL; RFC 2978 §2.3: names of at most 40 characters */

struct plain_text {
    char charset[PLAIN_TEXT_CHARSET_SIZE]; /* "us-ascii" where none is given */
    struct span text;                      /* in the message, or in DECODED */
    struct buf decoded;                    /* quoted-printable or base64 undone; owned */
};

/*
 * True for one text/plain entity, of at most one Content-Type and Content-Transfer-Encoding, both
 * well-formed, that is no attachment, in a charset whose lines end as those of ASCII. Free TEXT_OUT with
 * plain_text_free (only after true). Out of memory is false: the message is sealed with MIME then.
 */
bool plain_text_find(const struct message_parts *parts, struct plain_text *text_out);
void plain_text_free(struct plain_text *text);

#endif
