#include "gateway/delivery/dsn_address.h"

#include <string.h>
#include <strings.h>

static bool is_printable(unsigned code)
{
    return code >= ' ' && code < 0x7f;
}

/* The character at *P, which moves behind it; 0, and one byte on, for what is no UTF-8 (RFC 3629 §4). */
static unsigned take_character(const unsigned char **p)
{
    static const unsigned smallest[] = {0, 0x80, 0x800, 0x10000};
    unsigned lead = *(*p)++;
    unsigned extra = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    unsigned code = lead & (0x3fu >> extra);
    if (lead < 0x80)
        return lead;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    for (unsigned i = 0; i < extra; i++) {
        if (((*p)[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | ((*p)[i] & 0x3fu);
    }
    if (code < smallest[extra] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *p += extra;
    return code;
}

/* ESCAPED: printable characters that are not to stand for themselves. */
static void put_embedded(struct buf *out, const char *s, const char *escaped)
{
    const unsigned char *p = (const unsigned char *)s;
    while (*p) {
        unsigned code = take_character(&p);
        if (code == 0)
            buf_append_char(out, '?');
        else if (is_printable(code) && !strchr(escaped, (int)code))
            buf_append_char(out, (char)code);
        else
            buf_printf(out, "\\x{%X}", code);
    }
}

void dsn_put_seven_bit(struct buf *out, const char *s)
{
    put_embedded(out, s, "");
}

bool dsn_is_printable(const char *s)
{
    for (; *s; s++)
        if (!is_printable((unsigned char)*s))
            return false;
    return true;
}

void dsn_put_address(struct buf *out, const char *address)
{
    if (dsn_is_printable(address)) {
        buf_printf(out, "rfc822; %s", address);
        return;
    }
    buf_append_str(out, "utf-8; ");
    put_embedded(out, address, " \\+=");
}

void dsn_put_shown(struct buf *out, const char *address)
{
    const unsigned char *p = (const unsigned char *)address;
    while (*p) {
        const unsigned char *start = p;
        unsigned code = take_character(&p);
        if (is_printable(code) || code >= 0xa0)
            buf_append(out, start, (size_t)(p - start));
        else
            buf_append_char(out, '?');
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool dsn_put_xtext(struct buf *out, const char *xtext)
{
    struct buf decoded;
    bool good = *xtext != '\0';
    buf_init(&decoded, strlen(xtext));
    for (const char *c = xtext; *c && good; c++) {
        int code = (unsigned char)*c;
        if (*c == '+') {
            int high = hex_digit(c[1]), low = high < 0 ? -1 : hex_digit(c[2]);
            code = low < 0 ? -1 : high * 16 + low;
            c += low < 0 ? 0 : 2;
        }
        good = code >= 0 && is_printable((unsigned)code);
        buf_append_char(&decoded, (char)code);
    }
    if (good)
        buf_append_span(out, buf_span(&decoded));
    buf_free(&decoded);
    return good;
}

bool dsn_put_orcpt(struct buf *out, const char *orcpt)
{
    struct buf field;
    const char *semicolon = strchr(orcpt, ';');
    size_t len = semicolon ? (size_t)(semicolon - orcpt) + 1 : 0;
    bool good = len > 1 && strcspn(orcpt, " \t\r\n") >= len;
    buf_init(&field, 8 * strlen(orcpt) + 1);
    if (good) {
        buf_append(&field, orcpt, len);
        if (strncasecmp(orcpt, "utf-8;", len) == 0)
            dsn_put_seven_bit(&field, semicolon + 1); /* RFC 6533 §3: no xtext inside */
        else
            good = dsn_put_xtext(&field, semicolon + 1);
        buf_append_char(&field, '\0');
        good = good && !field.failed && dsn_is_printable((const char *)field.data);
    }
    if (good)
        buf_append(out, field.data, field.len - 1);
    buf_free(&field);
    return good;
}
