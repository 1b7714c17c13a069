#include "gateway/message/plain_text.h"

#include <gmime/gmime.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/wire/ascii.h"

static bool once(struct span header, const char *name, struct header_field *field, bool *found_out)
{
    struct header_field again;
    *found_out = header_find(header, name, 0, field);
    return !header_find(header, name, 1, &again);
}

/* UTF-16 and its kin would put NUL bytes and bare line ends among what is sealed as text. */
static bool take_charset(const char *charset, char out[PLAIN_TEXT_CHARSET_SIZE])
{
    if (!charset)
        charset = "us-ascii";
    size_t len = strlen(charset);
    if (len == 0 || len >= PLAIN_TEXT_CHARSET_SIZE || strncasecmp(charset, "utf-16", 6) == 0 ||
        strncasecmp(charset, "utf-32", 6) == 0 || strncasecmp(charset, "ucs-", 4) == 0)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!ascii_is_letter(charset[i]) && !ascii_is_digit(charset[i]) && !strchr("-_.:+", charset[i]))
            return false;
    snprintf(out, PLAIN_TEXT_CHARSET_SIZE, "%s", charset);
    return true;
}

static bool read_type(struct span header, char charset[PLAIN_TEXT_CHARSET_SIZE])
{
    struct header_field field;
    bool found;
    struct buf value;
    if (!once(header, "Content-Type", &field, &found))
        return false;
    if (!found)
        return take_charset(NULL, charset);
    buf_init(&value, 1u << 16);
    header_unfold(field.value, &value);
    GMimeContentType *type = value.failed ? NULL : g_mime_content_type_parse(NULL, buf_str(&value));
    bool is = type && g_mime_content_type_is_type(type, "text", "plain") &&
              take_charset(g_mime_content_type_get_parameter(type, "charset"), charset);
    g_clear_object(&type);
    buf_free(&value);
    return is;
}

static bool read_encoding(struct span header, GMimeContentEncoding *encoding_out)
{
    struct header_field field;
    bool found;
    if (!once(header, "Content-Transfer-Encoding", &field, &found))
        return false;
    struct span value = found ? span_trim(field.value) : span_str("7bit");
    *encoding_out = GMIME_CONTENT_ENCODING_DEFAULT;
    if (span_is(value, "quoted-printable"))
        *encoding_out = GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE;
    else if (span_is(value, "base64"))
        *encoding_out = GMIME_CONTENT_ENCODING_BASE64;
    else
        return span_is(value, "7bit") || span_is(value, "8bit");
    return true;
}

static bool decode(struct span body, GMimeContentEncoding encoding, struct buf *decoded)
{
    GMimeEncoding decoder;
    g_mime_encoding_init_decode(&decoder, encoding);
    buf_init(decoded, body.len + 64);
    uint8_t *to = buf_reserve(decoded, g_mime_encoding_outlen(&decoder, body.len));
    if (to)
        buf_commit(decoded, g_mime_encoding_flush(&decoder, body.p ? body.p : "", body.len, (char *)to));
    return to != NULL;
}

bool plain_text_find(const struct message_parts *parts, struct plain_text *text_out)
{
    GMimeContentEncoding encoding;
    struct header_field field;
    *text_out = (struct plain_text){.text = parts->body};
    if (header_find(parts->header, "Content-Disposition", 0, &field) &&
        !span_starts(span_trim(field.value), "inline"))
        return false;
    if (!read_type(parts->header, text_out->charset) || !read_encoding(parts->header, &encoding))
        return false;
    if (encoding == GMIME_CONTENT_ENCODING_DEFAULT)
        return true;
    if (!decode(parts->body, encoding, &text_out->decoded)) {
        buf_free(&text_out->decoded);
        return false;
    }
    text_out->text = buf_span(&text_out->decoded);
    return true;
}

void plain_text_free(struct plain_text *text)
{
    buf_free(&text->decoded);
}
