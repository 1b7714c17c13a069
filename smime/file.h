/* Reading a file that the administrator names. */
#ifndef SEALGATE_SMIME_FILE_H
#define SEALGATE_SMIME_FILE_H

#include <sys/stat.h>

#include "base/buf.h"
#include "base/error.h"

/*
 * Appends the file at PATH to FILE (bound by its max) and tells which one was read. STATUS_DENIED: no
 * permission; STATUS_INVALID: cannot be opened or read; STATUS_LIMIT: larger than FILE may be. WHAT begins
 * the text of an error.
 */
MUST_USE enum status smime_file_read(const char *path, const char *what, struct buf *file,
                                     struct stat *which_out, struct error *err);

#endif
