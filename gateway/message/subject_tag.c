#include "gateway/message/subject_tag.h"

#include <gmime/gmime.h>
#include <stdlib.h>

#include "gateway/message/decode.h"
#include "gateway/message/text_match.h"
#include "gateway/wire/ascii.h"
#include "gateway/wire/base64.h"

#define WORD_BYTES 39 /* of text in an encoded-word, so that "Subject: " fits in front (RFC 2047 §2) */
#define WORD_MAX 900  /* of a word in ASCII; no line may have more than 998 (RFC 5322 §2.1.1) */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- taking out ---- */

/* TEXT without PLACES and the white space that they leave doubled, or at the ends. */
static char *cut(const char *text, const struct text_place *places, size_t n)
{
    GString *rest = g_string_new(NULL);
    const char *at = text;
    for (size_t i = 0; i < n; i++) {
        g_string_append_len(rest, at, (gssize)(places[i].start - (size_t)(at - text)));
        at = text + places[i].end;
        while ((rest->len == 0 || is_space(rest->str[rest->len - 1])) && is_space(*at))
            at++;
    }
    g_string_append(rest, at);
    while (rest->len > 0 && is_space(rest->str[rest->len - 1]))
        g_string_truncate(rest, rest->len - 1);
    return g_string_free(rest, FALSE);
}

/* ---- writing ---- */

/* RFC 2047 §1: more than plain text in lines of a length that is allowed, or what would be decoded. */
static bool must_be_encoded(const char *text)
{
    size_t word = 0;
    for (const char *p = text; *p; p++) {
        word = *p == ' ' ? 0 : word + 1;
        if (!ascii_is_printable(*p) || word > WORD_MAX || (p[0] == '=' && p[1] == '?'))
            return true;
    }
    return false;
}

/* Whole characters, as many as fit in an encoded-word. */
static size_t word_length(const char *text)
{
    size_t len = strlen(text);
    if (len <= WORD_BYTES)
        return len;
    const char *end = g_utf8_find_prev_char(text, text + WORD_BYTES + 1);
    return (size_t)(end - text);
}

static void append_encoded(struct buf *out, const char *text)
{
    for (const char *separator = ""; *text; separator = "\r\n ") {
        size_t n = word_length(text);
        buf_printf(out, "%s=?UTF-8?B?", separator);
        base64_encode(span_of(text, n), out);
        buf_append_str(out, "?=");
        text += n;
    }
}

static void append_folded(struct buf *out, const char *name, const char *text)
{
    char *line = g_strdup_printf("%s: %s", name, text);
    char *folded = g_mime_utils_unstructured_header_fold(NULL, NULL, line);
    for (const char *p = folded + strlen(name) + 2; *p; p++) {
        if (*p == '\r' || (*p == '\n' && p[1] != ' ' && p[1] != '\t'))
            continue;
        if (*p == '\n')
            buf_append_char(out, '\r');
        buf_append_char(out, *p);
    }
    g_free(folded);
    g_free(line);
}

static void append_field(struct buf *out, struct span name, char *text)
{
    /* Encoded line ends must not become real ones. */
    g_strdelimit(text, "\r\n", ' ');
    char *copy = g_strndup(name.p, name.len);
    buf_printf(out, "%s: ", copy);
    if (must_be_encoded(text))
        append_encoded(out, text);
    else
        append_folded(out, copy, text);
    buf_append_str(out, "\r\n");
    g_free(copy);
}

static void strip(const struct header_field *field, const char *const *tags, size_t n, struct buf *out)
{
    struct text_place *places;
    char *text = header_decode(field->value);
    size_t n_places = text_places(text, tags, n, &places);
    if (n_places > 0) {
        char *rest = cut(text, places, n_places);
        append_field(out, field->name, rest);
        g_free(rest);
    } else {
        buf_append_span(out, field->raw);
    }
    free(places);
    free(text);
}

enum status subject_strip_tags(struct span header, const char *const *tags, size_t n, struct buf *out,
                               struct error *err)
{
    struct header_field field;
    while (header_next(&header, &field)) {
        if (span_is(field.name, "Subject"))
            strip(&field, tags, n, out);
        else
            buf_append_span(out, field.raw);
    }
    return buf_check(out, "the header without tags", err);
}
