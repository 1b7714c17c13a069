#include "gateway/message/entity.h"

#include <gmime/gmime.h>

/* ---- fields ---- */

bool entity_encoding(struct span header, enum entity_encoding *encoding_out)
{
    static const struct {
        const char *name;
        enum entity_encoding encoding;
    } names[] = {{"7bit", ENTITY_7BIT},
                 {"8bit", ENTITY_8BIT},
                 {"quoted-printable", ENTITY_QUOTED_PRINTABLE},
                 {"base64", ENTITY_BASE64}};
    struct header_field field, again;
    *encoding_out = ENTITY_7BIT;
    if (!header_find(header, "Content-Transfer-Encoding", 0, &field))
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!span_is(span_trim(field.value), names[i].name))
            continue;
        *encoding_out = names[i].encoding;
        return !header_find(header, "Content-Transfer-Encoding", 1, &again);
    }
    return false;
}

bool entity_is_shown(struct span header, const struct content_type *type)
{
    struct header_field field;
    if (type && content_type_parameter(type, "name").p)
        return false;
    while (header_next(&header, &field))
        if (span_is(field.name, "Content-Disposition") && !span_is(span_trim(field.value), "inline"))
            return false;
    return true;
}

/* Whole names, and families that a number follows. */
bool entity_extends_ascii(struct span charset)
{
    static const char *const names[] = {"us-ascii",  "ascii",  "utf-8",  "utf8",   "latin1",
                                        "macintosh", "gb2312", "gbk",    "big5",   "euc-jp",
                                        "euc-kr",    "euc-cn", "euc-tw", "tis-620"};
    static const char *const families[] = {"iso-8859-", "iso8859-", "windows-",  "cp125",
                                           "koi8-",     "gb18030",  "ks_c_5601-"};
    size_t letters = 0;
    if (charset.len == 0)
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (span_is(charset, names[i]))
            return true;
    while (letters < charset.len && (g_ascii_isalnum(charset.p[letters]) || strchr("-_", charset.p[letters])))
        letters++;
    for (size_t i = 0; i < G_N_ELEMENTS(families); i++)
        if (span_starts(charset, families[i]))
            return letters == charset.len;
    return false;
}

/* ---- base64 ---- */

/* Characters of the alphabet and blanks alone, whole groups, and nothing behind the padding. */
static bool is_base64(struct span body)
{
    size_t n = 0, pads = 0;
    for (size_t i = 0; i < body.len; i++) {
        char c = body.p[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (c == '=')
            pads++;
        else if (pads > 0 || (!g_ascii_isalnum(c) && c != '+' && c != '/'))
            return false;
        n++;
    }
    return n % 4 == 0 && pads <= 2;
}

bool entity_decode_base64(struct span body, struct buf *out)
{
    gint state = 0;
    guint save = 0;
    uint8_t *to = is_base64(body) ? buf_reserve(out, body.len / 4 * 3 + 3) : NULL;
    if (!to)
        return false;
    buf_commit(out, g_base64_decode_step(body.p ? body.p : "", body.len, to, &state, &save));
    return true;
}

/* ---- all encodings ---- */

static bool decode_quoted(struct span body, struct buf *decoded)
{
    GMimeEncoding decoder;
    g_mime_encoding_init_decode(&decoder, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    uint8_t *to = buf_reserve(decoded, g_mime_encoding_outlen(&decoder, body.len));
    if (to)
        buf_commit(decoded, g_mime_encoding_flush(&decoder, body.p ? body.p : "", body.len, (char *)to));
    return to != NULL;
}

bool entity_decode(struct span body, enum entity_encoding encoding, struct buf *decoded,
                   struct span *text_out)
{
    bool good = true;
    buf_init(decoded, body.len + 64);
    if (encoding == ENTITY_BASE64)
        good = entity_decode_base64(body, decoded);
    else if (encoding == ENTITY_QUOTED_PRINTABLE)
        good = decode_quoted(body, decoded);
    bool encoded = encoding == ENTITY_BASE64 || encoding == ENTITY_QUOTED_PRINTABLE;
    *text_out = encoded ? buf_span(decoded) : body;
    return good && !decoded->failed;
}
