#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 0))) static void set_text(struct error *err, const char *format, va_list ap)
{
    /* Formatted aside first: an argument may be the old text of ERR. */
    char text[ERROR_TEXT_MAX];
    vsnprintf(text, sizeof text, format, ap);
    memcpy(err->text, text, sizeof text);
}

enum status error_set(struct error *err, enum status status, const char *format, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, format);
        set_text(err, format, ap);
        va_end(ap);
        err->status = status;
    }
    return status;
}

enum status error_errno(struct error *err, enum status status, int errnum, const char *format, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, format);
        set_text(err, format, ap);
        va_end(ap);
        err->status = status;
        size_t len = strlen(err->text);
        char why[128];
        snprintf(err->text + len, sizeof err->text - len, ": %s", strerror_r(errnum, why, sizeof why));
    }
    return status;
}

enum status error_prefix(struct error *err, const char *format, ...)
{
    char front[ERROR_TEXT_MAX];
    char text[2 * ERROR_TEXT_MAX + 2];
    va_list ap;
    va_start(ap, format);
    vsnprintf(front, sizeof front, format, ap);
    va_end(ap);
    snprintf(text, sizeof text, "%s: %s", front, err->text);
    text[ERROR_TEXT_MAX - 1] = '\0';
    memcpy(err->text, text, strlen(text) + 1);
    return err->status;
}

const char *status_word(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return "ok";
    case STATUS_INVALID:
        return "invalid";
    case STATUS_NOT_FOUND:
        return "not-found";
    case STATUS_LIMIT:
        return "limit";
    case STATUS_DENIED:
        return "denied";
    case STATUS_TEMPORARY:
        return "temporary";
    case STATUS_BUSY:
        return "busy";
    case STATUS_CLOSED:
        return "closed";
    case STATUS_INTERNAL:
        return "internal";
    }
    return "internal";
}
