#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Kept free at the end of a line for the mark of a cut and the LF. */
#define TAIL 8

static const int priority[] = {3, 4, 5, 6, 7}; /* syslog(3) */
static const char *const level_name[] = {"error", "warning", "notice", "info", "debug"};

static void put(struct log_line *line, const char *p, size_t len)
{
    if (line->cut)
        return;
    if (len > sizeof line->text - TAIL - line->len) {
        line->cut = true;
        return;
    }
    memcpy(line->text + line->len, p, len);
    line->len += len;
}

void log_start(struct log_line *line, const struct log *log, enum log_level level, const char *event)
{
    line->log = log && level <= log->level ? log : NULL;
    line->len = 0;
    line->cut = false;
    if (!line->log)
        return;
    char head[128];
    int n = snprintf(head, sizeof head, "%s%.1s%s", log->journal ? "<" : "",
                     log->journal ? (char[]){(char)('0' + priority[level]), 0} : "", log->journal ? ">" : "");
    put(line, head, (size_t)n);
    n = snprintf(head, sizeof head, "role=%s level=%s event=%s", log->role, level_name[level], event);
    put(line, head, n < (int)sizeof head ? (size_t)n : sizeof head - 1);
}

/* Plain: printable ASCII that cannot be taken for a separator or a quote. */
static bool is_plain(struct span v)
{
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.p[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=')
            return false;
    }
    return v.len > 0;
}

static void put_escaped(struct log_line *line, unsigned char c)
{
    char text[8];
    int n;
    if (c == '"' || c == '\\')
        n = snprintf(text, sizeof text, "\\%c", c);
    else if (c == '\n')
        n = snprintf(text, sizeof text, "\\n");
    else if (c == '\r')
        n = snprintf(text, sizeof text, "\\r");
    else if (c < ' ' || c >= 0x7f)
        n = snprintf(text, sizeof text, "\\x%02x", c);
    else
        n = snprintf(text, sizeof text, "%c", c);
    put(line, text, (size_t)n);
}

void log_span(struct log_line *line, const char *key, struct span value)
{
    if (!line->log)
        return;
    put(line, " ", 1);
    put(line, key, strlen(key));
    put(line, "=", 1);
    if (is_plain(value)) {
        put(line, value.p, value.len);
        return;
    }
    put(line, "\"", 1);
    for (size_t i = 0; i < value.len; i++)
        put_escaped(line, (unsigned char)value.p[i]);
    put(line, "\"", 1);
}

void log_str(struct log_line *line, const char *key, const char *value)
{
    if (value)
        log_span(line, key, span_str(value));
}

void log_int(struct log_line *line, const char *key, int64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    log_str(line, key, digits);
}

void log_end(struct log_line *line)
{
    if (!line->log)
        return;
    static const char mark[] = " …";
    if (line->cut) {
        memcpy(line->text + line->len, mark, sizeof mark - 1);
        line->len += sizeof mark - 1;
    }
    line->text[line->len++] = '\n';
    /* A log that cannot be written must not stop mail; there is nowhere to report it. */
    ssize_t ignored = write(line->log->fd, line->text, line->len);
    (void)ignored;
    line->log = NULL;
}

void log_error(const struct log *log, enum log_level level, const char *event, const char *what,
               const struct error *err)
{
    struct log_line line;
    log_start(&line, log, level, event);
    log_str(&line, "what", what);
    log_str(&line, "class", status_word(err->status));
    log_str(&line, "error", err->text);
    log_end(&line);
}
