#include "gateway/wire/xtext.h"

#include "gateway/wire/ascii.h"

/* Takes one character from the front of *TEXT, which is not empty; '\0': not xtext, or not printable. */
static char next(struct span *text)
{
    char c = text->p[0];
    size_t len = 1;
    if (c == '=' || c == ' ')
        return '\0';
    if (c == '+') {
        int high = text->len > 2 ? ascii_hex_value(text->p[1]) : -1;
        int low = text->len > 2 ? ascii_hex_value(text->p[2]) : -1;
        if (high < 0 || low < 0)
            return '\0';
        c = (char)(high * 16 + low);
        len = 3;
    }
    *text = span_of(text->p + len, text->len - len);
    return ascii_is_printable(c) ? c : '\0';
}

bool xtext_is_valid(struct span text)
{
    bool valid = text.len > 0;
    while (valid && text.len > 0)
        valid = next(&text) != '\0';
    return valid;
}

bool xtext_decode(struct span text, struct buf *out)
{
    if (!xtext_is_valid(text))
        return false;
    while (text.len > 0)
        buf_append_char(out, next(&text));
    return !out->failed;
}
