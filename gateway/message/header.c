#include "gateway/message/header.h"

#include "gateway/wire/ascii.h"

struct span message_line(struct span *at)
{
    const char *end = at->len > 0 ? memchr(at->p, '\n', at->len) : NULL;
    size_t len = end ? (size_t)(end - at->p) + 1 : at->len;
    struct span line = span_of(at->p, len);
    at->p = len > 0 ? at->p + len : at->p;
    at->len -= len;
    return line;
}

static struct span without_line_end(struct span s)
{
    if (s.len > 0 && s.p[s.len - 1] == '\n')
        s.len--;
    if (s.len > 0 && s.p[s.len - 1] == '\r')
        s.len--;
    return s;
}

bool message_line_is_empty(struct span line)
{
    return (line.len == 1 && line.p[0] == '\n') || (line.len == 2 && line.p[0] == '\r' && line.p[1] == '\n');
}

static bool is_wsp(char c)
{
    return c == ' ' || c == '\t';
}

void message_split(struct span message, struct message_parts *parts_out)
{
    struct span at = message;
    while (at.len > 0) {
        struct span line = message_line(&at);
        if (!message_line_is_empty(line))
            continue;
        *parts_out = (struct message_parts){
            .header = span_of(message.p, (size_t)(line.p - message.p)), .separator = line, .body = at};
        return;
    }
    struct span end = span_of(at.p, 0);
    *parts_out = (struct message_parts){.header = message, .separator = end, .body = end};
}

/*
 * The field name in a line, or an empty span. White space before the colon is obsolete syntax that readers
 * still accept (RFC 5322 §4.5.3): "Bcc :" is Bcc.
 */
static struct span field_name(struct span line)
{
    const struct span none = span_of(line.p, 0);
    const char *colon = line.len > 0 ? memchr(line.p, ':', line.len) : NULL;
    if (!colon)
        return none;
    struct span name = span_of(line.p, (size_t)(colon - line.p));
    while (name.len > 0 && is_wsp(name.p[name.len - 1]))
        name.len--;
    for (size_t i = 0; i < name.len; i++) {
        if (name.p[i] <= ' ' || name.p[i] > '~')
            return none;
    }
    return name;
}

bool header_next(struct span *at, struct header_field *field_out)
{
    if (at->len == 0)
        return false;
    struct span line = message_line(at);
    struct span raw = line;
    while (at->len > 0 && is_wsp(at->p[0]))
        raw.len += message_line(at).len;

    struct span name = field_name(line);
    struct span value = span_of(raw.p, 0);
    if (name.len > 0) {
        const char *colon = memchr(raw.p, ':', raw.len);
        value = without_line_end(span_of(colon + 1, (size_t)(raw.p + raw.len - colon - 1)));
    }
    *field_out = (struct header_field){.raw = raw, .name = name, .value = value};
    return true;
}

bool header_find(struct span header, const char *name, size_t nth, struct header_field *field_out)
{
    while (header_next(&header, field_out)) {
        if (!span_is(field_out->name, name))
            continue;
        if (nth == 0)
            return true;
        nth--;
    }
    return false;
}

void header_append(struct span raw, struct buf *out)
{
    buf_append_span(out, raw);
    if (raw.len == 0 || raw.p[raw.len - 1] != '\n')
        buf_append_str(out, "\r\n");
}

/* Are the letters before the first colon NAME? */
static bool spells(struct span line, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < line.len; i++) {
        if (line.p[i] == ':')
            return name[n] == '\0';
        if (!ascii_is_letter(line.p[i]))
            continue;
        /* Letters differ from their other case in one bit. */
        if (name[n] == '\0' || (line.p[i] | 0x20) != (name[n] | 0x20))
            return false;
        n++;
    }
    return false;
}

bool header_line_passes_for(struct span raw, const char *name)
{
    while (raw.len > 0)
        if (spells(message_line(&raw), name))
            return true;
    return false;
}

void header_unfold(struct span value, struct buf *out)
{
    value = span_trim(value);
    while (value.len > 0)
        buf_append_span(out, without_line_end(message_line(&value)));
}
