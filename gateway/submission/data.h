/* The message behind DATA, on its way from the connection into a memory file. */
#ifndef SEALGATE_SUBMISSION_DATA_H
#define SEALGATE_SUBMISSION_DATA_H

#include "base/error.h"
#include "base/span.h"
#include "gateway/wire/end_of_data.h"

struct data {
    int fd;      /* memory file; -1: none */
    size_t size; /* bytes of the message so far, un-stuffed, also those not kept */
    size_t size_max;
    size_t kept; /* bytes in the memory file */
    struct end_of_data eod;
    enum status failed; /* not STATUS_OK: nothing is kept, the rest is swallowed */
};

/* Before data_begin, and after data_end. */
void data_init(struct data *data);

MUST_USE enum status data_begin(struct data *data, size_t size_max, struct error *err);

/* Takes a piece of INPUT; returns how many bytes of it were used (more than 0 unless INPUT is empty). The
 * end is reached when data_is_whole. What goes wrong on the way shows in data_finish. */
size_t data_feed(struct data *data, struct span input);
bool data_is_whole(const struct data *data);

/* Drops what was kept and swallows the rest; data_finish will say WHY. */
void data_fail(struct data *data, enum status why);

/*
 * After the end: seals the memory file; it stays owned by DATA. STATUS_INVALID: a bare CR or LF, or a NUL
 * (data->eod says which); STATUS_LIMIT: too big; STATUS_TEMPORARY.
 */
MUST_USE enum status data_finish(struct data *data, struct error *err);

/* Closes the memory file. */
void data_end(struct data *data);

#endif
