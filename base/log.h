/*
 * Events for people and machines: one line per event, key=value, to standard error (the journal).
 *
 *     log_start(&line, log, LOG_LEVEL_NOTICE, "queued");
 *     log_str(&line, "id", id);
 *     log_int(&line, "size", size);
 *     log_end(&line);
 *
 * A value that is not plain is quoted and escaped (\n, \x1b, \"), so nothing from outside can make a
 * second line or a second field. Never log a subject, a body, a password or a key.
 */
#ifndef SEALGATE_BASE_LOG_H
#define SEALGATE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

struct log {
    int fd;               /* where lines go, usually 2 */
    enum log_level level; /* lines above it are not written */
    const char *role;     /* "submission", "queue", …: first field of every line */
    bool journal;         /* prefix "<N>" with the syslog priority, for the journal */
};

#define LOG_LINE_MAX 2000 /* bytes with the LF; longer lines are cut and end in "…" */

struct log_line {
    const struct log *log; /* NULL: not written */
    size_t len;
    bool cut;
    char text[LOG_LINE_MAX];
};

/* LOG may be NULL: nothing is written (units in tests). */
void log_start(struct log_line *line, const struct log *log, enum log_level level, const char *event);
void log_str(struct log_line *line, const char *key, const char *value); /* NULL value: field left out */
void log_span(struct log_line *line, const char *key, struct span value);
void log_int(struct log_line *line, const char *key, int64_t value);
void log_end(struct log_line *line); /* one write(2) */

/* Shorthand for an event with an error: event, what=WHAT, error=err->text. WHAT may be NULL. */
void log_error(const struct log *log, enum log_level level, const char *event, const char *what,
               const struct error *err);

#endif
