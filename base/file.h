/* Whole files in memory. */
#ifndef SEALGATE_BASE_FILE_H
#define SEALGATE_BASE_FILE_H

#include "base/buf.h"
#include "base/error.h"

/*
 * Reads the file at PATH into OUT, which is initialised here with the bound MAX. STATUS_NOT_FOUND: there is
 * none; STATUS_DENIED: no right to open it; STATUS_INVALID: it cannot be read; STATUS_LIMIT: over MAX bytes.
 * Free OUT with buf_free (after an error it is empty).
 */
MUST_USE enum status file_read(const char *path, size_t max, struct buf *out, struct error *err);

#endif
