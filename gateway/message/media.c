#include "gateway/message/media.h"

#include "gateway/message/mime_token.h"

#define BOUNDARY_MAX 200 /* RFC 2046 §5.1.1 allows 70 */

static bool take_char(struct span *at, char c)
{
    mime_skip_blanks(at);
    if (at->len == 0 || at->p[0] != c)
        return false;
    span_skip(at, 1);
    mime_skip_blanks(at);
    return true;
}

/* A quoted string without escapes, or what stands up to the next semicolon. */
static bool take_value(struct span *at, struct span *value_out)
{
    bool quoted = at->len > 0 && at->p[0] == '"';
    if (quoted)
        span_skip(at, 1);
    const char *end = at->len > 0 ? memchr(at->p, quoted ? '"' : ';', at->len) : NULL;
    if (quoted && !end)
        return false;
    *value_out = span_of(at->p, end ? (size_t)(end - at->p) : at->len);
    span_skip(at, value_out->len + (quoted ? 1 : 0));
    if (!quoted)
        *value_out = span_trim(*value_out);
    return quoted || value_out->len > 0;
}

/* Every reader takes such bytes as they are. */
static bool is_plain(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\0' || strchr("\\(\"", s.p[i]))
            return false;
    }
    return true;
}

/* Printable ASCII, no white space at the ends, no encoded-word. */
static bool is_plain_boundary(struct span s)
{
    if (s.len == 0 || s.len > BOUNDARY_MAX || s.p[0] == ' ' || s.p[s.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] < ' ' || s.p[i] > '~' || (s.p[i] == '=' && i + 1 < s.len && s.p[i + 1] == '?'))
            return false;
    }
    return true;
}

/* Parameters as RFC 2045 §5.1 has them; false: something else stands there. */
static bool read_parameters(struct span at, struct span *boundary_out)
{
    mime_skip_blanks(&at);
    while (at.len > 0) {
        if (!take_char(&at, ';'))
            return false;
        if (at.len == 0)
            break;
        struct span name = mime_take_token(&at, true);
        struct span value;
        if (name.len == 0 || !take_char(&at, '=') || !take_value(&at, &value) || !is_plain(value))
            return false;
        mime_skip_blanks(&at);
        if (!span_starts(name, "boundary"))
            continue;
        /* Said twice, in pieces or encoded (RFC 2231). */
        if (name.len != sizeof "boundary" - 1 || boundary_out->len > 0 || !is_plain_boundary(value))
            return false;
        *boundary_out = value;
    }
    return true;
}

static bool contains(struct span value, const char *word)
{
    while (value.len > 0 && !span_starts(value, word))
        span_skip(&value, 1);
    return value.len > 0;
}

static bool is_message(struct span subtype)
{
    return span_is(subtype, "rfc822") || span_is(subtype, "rfc2822") || span_is(subtype, "global") ||
           span_is(subtype, "news");
}

static void add_type(struct media *media, struct span value)
{
    struct span at = value;
    mime_skip_blanks(&at);
    struct span type = mime_take_token(&at, true);
    struct span subtype = take_char(&at, '/') ? mime_take_token(&at, true) : span_of(at.p, 0);
    bool well_formed = type.len > 0 && subtype.len > 0;
    bool comment = !well_formed && memchr(value.p, '(', value.len);

    media->types++;
    media->typed = well_formed;
    /* A comment within the type is rare enough to take it for the worst. */
    media->multipart = media->multipart || span_is(type, "multipart") || comment;
    media->message = media->message || (span_is(type, "message") && is_message(subtype)) || comment;
    if (media->multipart || media->message)
        media->unclear = media->unclear || !well_formed || media->types > 1;
    /* "/plain" is a type for some and none for others, which matters in a digest. */
    if (!well_formed && memchr(value.p, '/', value.len))
        media->unclear = true;
    if (!media->multipart)
        return;
    if (!read_parameters(at, &media->boundary))
        media->unclear = true;
    media->digest =
        media->digest || (media->unclear ? contains(value, "digest") : span_is(subtype, "digest"));
}

static void add_encoding(struct media *media, struct span value)
{
    media->encodings++;
    media->encoded = span_is(value, "base64") || span_is(value, "quoted-printable");
    bool plain = span_is(value, "7bit") || span_is(value, "8bit") || span_is(value, "binary");
    if (media->encodings > 1)
        media->encoded = false;
    if (media->encodings > 1 || (!media->encoded && !plain))
        media->odd_encoding = true;
}

void media_add(struct media *media, const struct header_field *field)
{
    if (span_is(field->name, "Content-Type"))
        add_type(media, field->value);
    else if (span_is(field->name, "Content-Transfer-Encoding"))
        add_encoding(media, span_trim(field->value));
}
