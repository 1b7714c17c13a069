/*
 * Line ends of old devices: each bare CR or LF of a message becomes CRLF. Only for the message itself, and
 * only where the listener says so: where it ends is found before (end_of_data.h), and commands stay strict.
 */
#ifndef SEALGATE_WIRE_NORMALIZE_H
#define SEALGATE_WIRE_NORMALIZE_H

#include <stdbool.h>

#include "base/span.h"

/* Room that normalize_feed needs for a piece of LEN bytes. */
#define NORMALIZE_ROOM(len) (2 * (len) + 1)

/* Zero it to begin. */
struct normalizer {
    bool after_cr; /* the last byte was a CR; its LF is not written yet */
};

/* Writes PIECE, cut anywhere, to OUT; returns how many bytes that are. */
size_t normalize_feed(struct normalizer *n, struct span piece, char *out);

/* The message has ended: writes the LF that a last CR lacks, if so; returns 1 or 0. */
size_t normalize_finish(struct normalizer *n, char *out);

#endif
