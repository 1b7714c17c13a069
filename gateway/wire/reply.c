#include "gateway/wire/reply.h"

#include <string.h>

#include "gateway/wire/ascii.h"

/* Room for code, enhanced code, separators and CRLF. */
#define REPLY_HEAD_MAX 24

static void append_line(struct buf *out, int code, bool last, const char *enhanced, struct span text)
{
    buf_printf(out, "%03d%c", code, last ? ' ' : '-');
    if (enhanced)
        buf_printf(out, "%s ", enhanced);
    for (size_t i = 0; i < text.len; i++)
        buf_append_char(out, ascii_is_printable(text.p[i]) ? text.p[i] : '?');
    buf_append_str(out, "\r\n");
}

/* The next piece of *TEXT that fits a line; the LF behind it is taken too. */
static struct span next_line(struct span *text)
{
    const char *lf = memchr(text->p, '\n', text->len);
    size_t len = lf ? (size_t)(lf - text->p) : text->len;
    size_t skip = lf ? 1 : 0;
    if (len > REPLY_LINE_MAX - REPLY_HEAD_MAX) {
        len = REPLY_LINE_MAX - REPLY_HEAD_MAX;
        skip = 0;
    }
    struct span line = span_of(text->p, len);
    *text = span_of(text->p + len + skip, text->len - len - skip);
    return line;
}

void reply_format(struct buf *out, int code, const char *enhanced, const char *text)
{
    struct span rest = span_str(text);
    do {
        struct span line = next_line(&rest);
        append_line(out, code, rest.len == 0, enhanced, line);
    } while (rest.len > 0);
}
