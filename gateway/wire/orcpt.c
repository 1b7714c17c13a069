#include "gateway/wire/orcpt.h"

#include "base/utf8.h"
#include "gateway/wire/ascii.h"
#include "gateway/wire/xtext.h"

/* Bytes of "\x{" and of the longest code point in it. */
#define ESCAPE_HEAD 3
#define HEX_MAX 6

/* What stands as it is: printable, and none of the signs that mean something in a parameter or here (QUCHAR).
 */
static bool is_plain(uint32_t c)
{
    return !utf8_is_control(c) && c != ' ' && c != '\\' && c != '+' && c != '=';
}

/* HEXPOINT stands for a space, for a sign that may not stand as it is, or for a character beyond ASCII. */
static bool may_be_escaped(uint32_t c, size_t digits)
{
    bool shortest = digits == (c < 0x100 ? 2 : c < 0x1000 ? 3 : c < 0x10000 ? 4 : c < 0x100000 ? 5 : 6);
    bool surrogate = c >= 0xd800 && c <= 0xdfff;
    return shortest && !surrogate && c <= 0x10ffff && !utf8_is_control(c) && (c > 0x7f || !is_plain(c));
}

/* Takes "\x{HEXPOINT}" from the front of *TEXT. */
static bool take_escape(struct span *text)
{
    uint32_t c = 0;
    size_t digits = 0;
    if (!(text->len > ESCAPE_HEAD && text->p[0] == '\\' && text->p[1] == 'x' && text->p[2] == '{'))
        return false;
    struct span rest = span_of(text->p + ESCAPE_HEAD, text->len - ESCAPE_HEAD);
    while (digits <= HEX_MAX && digits < rest.len && ascii_hex_value(rest.p[digits]) >= 0)
        c = c << 4 | (uint32_t)ascii_hex_value(rest.p[digits++]);
    if (digits > HEX_MAX || digits >= rest.len || rest.p[digits] != '}' || !may_be_escaped(c, digits))
        return false;
    *text = span_of(rest.p + digits + 1, rest.len - digits - 1);
    return true;
}

/* Takes one character, escaped or not, from the front of *TEXT. */
static bool take_character(struct span *text, bool *eight_bit)
{
    uint32_t c;
    if (text->p[0] == '\\')
        return take_escape(text);
    if (!utf8_next(text, &c) || !is_plain(c))
        return false;
    *eight_bit |= c > 0x7f;
    return true;
}

static bool is_utf8_address(struct span text, bool *eight_bit_out)
{
    bool valid = text.len > 0;
    while (valid && text.len > 0)
        valid = take_character(&text, eight_bit_out);
    return valid;
}

static bool fits_in_ascii(struct span value)
{
    struct buf ascii;
    buf_init(&ascii, ORCPT_MAX);
    orcpt_append_ascii(value, &ascii);
    bool fits = !ascii.failed;
    buf_free(&ascii);
    return fits;
}

static bool is_atom(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!ascii_is_atext(text.p[i]))
            return false;
    return text.len > 0;
}

bool orcpt_is_valid(struct span value, bool *eight_bit_out)
{
    *eight_bit_out = false;
    const char *semicolon = value.len ? memchr(value.p, ';', value.len) : NULL;
    if (!semicolon || value.len > ORCPT_MAX)
        return false;
    struct span type = span_of(value.p, (size_t)(semicolon - value.p));
    struct span address = span_of(semicolon + 1, value.len - type.len - 1);
    if (span_is(type, "utf-8"))
        return is_utf8_address(address, eight_bit_out) && (!*eight_bit_out || fits_in_ascii(value));
    return is_atom(type) && xtext_is_valid(address);
}

void orcpt_append_ascii(struct span value, struct buf *out)
{
    uint32_t c;
    while (value.len > 0 && utf8_next(&value, &c)) {
        if (c < 0x80)
            buf_append_char(out, (char)c);
        else
            buf_printf(out, "\\x{%02X}", (unsigned)c);
    }
}
