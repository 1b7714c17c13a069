/*
 * Errors: one must-use status with few categories, and a text for people.
 *
 * Every function that can fail returns `enum status` (STATUS_OK is 0) and takes a
 * `struct error *` last, which it fills whenever it does not return STATUS_OK.
 * The category decides what happens to mail; the text says what, where, why, and what to do.
 */
#ifndef SEALGATE_BASE_ERROR_H
#define SEALGATE_BASE_ERROR_H

#define MUST_USE __attribute__((warn_unused_result))

enum status {
    STATUS_OK = 0,
    STATUS_INVALID,   /* the input is wrong; the same input fails again: 5xx for mail */
    STATUS_NOT_FOUND, /* we looked and it is not there; never used for a lookup that failed */
    STATUS_LIMIT,     /* over a configured bound: 5xx for mail */
    STATUS_DENIED,    /* not allowed: bad password, wrong owner or mode of a file */
    STATUS_TEMPORARY, /* may work later: 4xx for mail */
    STATUS_BUSY,      /* nobody is free to do it now: 451 4.3.2 */
    STATUS_CLOSED,    /* the other side is gone: 451 4.3.0 */
    STATUS_INTERNAL,  /* a promise of our own is broken; for mail the same as STATUS_TEMPORARY */
};

/* Longest text, with its terminating NUL. Longer texts are cut. */
#define ERROR_TEXT_MAX 400

struct error {
    enum status status;
    char
        text[ERROR_TEXT_MAX]; /* one line, printable; may hold bytes that came from outside: escape in logs */
};

/* Fills ERR (may be NULL) and returns STATUS, so that callers write `return error_set(err, …)`. */
enum status error_set(struct error *err, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, with ": " and the text of the errno value ERRNUM behind it. */
enum status error_errno(struct error *err, enum status status, int errnum, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts a printf text and ": " before the text that ERR already holds; returns ERR's status. */
enum status error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The category as a lower-case word for logs: "ok", "invalid", "temporary", … Static memory. */
const char *status_word(enum status status);

#endif
