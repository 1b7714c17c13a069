#include "gateway/message/sealed_form.h"

#include "gateway/message/entity.h"
#include "gateway/message/multipart.h"

/* ---- headers ---- */

/* A line that is no field ends the header for some readers, and begins their text. */
static bool has_fields_alone(struct span header)
{
    struct header_field field;
    while (header_next(&header, &field))
        if (field.name.len == 0)
            return false;
    return true;
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

static bool is_identity(struct span header)
{
    enum entity_encoding encoding;
    return entity_encoding(header, &encoding) && (encoding == ENTITY_7BIT || encoding == ENTITY_8BIT);
}

static bool is_blank(struct span text)
{
    return span_trim(text).len == 0;
}

/* ---- multipart ---- */

/* Exactly two parts, and nothing but blanks behind them. */
static bool cut_two(struct span body, const struct content_type *type, struct span *preamble_out,
                    struct span parts_out[2])
{
    struct span boundary;
    return multipart_boundary(type, &boundary) &&
           multipart_next(&body, boundary, preamble_out) == MULTIPART_OPEN &&
           multipart_next(&body, boundary, &parts_out[0]) == MULTIPART_OPEN &&
           multipart_next(&body, boundary, &parts_out[1]) == MULTIPART_CLOSE && is_blank(body);
}

/* False: it has fields that are not MIME's, or does not say its type. */
static bool read_part(struct span part, struct message_parts *parts_out, struct content_type *type_out)
{
    struct header_field field;
    bool found;
    message_split(part, parts_out);
    return has_mime_fields_alone(parts_out->header) &&
           content_type_find(parts_out->header, &field, type_out, &found) && found;
}

/* ---- OpenPGP ---- */

/* RFC 3156 §4: the first part says "Version: 1" and nothing else. */
static bool is_control(struct span part)
{
    struct message_parts parts;
    struct content_type type;
    return read_part(part, &parts, &type) && content_type_is(&type, "application", "pgp-encrypted") &&
           is_identity(parts.header) && span_is(span_trim(parts.body), "Version: 1");
}

static bool find_data(struct span part, struct sealed_content *content)
{
    struct message_parts parts;
    struct content_type type;
    if (!read_part(part, &parts, &type) || !content_type_is(&type, "application", "octet-stream") ||
        !is_identity(parts.header))
        return false;
    content->form = SEALED_FORM_PGP_MIME;
    content->content = parts.body;
    return true;
}

static bool find_pgp_mime(const struct message_parts *parts, const struct content_type *type,
                          struct sealed_content *content)
{
    struct span preamble, two[2];
    struct span protocol = content_type_parameter(type, "protocol");
    return content_type_is(type, "multipart", "encrypted") &&
           span_is(protocol, "application/pgp-encrypted") && cut_two(parts->body, type, &preamble, two) &&
           is_blank(preamble) && is_control(two[0]) && find_data(two[1], content);
}

/* Whether the body is an armored message and nothing else is for pgp_message_read to say. */
static bool find_inline(const struct message_parts *parts, const struct content_type *type,
                        struct sealed_content *content)
{
    struct span body = span_trim(parts->body);
    if (type && !content_type_is(type, "text", "plain"))
        return false;
    if (!is_identity(parts->header) || !span_starts(body, "-----BEGIN PGP MESSAGE-----"))
        return false;
    content->form = SEALED_FORM_PGP_INLINE;
    content->content = body;
    return true;
}

/* ---- S/MIME ---- */

static bool is_smime(const struct content_type *type)
{
    return content_type_is(type, "application", "pkcs7-mime") ||
           content_type_is(type, "application", "x-pkcs7-mime");
}

static bool decode(const struct message_parts *parts, enum sealed_form form, struct sealed_content *content)
{
    enum entity_encoding encoding;
    if (!entity_encoding(parts->header, &encoding) || encoding != ENTITY_BASE64)
        return false;
    buf_init(&content->decoded, parts->body.len + 3);
    if (!entity_decode_base64(parts->body, &content->decoded))
        return false;
    content->content = buf_span(&content->decoded);
    content->form = form;
    return true;
}

static bool find_smime(const struct message_parts *parts, const struct content_type *type,
                       struct sealed_content *content)
{
    struct span kind = content_type_parameter(type, "smime-type");
    bool named = kind.len == 0 || span_is(kind, "enveloped-data") || span_is(kind, "authEnveloped-data");
    if (!is_smime(type))
        return false;
    if (span_is(kind, "signed-data"))
        return decode(parts, SEALED_FORM_SIGNED_OPAQUE, content);
    return named && decode(parts, SEALED_FORM_SMIME, content);
}

/* ---- signed ---- */

static bool is_smime_signature(const struct content_type *type)
{
    return content_type_is(type, "application", "pkcs7-signature") ||
           content_type_is(type, "application", "x-pkcs7-signature");
}

/* PROTOCOL and the type of the signature say the same (RFC 1847 §2.1), but for the name of old programs. */
static bool find_signature(struct span part, struct span protocol, struct sealed_content *content)
{
    struct message_parts parts;
    struct content_type type;
    if (!read_part(part, &parts, &type))
        return false;
    if (is_smime_signature(&type))
        return (span_is(protocol, "application/pkcs7-signature") ||
                span_is(protocol, "application/x-pkcs7-signature")) &&
               decode(&parts, SEALED_FORM_SIGNED_SMIME, content);
    if (!content_type_is(&type, "application", "pgp-signature") ||
        !span_is(protocol, "application/pgp-signature") || !is_identity(parts.header))
        return false;
    content->form = SEALED_FORM_SIGNED_PGP;
    content->content = parts.body;
    return true;
}

static bool find_signed(const struct message_parts *parts, const struct content_type *type,
                        struct sealed_content *content)
{
    struct span preamble, two[2];
    content->micalg = content_type_parameter(type, "micalg");
    return content_type_is(type, "multipart", "signed") && cut_two(parts->body, type, &preamble, two) &&
           find_signature(two[1], content_type_parameter(type, "protocol"), content);
}

enum status sealed_form_find(const struct message_parts *parts, struct sealed_content *content_out,
                             struct error *err)
{
    struct header_field field;
    struct content_type type;
    bool found;
    *content_out = (struct sealed_content){.form = SEALED_FORM_NONE};
    if (!has_fields_alone(parts->header) || !content_type_find(parts->header, &field, &type, &found))
        return STATUS_OK;
    if (!found)
        find_inline(parts, NULL, content_out);
    else if (!find_signed(parts, &type, content_out) && !find_pgp_mime(parts, &type, content_out) &&
             !find_inline(parts, &type, content_out))
        find_smime(parts, &type, content_out);
    if (content_out->decoded.failed)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a message that is sealed already");
    return STATUS_OK;
}

void sealed_content_free(struct sealed_content *content)
{
    buf_free(&content->decoded);
}
