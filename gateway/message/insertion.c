#include "gateway/message/insertion.h"

#include <gmime/gmime.h>

#define LINE_MAX_LEN 998 /* RFC 5322 §2.1.1, without CRLF */
#define BASE64_LINE 76   /* RFC 2045 §6.8 */
#define MADE_MAX (1u << 20)

/* ---- base64 ---- */

/* Where the Nth character (from 0) stands, blanks not counted; the end when there are fewer. */
static size_t base64_offset(struct span body, size_t n)
{
    size_t i = 0;
    for (; i < body.len; i++)
        if (!strchr(" \t\r\n", body.p[i]) && n-- == 0)
            break;
    return i;
}

/* The group of three bytes that AT splits is opened; without one CUT is empty. */
static bool open_group(struct span body, size_t at, struct span *cut_out, struct buf *group)
{
    size_t start = base64_offset(body, at / 3 * 4);
    size_t end = at % 3 == 0 ? start : base64_offset(body, at / 3 * 4 + 4);
    *cut_out = span_of(body.p + start, end - start);
    return at % 3 == 0 || (entity_decode_base64(*cut_out, group) && group->len >= at % 3);
}

/* Filled up to whole groups, so that what follows decodes as before. */
static void append_filled(const struct insertion *insertion, size_t missing, struct buf *out)
{
    struct span text = insertion->text;
    buf_append(out, text.p, insertion->fill_at);
    buf_printf(out, "%*s", (int)missing, "");
    buf_append(out, text.p + insertion->fill_at, text.len - insertion->fill_at);
}

static bool insert_base64(struct span body, const struct insertion *insertion, struct buf *out,
                          struct span *cut_out)
{
    size_t before = insertion->at % 3;
    struct buf group, plain;
    buf_init(&group, body.len + 64);
    buf_init(&plain, MADE_MAX);
    bool good = open_group(body, insertion->at, cut_out, &group);
    if (good) {
        buf_append(&plain, group.data, before);
        append_filled(insertion, (3 - (insertion->text.len + group.len) % 3) % 3, &plain);
        buf_append(&plain, group.data ? group.data + before : NULL, group.len - before);
        char *base64 = g_base64_encode(plain.data, plain.len);
        if (cut_out->p > body.p && cut_out->p[-1] != '\n')
            buf_append_str(out, "\r\n");
        for (size_t i = 0, len = strlen(base64); i < len; i += BASE64_LINE)
            buf_printf(out, "%.*s\r\n", BASE64_LINE, base64 + i);
        g_free(base64);
        good = !plain.failed;
    }
    buf_free(&group);
    buf_free(&plain);
    return good;
}

/* ---- quoted-printable ---- */

/* Behind what stands for the first N decoded bytes. */
static size_t quoted_offset(struct span body, size_t n)
{
    GMimeEncoding decoder;
    char decoded[16];
    size_t i = 0;
    g_mime_encoding_init_decode(&decoder, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    for (size_t len = 0; len < n && i < body.len; i++)
        len += g_mime_encoding_step(&decoder, body.p + i, 1, decoded);
    return i;
}

/* A soft line break ends what does not end with a line, so that the line that goes on does not become too
 * long. */
static void append_quoted(struct span text, struct buf *out)
{
    GMimeEncoding encoder;
    struct buf lines;
    buf_init(&lines, text.len);
    for (size_t i = 0; i < text.len; i++)
        if (text.p[i] != '\r')
            buf_append_char(&lines, text.p[i]);
    g_mime_encoding_init_encode(&encoder, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    char *encoded = g_malloc(g_mime_encoding_outlen(&encoder, lines.len));
    size_t len = g_mime_encoding_flush(&encoder, (const char *)lines.data, lines.len, encoded);
    for (size_t i = 0; i < len; i++) {
        if (encoded[i] == '\n')
            buf_append_char(out, '\r');
        buf_append_char(out, encoded[i]);
    }
    if (len > 0 && encoded[len - 1] != '\n')
        buf_append_str(out, "=\r\n");
    out->failed = out->failed || lines.failed;
    g_free(encoded);
    buf_free(&lines);
}

/* ---- 7bit and 8bit ---- */

static bool has_place(struct span text, bool ascii)
{
    size_t line = 0;
    for (size_t i = 0; i < text.len; i++) {
        line = text.p[i] == '\n' ? 0 : line + 1;
        if (line > LINE_MAX_LEN + 1 || (ascii && (unsigned char)text.p[i] > 0x7e))
            return false;
    }
    return true;
}

/* ---- both ways ---- */

bool insertion_decode(struct span body, enum entity_encoding encoding, size_t max, struct buf *decoded,
                      struct span *text_out, bool *whole_out)
{
    size_t len = body.len <= max ? body.len : max;
    if (encoding == ENTITY_BASE64)
        len = base64_offset(body, body.len <= max ? body.len : max / 4 * 4);
    *whole_out = len == body.len;
    return entity_decode(span_of(body.p, len), encoding, decoded, text_out);
}

bool insertion_make(struct span body, enum entity_encoding encoding, const struct insertion *insertion,
                    struct buf *out, struct span *cut_out)
{
    size_t start = out->len, at = insertion->at;
    if (encoding == ENTITY_BASE64)
        return insert_base64(body, insertion, out, cut_out) && !out->failed;
    if (encoding == ENTITY_QUOTED_PRINTABLE) {
        at = quoted_offset(body, at);
        append_quoted(insertion->text, out);
    } else {
        buf_append_span(out, insertion->text);
        if (!has_place(insertion->text, encoding == ENTITY_7BIT))
            return false;
    }
    *cut_out = span_of(body.p + at, 0);
    return !out->failed && !memmem(out->data + start, out->len - start, "\n--", 3);
}
