#include "gateway/wire/reply_parse.h"

#include <stdio.h>
#include <string.h>

void reply_parse_start(struct reply_parser *p)
{
    p->code = 0;
    p->n_lines = 0;
    p->enhanced[0] = '\0';
    p->len = 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One to three digits; returns how many. */
static size_t digits(struct span s)
{
    size_t n = 0;
    while (n < s.len && n < 4 && is_digit(s.p[n]))
        n++;
    return n <= 3 ? n : 0;
}

/* RFC 2034 §4: the status code comes first, and its class is the reply code's first digit. */
static void take_enhanced(struct reply_parser *p, struct span text)
{
    if (text.len < 5 || text.p[0] != '0' + p->code / 100 || text.p[0] == '3' || text.p[1] != '.')
        return;
    size_t subject = digits(span_of(text.p + 2, text.len - 2));
    size_t dot = 2 + subject;
    if (subject == 0 || dot >= text.len || text.p[dot] != '.')
        return;
    size_t detail = digits(span_of(text.p + dot + 1, text.len - dot - 1));
    size_t end = dot + 1 + detail;
    if (detail == 0 || (end < text.len && text.p[end] != ' '))
        return;
    memcpy(p->enhanced, text.p, end);
    p->enhanced[end] = '\0';
}

static void keep(struct reply_parser *p, struct span text)
{
    size_t room = sizeof p->text - p->len;
    if (room == 0)
        return;
    if (text.len > room - 1)
        text.len = room - 1;
    if (text.len > 0)
        memcpy(p->text + p->len, text.p, text.len);
    p->len += text.len;
    p->text[p->len++] = '\n';
}

static enum status bad_reply(struct span line, struct error *err)
{
    char shown[100];
    reply_escape(line, shown, sizeof shown);
    return error_set(err, STATUS_INVALID, "the server sent \"%s\", which is no SMTP reply", shown);
}

static enum status take_line(struct reply_parser *p, struct span line, bool *last_out, struct error *err)
{
    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    if (line.len < 3 || line.p[0] < '2' || line.p[0] > '5' || !is_digit(line.p[1]) || !is_digit(line.p[2]))
        return bad_reply(line, err);
    if (line.len > 3 && line.p[3] != ' ' && line.p[3] != '-')
        return bad_reply(line, err);
    int code = (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0');
    if (p->n_lines > 0 && code != p->code) {
        int first = p->code;
        p->code = 0; /* it says neither */
        return error_set(err, STATUS_INVALID, "the server changed its reply from %d to %d within one reply",
                         first, code);
    }
    p->code = code;
    p->n_lines++;
    struct span text = line.len > 4 ? span_of(line.p + 4, line.len - 4) : span_of(NULL, 0);
    take_enhanced(p, text);
    keep(p, text);
    *last_out = line.len == 3 || line.p[3] == ' ';
    if (!*last_out && p->n_lines >= REPLY_LINES_MAX)
        return error_set(err, STATUS_INVALID, "the server sent a reply of more than %d lines",
                         REPLY_LINES_MAX);
    return STATUS_OK;
}

enum status reply_parse(struct reply_parser *p, struct span input, size_t *consumed_out, bool *done_out,
                        struct error *err)
{
    struct span rest = input;

    *consumed_out = 0;
    *done_out = false;
    while (!*done_out) {
        const char *lf = rest.len ? memchr(rest.p, '\n', rest.len) : NULL;
        size_t len = lf ? (size_t)(lf - rest.p) + 1 : rest.len + 1;
        if (len > REPLY_LINE_MAX)
            return error_set(err, STATUS_INVALID, "the server sent a line of more than %d bytes",
                             REPLY_LINE_MAX);
        if (!lf)
            return STATUS_OK;
        enum status st = take_line(p, span_of(rest.p, len - 1), done_out, err);
        if (st != STATUS_OK)
            return st;
        *consumed_out += len;
        rest = span_of(rest.p + len, rest.len - len);
    }
    return STATUS_OK;
}

void reply_escape(struct span s, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = c >= ' ' && c < 0x7f;
        if (n + (plain ? 1 : 4) >= size)
            break;
        if (plain)
            out[n++] = (char)c;
        else
            n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
    }
    out[n] = '\0';
}

void reply_parse_text(const struct reply_parser *p, char out[REPLY_TEXT_MAX + 1])
{
    size_t n = (size_t)snprintf(out, REPLY_TEXT_MAX + 1, "%d", p->code);
    for (size_t at = 0; at < p->len && n < REPLY_TEXT_MAX - 1;) {
        const char *lf = memchr(p->text + at, '\n', p->len - at);
        struct span line = span_of(p->text + at, (size_t)(lf - p->text) - at);
        at += line.len + 1;
        if (line.len == 0)
            continue;
        out[n++] = ' ';
        reply_escape(line, out + n, REPLY_TEXT_MAX + 1 - n);
        n += strlen(out + n);
    }
}
