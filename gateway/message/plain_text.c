#include "gateway/message/plain_text.h"

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

bool plain_text_find(const struct message_parts *parts, struct plain_text *text_out)
{
    enum entity_encoding encoding;
    *text_out = (struct plain_text){0};
    if (!read_type(parts->header, text_out->charset) || !entity_encoding(parts->header, &encoding))
        return false;
    bool good = entity_decode(parts->body, encoding, &text_out->decoded, &text_out->text);
    if (!good)
        buf_free(&text_out->decoded);
    return good;
}

void plain_text_free(struct plain_text *text)
{
    buf_free(&text->decoded);
}
