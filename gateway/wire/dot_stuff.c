#include "gateway/wire/dot_stuff.h"

#include <string.h>

static enum status bare(struct error *err, const char *what)
{
    return error_set(err, STATUS_INVALID, "the message holds a bare %s", what);
}

void dot_stuff_start(struct dot_stuffer *s)
{
    *s = (struct dot_stuffer){.line_start = true};
}

/* Length of the text before the first CR or LF. */
static size_t text_length(struct span s)
{
    const char *cr = memchr(s.p, '\r', s.len);
    size_t len = cr ? (size_t)(cr - s.p) : s.len;
    const char *lf = memchr(s.p, '\n', len);
    return lf ? (size_t)(lf - s.p) : len;
}

/* Takes one step of PIECE: a line end, or text up to one; OUT may be NULL. */
static enum status step(struct dot_stuffer *s, struct span *piece, struct buf *out, struct error *err)
{
    size_t len = 1;
    if (s->after_cr) {
        if (piece->p[0] != '\n')
            return bare(err, "CR");
        s->after_cr = false;
        s->line_start = true;
    } else if (piece->p[0] == '\n') {
        return bare(err, "LF");
    } else if (piece->p[0] == '\r') {
        s->after_cr = true;
    } else {
        len = text_length(*piece);
        if (out && s->line_start && piece->p[0] == '.')
            buf_append_char(out, '.');
        s->line_start = false;
    }
    if (out)
        buf_append(out, piece->p, len);
    *piece = span_of(piece->p + len, piece->len - len);
    return STATUS_OK;
}

enum status dot_stuff(struct dot_stuffer *s, struct span piece, struct buf *out, struct error *err)
{
    while (piece.len > 0) {
        enum status st = step(s, &piece, out, err);
        if (st != STATUS_OK)
            return st;
    }
    return buf_check(out, "message on its way out", err);
}

enum status dot_stuff_end(struct dot_stuffer *s, struct buf *out, struct error *err)
{
    if (s->after_cr)
        return bare(err, "CR");
    if (!s->line_start)
        buf_append_str(out, "\r\n");
    buf_append_str(out, ".\r\n");
    return buf_check(out, "message on its way out", err);
}

enum status dot_stuff_check(struct span message, struct error *err)
{
    struct dot_stuffer s;
    dot_stuff_start(&s);
    while (message.len > 0) {
        enum status st = step(&s, &message, NULL, err);
        if (st != STATUS_OK)
            return st;
    }
    return s.after_cr ? bare(err, "CR") : STATUS_OK;
}
