#include "gateway/message/subject_tag.h"

#include <gmime/gmime.h>
#include <stdlib.h>

#include "gateway/message/decode.h"
#include "gateway/message/text_match.h"

/* Takes every place of TAG out of TEXT. True: there was one. */
static bool cut(GString *text, const char *tag)
{
    struct text_fold fold, wanted;
    size_t from = 0, start, end, kept = 0;
    bool any = false;
    text_fold_make(text->str, &fold);
    text_fold_make(tag, &wanted);
    GString *rest = g_string_new(NULL);
    while (text_fold_find(&fold, &wanted, &from, &start, &end)) {
        /* A character of which only a part matched (a ligature) is taken out once. */
        if (start > kept)
            g_string_append_len(rest, text->str + kept, (gssize)(start - kept));
        kept = end > kept ? end : kept;
        any = true;
    }
    g_string_append(rest, text->str + kept);
    g_string_assign(text, rest->str);
    g_string_free(rest, TRUE);
    text_fold_free(&fold);
    text_fold_free(&wanted);
    return any;
}

/* White space that now stands double, or at the ends. */
static void tidy(GString *text)
{
    char *to = text->str;
    for (const char *p = text->str; *p; p++) {
        bool space = *p == ' ' || *p == '\t' || *p == '\r' || *p == '\n';
        if (space && (to == text->str || to[-1] == ' '))
            continue;
        *to++ = space ? ' ' : *p;
    }
    while (to > text->str && to[-1] == ' ')
        to--;
    g_string_truncate(text, (gsize)(to - text->str));
}

/* RFC 2047 where it must be, folded (RFC 5322 §2.2.3), with CRLF. */
static void append_field(struct buf *out, struct span name, const char *text)
{
    char *encoded = g_mime_utils_header_encode_text(NULL, text, "utf-8");
    char *line = g_strdup_printf("%.*s: %s", (int)name.len, name.p, encoded);
    char *folded = g_mime_utils_unstructured_header_fold(NULL, NULL, line);
    for (const char *p = folded; *p; p++) {
        if (*p == '\r' || (*p == '\n' && p[1] != ' ' && p[1] != '\t'))
            continue;
        if (*p == '\n')
            buf_append_char(out, '\r');
        buf_append_char(out, *p);
    }
    buf_append_str(out, "\r\n");
    g_free(folded);
    g_free(line);
    g_free(encoded);
}

static void strip(const struct header_field *field, const char *const *tags, size_t n, struct buf *out)
{
    char *decoded = header_decode(field->value);
    GString *text = g_string_new(decoded);
    bool any = false;
    for (size_t i = 0; i < n; i++)
        any = cut(text, tags[i]) || any;
    if (any) {
        tidy(text);
        append_field(out, field->name, text->str);
    } else {
        buf_append_span(out, field->raw);
    }
    g_string_free(text, TRUE);
    free(decoded);
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
