/* The message behind DATA or BDAT, on its way from the connection into a memory file. */
#ifndef SEALGATE_SUBMISSION_DATA_H
#define SEALGATE_SUBMISSION_DATA_H

#include "base/error.h"
#include "base/span.h"
#include "gateway/wire/end_of_data.h"
#include "gateway/wire/line_ends.h"
#include "gateway/wire/normalize.h"

struct data {
    int fd;      /* memory file; -1: none */
    size_t size; /* bytes of the message so far, un-stuffed, also those not kept */
    size_t size_max;
    size_t kept;            /* bytes in the memory file */
    struct end_of_data eod; /* of DATA */
    struct line_ends ends;  /* of BDAT */
    bool mid_line;          /* the last byte so far was no LF */
    bool normalizes;        /* bare CR and LF become CRLF instead of an error */
    struct normalizer normalizer;
    enum status failed; /* not STATUS_OK: nothing is kept, the rest is swallowed */
};

/* Before data_begin, and after data_end. */
void data_init(struct data *data);

/* NORMALIZES: the listener's line-ends = normalize. */
MUST_USE enum status data_begin(struct data *data, size_t size_max, bool normalizes, struct error *err);

/* Takes a piece of INPUT behind DATA; returns how many bytes of it were used (more than 0 unless INPUT is
 * empty). The end is reached when data_is_whole. What goes wrong on the way shows in data_finish. */
size_t data_feed(struct data *data, struct span input);
bool data_is_whole(const struct data *data);

/* The same for what is behind BDAT, where all of INPUT belongs to the message and no dot was stuffed. */
size_t data_feed_chunk(struct data *data, struct span input);

/* What was seen of the message so far. A bare line end is none where they are normalised. */
bool data_has_bare_line_end(const struct data *data);
bool data_has_nul(const struct data *data);
bool data_has_eight_bit(const struct data *data);

/* Drops what was kept and swallows the rest; data_finish will say WHY. */
void data_fail(struct data *data, enum status why);

/*
 * After the end: gives a last line without its end, which BDAT can say and DATA cannot, the CRLF that every
 * line of a message has (RFC 5321 §2.3.8), and seals the memory file; it stays owned by DATA. STATUS_INVALID:
 * a bare CR or LF, or a NUL; STATUS_LIMIT: too big; STATUS_TEMPORARY.
 */
MUST_USE enum status data_finish(struct data *data, struct error *err);

/* Closes the memory file. */
void data_end(struct data *data);

#endif
