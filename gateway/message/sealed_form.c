#include "gateway/message/sealed_form.h"

#include <glib.h>

#include "gateway/message/content_type.h"

/* ---- headers ---- */

/* The value of the one field NAME, trimmed; false: there are several. Empty: there is none. */
static bool find_once(struct span header, const char *name, struct span *value_out)
{
    struct header_field field, again;
    *value_out = span_of(NULL, 0);
    if (!header_find(header, name, 0, &field))
        return true;
    *value_out = span_trim(field.value);
    return !header_find(header, name, 1, &again);
}

/* Only MIME fields: any other would be text that stands beside the sealed content. */
static bool has_mime_fields_alone(struct span header)
{
    struct header_field field;
    while (header_next(&header, &field))
        if (!span_starts(field.name, "Content-"))
            return false;
    return true;
}

static bool is_identity(struct span encoding)
{
    return encoding.len == 0 || span_is(encoding, "7bit") || span_is(encoding, "8bit");
}

static bool is_blank(struct span text)
{
    return span_trim(text).len == 0;
}

/* ---- multipart ---- */

/* Cuts the next line that is DELIMITER, with blanks behind it, off *AT; *BEFORE_OUT is what stands before,
 * without the CRLF that belongs to the delimiter (RFC 2046 §5.1.1). */
static bool take_delimiter(struct span *at, struct span delimiter, struct span *before_out)
{
    const char *start = at->p;
    while (at->len > 0) {
        struct span line = message_line(at), trimmed = line;
        while (trimmed.len > 0 && strchr(" \t\r\n", trimmed.p[trimmed.len - 1]) && trimmed.p[trimmed.len - 1])
            trimmed.len--;
        if (!span_eq(trimmed, delimiter))
            continue;
        size_t len = (size_t)(line.p - start);
        len -= len >= 2 ? 2 : 0;
        *before_out = span_of(start, len);
        return true;
    }
    return false;
}

/* Exactly two parts, and nothing but blanks before and behind them. */
static bool cut_two(struct span body, struct span boundary, struct span parts_out[2])
{
    char delimiter[200];
    struct span preamble, more;
    if (boundary.len == 0 || boundary.len > 70 || memchr(boundary.p, '\\', boundary.len))
        return false;
    int n = g_snprintf(delimiter, sizeof delimiter, "--%.*s--", (int)boundary.len, boundary.p);
    struct span close = span_of(delimiter, (size_t)n), open = span_of(delimiter, (size_t)n - 2);
    if (!take_delimiter(&body, open, &preamble) || !is_blank(preamble) ||
        !take_delimiter(&body, open, &parts_out[0]))
        return false;
    struct span last = body, again = body;
    if (!take_delimiter(&last, close, &parts_out[1]) || !is_blank(last))
        return false;
    /* A third part before the end. */
    return !take_delimiter(&again, open, &more);
}

/* ---- OpenPGP ---- */

/* RFC 3156 §4: the first part says "Version: 1" and nothing else. */
static bool is_control(struct span part)
{
    struct message_parts parts;
    struct header_field field;
    struct content_type type;
    struct span encoding;
    bool found;
    message_split(part, &parts);
    return has_mime_fields_alone(parts.header) && content_type_find(parts.header, &field, &type, &found) &&
           found && content_type_is(&type, "application", "pgp-encrypted") &&
           find_once(parts.header, "Content-Transfer-Encoding", &encoding) && is_identity(encoding) &&
           span_is(span_trim(parts.body), "Version: 1");
}

static bool find_data(struct span part, struct sealed_content *content)
{
    struct message_parts parts;
    struct header_field field;
    struct content_type type;
    struct span encoding;
    bool found;
    message_split(part, &parts);
    if (!has_mime_fields_alone(parts.header) || !content_type_find(parts.header, &field, &type, &found) ||
        !found || !content_type_is(&type, "application", "octet-stream") ||
        !find_once(parts.header, "Content-Transfer-Encoding", &encoding) || !is_identity(encoding))
        return false;
    content->form = SEALED_FORM_PGP_MIME;
    content->content = parts.body;
    return true;
}

static bool find_pgp_mime(const struct message_parts *parts, const struct content_type *type,
                          struct sealed_content *content)
{
    struct span two[2];
    struct span protocol = content_type_parameter(type, "protocol");
    return content_type_is(type, "multipart", "encrypted") &&
           span_is(protocol, "application/pgp-encrypted") &&
           cut_two(parts->body, content_type_parameter(type, "boundary"), two) && is_control(two[0]) &&
           find_data(two[1], content);
}

/* Whether the body is an armored message and nothing else is for pgp_message_read to say. */
static bool find_inline(const struct message_parts *parts, const struct content_type *type,
                        struct sealed_content *content)
{
    struct span encoding, body = span_trim(parts->body);
    if (type && !content_type_is(type, "text", "plain"))
        return false;
    if (!find_once(parts->header, "Content-Transfer-Encoding", &encoding) || !is_identity(encoding) ||
        !span_starts(body, "-----BEGIN PGP MESSAGE-----"))
        return false;
    content->form = SEALED_FORM_PGP_INLINE;
    content->content = body;
    return true;
}

/* ---- S/MIME ---- */

static bool is_base64_text(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!g_ascii_isalnum(text.p[i]) && (text.p[i] == '\0' || !strchr("+/=\r\n \t", text.p[i])))
            return false;
    return true;
}

/* Base64 and nothing beside it; what follows its padding would be nobody's. */
static bool decode(struct span text, struct sealed_content *content, struct error *err, enum status *status)
{
    gint state = 0;
    guint save = 0;
    const char *pad = memchr(text.p, '=', text.len);
    struct span end = pad ? span_trim(span_of(pad, text.len - (size_t)(pad - text.p))) : span_of(text.p, 0);
    if (!is_base64_text(text) || (pad && !span_is(end, "=") && !span_is(end, "==")))
        return false;
    buf_init(&content->decoded, text.len + 4);
    uint8_t *to = buf_reserve(&content->decoded, text.len / 4 * 3 + 3);
    if (!to) {
        *status = error_set(err, STATUS_TEMPORARY, "out of memory for a message that is sealed already");
        return false;
    }
    buf_commit(&content->decoded, g_base64_decode_step(text.p, text.len, to, &state, &save));
    content->content = buf_span(&content->decoded);
    return true;
}

static bool is_smime(const struct content_type *type)
{
    return content_type_is(type, "application", "pkcs7-mime") ||
           content_type_is(type, "application", "x-pkcs7-mime");
}

static bool find_smime(const struct message_parts *parts, const struct content_type *type,
                       struct sealed_content *content, struct error *err, enum status *status)
{
    struct span encoding, kind = content_type_parameter(type, "smime-type");
    bool named = kind.len == 0 || span_is(kind, "enveloped-data") || span_is(kind, "authEnveloped-data");
    if (!is_smime(type) || !named || !find_once(parts->header, "Content-Transfer-Encoding", &encoding) ||
        !span_is(encoding, "base64") || !decode(parts->body, content, err, status))
        return false;
    content->form = SEALED_FORM_SMIME;
    return true;
}

static bool claims_signature(const struct content_type *type)
{
    return content_type_is(type, "multipart", "signed") ||
           (is_smime(type) && span_is(content_type_parameter(type, "smime-type"), "signed-data"));
}

enum status sealed_form_find(const struct message_parts *parts, struct sealed_content *content_out,
                             struct error *err)
{
    struct header_field field;
    struct content_type type;
    enum status status = STATUS_OK;
    bool found;
    *content_out = (struct sealed_content){.form = SEALED_FORM_NONE};
    if (!content_type_find(parts->header, &field, &type, &found))
        return STATUS_OK;
    if (!found) {
        find_inline(parts, NULL, content_out);
        return STATUS_OK;
    }
    if (claims_signature(&type))
        content_out->form = SEALED_FORM_SIGNED;
    else if (!find_pgp_mime(parts, &type, content_out) && !find_inline(parts, &type, content_out))
        find_smime(parts, &type, content_out, err, &status);
    return status;
}

void sealed_content_free(struct sealed_content *content)
{
    buf_free(&content->decoded);
}
