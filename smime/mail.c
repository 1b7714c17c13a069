#include "smime/mail.h"

#include <stdint.h>

#include <openssl/evp.h>

#include "smime/content_type.h"
#include "smime/signed.h"

#define BOUNDARY_MAX 70 /* RFC 2046 §5.1.1 */

/* ---- lines and header fields ---- */

/* Takes a line with its LF from the front of TEXT; empty at the end. */
static struct span take_line(struct span *text)
{
    const char *lf = text->len ? memchr(text->p, '\n', text->len) : NULL;
    size_t len = lf ? (size_t)(lf - text->p) + 1 : text->len;
    struct span line = span_of(text->p, len);
    *text = span_of(text->p + len, text->len - len);
    return line;
}

static bool is_blank(struct span line)
{
    return span_trim(line).len == 0;
}

static bool is_folded(struct span line)
{
    return line.len > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
}

/* RFC 5322 §2.2: printable characters except the colon. */
static bool is_field(struct span line)
{
    const char *colon = line.len ? memchr(line.p, ':', line.len) : NULL;
    if (!colon || colon == line.p) {
        return false;
    }
    for (const char *c = line.p; c < colon; c++) {
        if (*c <= ' ' || *c > '~') {
            return false;
        }
    }
    return true;
}

/* Takes the header with its empty line from the front of TEXT. False: there is none. */
static bool take_header(struct span *text, struct span *header_out)
{
    const char *start = text->p;
    while (text->len > 0) {
        const char *end = text->p;
        struct span line = take_line(text);
        if (is_blank(line)) {
            *header_out = span_of(start, (size_t)(end - start));
            return true;
        }
        if (!is_field(line) && (!is_folded(line) || end == start)) {
            return false;
        }
    }
    return false;
}

/* Finds field NAME with its folded lines; 0, 1, or 2 when it is there more than once. */
static int find_field(struct span header, const char *name, struct span *value_out)
{
    int found = 0;
    bool inside = false;
    while (header.len > 0) {
        struct span line = take_line(&header);
        if (is_folded(line)) {
            if (inside) {
                value_out->len += line.len;
            }
            continue;
        }
        const char *colon = memchr(line.p, ':', line.len);
        inside = colon && span_is(span_of(line.p, (size_t)(colon - line.p)), name);
        if (inside) {
            found = found ? 2 : 1;
            *value_out = span_of(colon + 1, (size_t)(line.p + line.len - colon - 1));
        }
    }
    return found;
}

/* ---- the two kinds of mail ---- */

static enum status decode_base64(struct span text, struct buf *out, struct error *err)
{
    EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
    unsigned char *to = ctx ? buf_reserve(out, text.len + 3) : NULL;
    int len = 0;
    int rest = 0;
    enum status status = STATUS_OK;
    if (!to) {
        status = error_set(err, STATUS_TEMPORARY, "signed mail: no memory");
    } else {
        EVP_DecodeInit(ctx);
        if (EVP_DecodeUpdate(ctx, to, &len, (const unsigned char *)text.p, (int)text.len) < 0 ||
            EVP_DecodeFinal(ctx, to + len, &rest) != 1) {
            status = error_set(err, STATUS_INVALID, "signed mail: its base64 is damaged");
        } else {
            buf_commit(out, (size_t)(len + rest));
        }
    }
    EVP_ENCODE_CTX_free(ctx);
    return status;
}

static enum status decode(struct span header, struct span body, struct buf *out, struct error *err)
{
    struct span encoding = span_of("", 0);
    if (find_field(header, "Content-Transfer-Encoding", &encoding) > 1) {
        return error_set(err, STATUS_INVALID, "signed mail: two transfer encodings");
    }
    if (span_is(span_trim(encoding), "base64")) {
        return decode_base64(body, out, err);
    }
    if (span_is(span_trim(encoding), "quoted-printable")) {
        return error_set(err, STATUS_INVALID, "signed mail: CMS in quoted-printable is not read here");
    }
    buf_append_span(out, body);
    return buf_check(out, "signed mail", err);
}

enum delimiter { NO_DELIMITER, DELIMITER, LAST_DELIMITER };

static enum delimiter delimiter_of(struct span line, struct span boundary)
{
    if (line.len < 2 + boundary.len || memcmp(line.p, "--", 2) != 0 ||
        memcmp(line.p + 2, boundary.p, boundary.len) != 0) {
        return NO_DELIMITER;
    }
    struct span rest = span_of(line.p + 2 + boundary.len, line.len - 2 - boundary.len);
    if (is_blank(rest)) {
        return DELIMITER;
    }
    bool last = span_starts(rest, "--") && is_blank(span_of(rest.p + 2, rest.len - 2));
    return last ? LAST_DELIMITER : NO_DELIMITER;
}

/* Takes what lies before the next delimiter line, without the CRLF in front of it, which belongs to that. */
static enum delimiter take_part(struct span *body, struct span boundary, struct span *part_out)
{
    const char *start = body->p;
    while (body->len > 0) {
        const char *at = body->p;
        enum delimiter found = delimiter_of(take_line(body), boundary);
        if (found != NO_DELIMITER) {
            size_t len = (size_t)(at - start);
            *part_out = span_of(start, len >= 2 ? len - 2 : 0);
            return found;
        }
    }
    return NO_DELIMITER;
}

static enum status split_multipart(struct span body, struct span boundary, struct smime_mail *mail,
                                   struct error *err)
{
    struct span preamble;
    struct span signature;
    struct span header;
    if (take_part(&body, boundary, &preamble) != DELIMITER ||
        take_part(&body, boundary, &mail->content) != DELIMITER ||
        take_part(&body, boundary, &signature) != LAST_DELIMITER || !take_header(&signature, &header)) {
        return error_set(err, STATUS_INVALID, "signed mail: multipart/signed without its two parts");
    }
    mail->detached = true;
    return decode(header, signature, &mail->cms, err);
}

static enum status read_multipart(struct span parameters, struct span body, struct smime_mail *mail,
                                  struct error *err)
{
    struct buf protocol;
    struct buf boundary;
    buf_init(&protocol, SMIME_CONTENT_TYPE_MAX);
    buf_init(&boundary, SMIME_CONTENT_TYPE_MAX);
    bool good = smime_content_type_parameter(parameters, "protocol", &protocol) &&
                smime_content_type_parameter(parameters, "boundary", &boundary);
    enum status status = STATUS_OK;
    if (!good || boundary.len == 0 || boundary.len > BOUNDARY_MAX) {
        status = error_set(err, STATUS_INVALID, "signed mail: its Content-Type is damaged");
    } else if (!span_is(buf_span(&protocol), "application/pkcs7-signature") &&
               !span_is(buf_span(&protocol), "application/x-pkcs7-signature")) {
        status = error_set(err, STATUS_NOT_FOUND, "not signed with S/MIME");
    } else {
        status = split_multipart(body, buf_span(&boundary), mail, err);
    }
    buf_free(&protocol);
    buf_free(&boundary);
    return status;
}

/* A mail saved with LF lines was signed with CRLF (RFC 8551 §3.1.1). */
static enum status make_crlf(struct span *mail, struct buf *lines, struct error *err)
{
    const char *lf = memchr(mail->p, '\n', mail->len);
    if (!lf || (lf > mail->p && lf[-1] == '\r')) {
        return STATUS_OK;
    }
    struct span rest = *mail;
    while (rest.len > 0) {
        struct span line = take_line(&rest);
        bool bare = line.p[line.len - 1] == '\n' && (line.len < 2 || line.p[line.len - 2] != '\r');
        buf_append(lines, line.p, line.len - bare);
        buf_append_str(lines, bare ? "\r\n" : "");
    }
    *mail = buf_span(lines);
    return buf_check(lines, "signed mail", err);
}

enum status smime_mail_split(struct span mail, struct smime_mail *mail_out, struct error *err)
{
    struct span header;
    struct span field = span_of("", 0);
    *mail_out = (struct smime_mail){.detached = false};
    buf_init(&mail_out->lines, 2 * (size_t)SMIME_SIGNED_MAX);
    buf_init(&mail_out->cms, SMIME_SIGNED_MAX + 3);
    if (mail.len == 0 || mail.len > SMIME_SIGNED_MAX) {
        return error_set(err, mail.len ? STATUS_LIMIT : STATUS_NOT_FOUND, "signed mail: %zu bytes", mail.len);
    }
    enum status status = make_crlf(&mail, &mail_out->lines, err);
    if (status != STATUS_OK) {
        return status;
    }
    struct span body = mail;
    int fields = take_header(&body, &header) ? find_field(header, "Content-Type", &field) : 0;
    if (fields == 0) {
        return error_set(err, STATUS_NOT_FOUND, "no mail with a Content-Type");
    }
    if (fields > 1 || field.len > SMIME_CONTENT_TYPE_MAX) {
        return error_set(err, STATUS_INVALID, "mail with two Content-Types, or one that is too long");
    }
    struct span type = smime_content_type_take(&field);
    if (span_is(type, "multipart/signed")) {
        return read_multipart(field, body, mail_out, err);
    }
    if (span_is(type, "application/pkcs7-mime") || span_is(type, "application/x-pkcs7-mime")) {
        return decode(header, body, &mail_out->cms, err);
    }
    return error_set(err, STATUS_NOT_FOUND, "not signed with S/MIME");
}

void smime_mail_free(struct smime_mail *mail)
{
    buf_free(&mail->lines);
    buf_free(&mail->cms);
}
