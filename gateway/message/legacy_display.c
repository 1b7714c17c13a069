#include "gateway/message/legacy_display.h"

#include <gmime/gmime.h>
#include <stdlib.h>

#include "gateway/message/decode.h"
#include "gateway/message/entity.h"
#include "gateway/message/multipart.h"
#include "gateway/message/protect_outer.h"

#define DEPTH_MAX 8
#define TEXT_MAX (1u << 20)

/* The part looked at. */
struct part {
    struct span header, body;
    const struct content_type *type; /* NULL: it has none, so text/plain in us-ascii */
};

/* ---- which part ---- */

static bool may_descend(const struct content_type *type)
{
    return content_type_is(type, "multipart", "mixed") || content_type_is(type, "multipart", "related") ||
           content_type_is(type, "multipart", "alternative");
}

static bool find_first(const struct part *multipart, struct message_parts *parts_out)
{
    struct span boundary, preamble, first, at = multipart->body;
    if (!multipart_boundary(multipart->type, &boundary) ||
        multipart_next(&at, boundary, &preamble) != MULTIPART_OPEN ||
        multipart_next(&at, boundary, &first) == MULTIPART_NONE)
        return false;
    message_split(first, parts_out);
    return parts_out->separator.len > 0;
}

static bool find_text(struct part *part, struct legacy_display *display)
{
    for (unsigned depth = 0; depth < DEPTH_MAX; depth++) {
        struct message_parts inner;
        bool found;
        if (!part->type || content_type_is(part->type, "text", "plain"))
            return entity_is_shown(part->header, part->type);
        if (!may_descend(part->type) || !find_first(part, &inner) ||
            !content_type_find(inner.header, &display->type_field, &display->type, &found) || !found)
            return false;
        *part = (struct part){.header = inner.header, .body = inner.body, .type = &display->type};
        display->at_root = false;
    }
    return false;
}

/* ---- what it shows ---- */

static bool is_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text > 0x7e)
            return false;
    return true;
}

/* RFC 9788 §5.2.2: a line "Subject: …" for each field that the outside does not show as it is, an empty line.
 */
static void collect(const struct protect_order *order, struct legacy_display *display, GString *lines)
{
    struct span at = order->parts->header;
    struct header_field field;
    while (header_next(&at, &field)) {
        if (!protect_outer_hides(order, &field))
            continue;
        char *text = header_decode(field.value);
        g_strdelimit(text, "\r\n", ' ');
        g_string_append_printf(lines, "%.*s: %s\n", (int)field.name.len, field.name.p, text);
        free(text);
        display->n++;
    }
    g_string_append_c(lines, '\n');
}

static bool charset_can(const struct part *part, const char *text)
{
    struct span charset = part->type ? content_type_parameter(part->type, "charset") : span_of(NULL, 0);
    if (is_ascii(text))
        return entity_extends_ascii(charset);
    return span_is(charset, "utf-8") || span_is(charset, "utf8");
}

static void append_crlf(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            buf_append_char(out, '\r');
        buf_append_char(out, *text);
    }
}

/* Whole groups of three bytes, so that what follows decodes as before: filled up behind the first field's
 * colon. */
static void append_base64(struct buf *out, const char *lines)
{
    const char *value = strchr(lines, ':') + 1;
    struct buf text;
    buf_init(&text, TEXT_MAX);
    append_crlf(&text, lines);
    size_t missing = (3 - text.len % 3) % 3;
    buf_reset(&text);
    buf_printf(&text, "%.*s%*s", (int)(value - lines), lines, (int)missing, "");
    append_crlf(&text, value);
    char *base64 = g_base64_encode(text.data, text.len);
    for (size_t i = 0, len = strlen(base64); i < len; i += 76)
        buf_printf(out, "%.76s\r\n", base64 + i);
    out->failed = out->failed || text.failed;
    g_free(base64);
    buf_free(&text);
}

static void append_quoted(struct buf *out, const char *text)
{
    GMimeEncoding encoder;
    g_mime_encoding_init_encode(&encoder, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    char *encoded = g_malloc(g_mime_encoding_outlen(&encoder, strlen(text)) + 1);
    size_t len = g_mime_encoding_flush(&encoder, text, strlen(text), encoded);
    encoded[len] = '\0';
    append_crlf(out, encoded);
    g_free(encoded);
}

/* LINES: at least one. False: the part's encoding has no place for them. */
static bool encode(const struct part *part, const char *lines, struct buf *out)
{
    enum entity_encoding encoding;
    if (!entity_encoding(part->header, &encoding))
        return false;
    switch (encoding) {
    case ENTITY_7BIT:
    case ENTITY_8BIT:
        append_crlf(out, lines);
        break;
    case ENTITY_QUOTED_PRINTABLE:
        append_quoted(out, lines);
        break;
    case ENTITY_BASE64:
        append_base64(out, lines);
        break;
    }
    return !out->failed && (encoding != ENTITY_7BIT || is_ascii(lines));
}

void legacy_display_find(const struct protect_order *order, const struct content_type *type,
                         struct legacy_display *display_out)
{
    struct part part = {.header = order->parts->header, .body = order->parts->body, .type = type};
    *display_out = (struct legacy_display){.at_root = true};
    buf_init(&display_out->text, TEXT_MAX);
    if (order->policy == PROTECT_HCP_NONE || !find_text(&part, display_out))
        return;
    GString *lines = g_string_new(NULL);
    collect(order, display_out, lines);
    if (display_out->n == 0 || !charset_can(&part, lines->str) ||
        !encode(&part, lines->str, &display_out->text))
        display_out->n = 0;
    display_out->body = part.body;
    g_string_free(lines, TRUE);
}

void legacy_display_free(struct legacy_display *display)
{
    buf_free(&display->text);
}
