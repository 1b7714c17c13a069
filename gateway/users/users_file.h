/* The text of the users file and its lines; shared by reading (users.c) and changing (users_change.c). */
#ifndef SEALGATE_USERS_USERS_FILE_H
#define SEALGATE_USERS_USERS_FILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"

/* Reads the whole file. STATUS_NOT_FOUND: there is none; STATUS_DENIED: rights (A26); STATUS_TEMPORARY:
 * cannot be read; STATUS_LIMIT: over 16 MiB. The caller frees TEXT_OUT. */
MUST_USE enum status users_file_read(const char *path, struct buf *text_out, struct error *err);

struct users_line {
    struct span raw; /* with its LF, if it has one */
    struct span name;
    struct span hash;
    struct span scram; /* empty: none */
    bool is_user;      /* false: blank or a comment */
    bool broken;       /* not "name:hash" or "name:hash:scram" */
};

/* Takes the next line from the front of *TEXT. False at the end. */
bool users_line_next(struct span *text, struct users_line *line_out);

#endif
