/* Encoded-words (RFC 2047 §2) in the text of a field. */
#ifndef SEALGATE_MESSAGE_ENCODED_WORD_H
#define SEALGATE_MESSAGE_ENCODED_WORD_H

#include "base/buf.h"
#include "base/span.h"

/* Length of the encoded-word at the front of TEXT, be there spaces or question marks in it; 0: none. */
size_t encoded_word_length(struct span text);

/*
 * Appends TEXT to OUT, neighbouring words of one charset as one, in padded base64. GMime loses a character
 * that two base64 words share, and the end of base64 that lacks its padding; other readers do not. In linear
 * time.
 */
void encoded_words_join(struct span text, struct buf *out);

#endif
