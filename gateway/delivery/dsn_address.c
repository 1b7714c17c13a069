#include "gateway/delivery/dsn_address.h"

#include <string.h>

#include "base/utf8.h"
#include "gateway/wire/orcpt.h"
#include "gateway/wire/xtext.h"

bool dsn_is_printable(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f)
            return false;
    return true;
}

/* The next character; one byte on and false for what is no UTF-8. */
static bool take(struct span *text, uint32_t *c)
{
    if (utf8_next(text, c))
        return true;
    *text = span_of(text->p + 1, text->len - 1);
    return false;
}

/* RFC 6533 §3: QCHAR stand for themselves in utf-8-addr-xtext. */
static bool is_qchar(uint32_t c)
{
    return c > ' ' && c < 0x7f && c != '\\' && c != '+' && c != '=';
}

/* An address of which every byte is escaped would not fit into a line (RFC 5322 §2.1.1: 998 bytes). */
#define ADDRESS_SHOWN_MAX 900

void dsn_put_address(struct buf *out, const char *address)
{
    struct span rest = span_str(address);
    bool ascii = dsn_is_printable(address);
    uint32_t c;
    buf_append_str(out, ascii ? "rfc822; " : "utf-8; ");
    size_t start = out->len;
    while (rest.len > 0 && out->len - start < ADDRESS_SHOWN_MAX) {
        if (!take(&rest, &c))
            buf_append_char(out, '?');
        else if (ascii || is_qchar(c))
            buf_append_char(out, (char)c);
        else
            buf_printf(out, "\\x{%02X}", (unsigned)c);
    }
    /* Three dots end no address, so it is none even for who takes no notice of the comment. */
    if (rest.len > 0)
        buf_append_str(out, "... (shortened)");
}

void dsn_put_shown(struct buf *out, const char *address)
{
    struct span rest = span_str(address);
    uint32_t c;
    while (rest.len > 0) {
        const char *start = rest.p;
        if (take(&rest, &c) && !utf8_is_control(c))
            buf_append(out, start, (size_t)(rest.p - start));
        else
            buf_append_char(out, '?');
    }
}

bool dsn_put_orcpt(struct buf *out, const char *orcpt)
{
    struct span value = span_str(orcpt);
    bool eight_bit;
    if (!orcpt_is_valid(value, &eight_bit))
        return false;
    if (span_starts(value, "utf-8;")) {
        orcpt_append_ascii(value, out);
        return true;
    }
    size_t type = strcspn(orcpt, ";") + 1;
    buf_append(out, orcpt, type);
    return xtext_decode(span_of(orcpt + type, value.len - type), out);
}
