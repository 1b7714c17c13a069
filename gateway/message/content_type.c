#include "gateway/message/content_type.h"

#include "gateway/message/mime_token.h"

static bool is_text(char c)
{
    return c != '\0' && (unsigned char)c < 0x7f;
}

/* RFC 822's quoted-string in ASCII; a backslash takes the next character. */
static bool take_quoted(struct span *at, struct span *value_out)
{
    span_skip(at, 1);
    *value_out = span_of(at->p, 0);
    while (at->len > 0 && at->p[0] != '"') {
        size_t n = at->p[0] == '\\' ? 2 : 1;
        if (n > at->len || !is_text(at->p[0]) || !is_text(at->p[n - 1]))
            return false;
        value_out->len += n;
        span_skip(at, n);
    }
    if (at->len == 0)
        return false;
    span_skip(at, 1);
    return true;
}

static bool take_value(struct span *at, struct span *value_out)
{
    if (at->len > 0 && at->p[0] == '"')
        return take_quoted(at, value_out);
    *value_out = mime_take_token(at, false);
    return value_out->len > 0;
}

static bool is_repeated(const struct content_type *type, struct span name)
{
    for (size_t i = 0; i < type->n; i++)
        if (type->parameters[i].name.len == name.len &&
            strncasecmp(type->parameters[i].name.p, name.p, name.len) == 0)
            return true;
    return false;
}

/* Behind a semicolon. */
static bool take_parameter(struct span *at, struct span start, struct content_type *type)
{
    struct content_parameter p = {.name = mime_take_token(at, false)};
    if (p.name.len == 0 || memchr(p.name.p, '*', p.name.len) || type->n == CONTENT_TYPE_PARAMETERS_MAX)
        return false;
    mime_skip_blanks(at);
    if (at->len == 0 || at->p[0] != '=')
        return false;
    span_skip(at, 1);
    mime_skip_blanks(at);
    if (!take_value(at, &p.value) || is_repeated(type, p.name))
        return false;
    p.whole = span_of(start.p, (size_t)(at->p - start.p));
    type->parameters[type->n++] = p;
    type->end = span_of(at->p, 0);
    return true;
}

bool content_type_read(struct span value, struct content_type *type_out)
{
    struct span at = value;
    *type_out = (struct content_type){0};
    mime_skip_blanks(&at);
    type_out->type = mime_take_token(&at, false);
    if (at.len == 0 || at.p[0] != '/')
        return false;
    span_skip(&at, 1);
    type_out->subtype = mime_take_token(&at, false);
    type_out->end = span_of(at.p, 0);
    if (type_out->type.len == 0 || type_out->subtype.len == 0)
        return false;
    for (;;) {
        mime_skip_blanks(&at);
        struct span start = at;
        if (at.len == 0)
            return true;
        if (at.p[0] != ';')
            return false;
        span_skip(&at, 1);
        mime_skip_blanks(&at);
        /* A semicolon that nothing follows ends many a field. */
        if (at.len == 0)
            return true;
        if (!take_parameter(&at, start, type_out))
            return false;
    }
}

bool content_type_find(struct span header, struct header_field *field_out, struct content_type *type_out,
                       bool *found_out)
{
    struct header_field again;
    *found_out = header_find(header, "Content-Type", 0, field_out);
    if (!*found_out)
        return true;
    return !header_find(header, "Content-Type", 1, &again) && content_type_read(field_out->value, type_out);
}

bool content_type_is(const struct content_type *type, const char *name, const char *subtype)
{
    return span_is(type->type, name) && span_is(type->subtype, subtype);
}

struct span content_type_parameter(const struct content_type *type, const char *name)
{
    for (size_t i = 0; i < type->n; i++)
        if (span_is(type->parameters[i].name, name))
            return type->parameters[i].value;
    return span_of(NULL, 0);
}
