#include "smime/content_type.h"

static void skip_space(struct span *text)
{
    while (text->len > 0 && memchr(" \t\r\n", text->p[0], 4)) {
        *text = span_of(text->p + 1, text->len - 1);
    }
}

static bool take_char(struct span *text, char c)
{
    skip_space(text);
    if (text->len == 0 || text->p[0] != c) {
        return false;
    }
    *text = span_of(text->p + 1, text->len - 1);
    skip_space(text);
    return true;
}

static struct span take_token(struct span *text)
{
    size_t len = 0;
    while (len < text->len && text->p[len] > ' ' && text->p[len] < 0x7f &&
           !memchr("()<>@,;:\\\"[]?=", text->p[len], 14)) {
        len++;
    }
    struct span token = span_of(text->p, len);
    *text = span_of(text->p + len, text->len - len);
    return token;
}

/* A quoted string or a token, unquoted into OUT. False: neither. */
static bool take_value(struct span *text, struct buf *out)
{
    buf_reset(out);
    if (text->len == 0 || text->p[0] != '"') {
        buf_append_span(out, take_token(text));
        return out->len > 0;
    }
    size_t i = 1;
    for (; i < text->len && text->p[i] != '"'; i++) {
        if (text->p[i] == '\\' && i + 1 < text->len) {
            i++;
        }
        if (text->p[i] == '\0') {
            return false;
        }
        buf_append_char(out, text->p[i]);
    }
    bool closed = i < text->len;
    *text = span_of(text->p + i + closed, text->len - i - closed);
    return closed;
}

bool smime_content_type_parameter(struct span parameters, const char *name, struct buf *out)
{
    struct buf value;
    bool good = true;
    bool found = false;
    buf_init(&value, SMIME_CONTENT_TYPE_MAX);
    while (good && take_char(&parameters, ';')) {
        struct span key = take_token(&parameters);
        if (key.len == 0 && parameters.len == 0) {
            break; /* some write a ";" at the end */
        }
        good = key.len > 0 && take_char(&parameters, '=') && take_value(&parameters, &value) && !value.failed;
        if (good && span_is(key, name)) {
            good = !found;
            found = true;
            buf_reset(out);
            buf_append_span(out, buf_span(&value));
        }
    }
    buf_free(&value);
    skip_space(&parameters);
    return good && parameters.len == 0 && !out->failed;
}

struct span smime_content_type_take(struct span *field)
{
    skip_space(field);
    return take_token(field);
}
