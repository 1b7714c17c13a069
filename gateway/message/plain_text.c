#include "gateway/message/plain_text.h"

#include <gmime/gmime.h>
#include <stdio.h>

#include "gateway/message/entity.h"

/* The charset becomes a parameter of what stands outside: its name must be known. */
static bool read_type(struct span header, char charset[PLAIN_TEXT_CHARSET_SIZE])
{
    struct header_field field;
    struct content_type type;
    bool found;
    if (!content_type_find(header, &field, &type, &found) || !entity_is_shown(header, found ? &type : NULL))
        return false;
    struct span named = found ? content_type_parameter(&type, "charset") : span_of(NULL, 0);
    struct span name = named.p ? named : span_str("us-ascii");
    if ((found && !content_type_is(&type, "text", "plain")) || name.len == 0 ||
        name.len >= PLAIN_TEXT_CHARSET_SIZE || !entity_extends_ascii(name))
        return false;
    snprintf(charset, PLAIN_TEXT_CHARSET_SIZE, "%.*s", (int)name.len, name.p);
    return true;
}

static bool decode_quoted(struct span body, struct buf *decoded)
{
    GMimeEncoding decoder;
    g_mime_encoding_init_decode(&decoder, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    uint8_t *to = buf_reserve(decoded, g_mime_encoding_outlen(&decoder, body.len));
    if (to)
        buf_commit(decoded, g_mime_encoding_flush(&decoder, body.p ? body.p : "", body.len, (char *)to));
    return to != NULL;
}

bool plain_text_find(const struct message_parts *parts, struct plain_text *text_out)
{
    enum entity_encoding encoding;
    *text_out = (struct plain_text){.text = parts->body};
    if (!read_type(parts->header, text_out->charset) || !entity_encoding(parts->header, &encoding))
        return false;
    if (encoding == ENTITY_7BIT || encoding == ENTITY_8BIT)
        return true;
    buf_init(&text_out->decoded, parts->body.len + 64);
    bool good = encoding == ENTITY_BASE64 ? entity_decode_base64(parts->body, &text_out->decoded)
                                          : decode_quoted(parts->body, &text_out->decoded);
    if (good)
        text_out->text = buf_span(&text_out->decoded);
    else
        buf_free(&text_out->decoded);
    return good;
}

void plain_text_free(struct plain_text *text)
{
    buf_free(&text->decoded);
}
