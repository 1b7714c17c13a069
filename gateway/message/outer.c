#include "gateway/message/outer.h"

#include <glib.h>

/* ---- Bcc ---- */

static bool is_bcc(struct span name)
{
    return span_is(name, "Bcc") || span_is(name, "Resent-Bcc");
}

/* What is no field but may be one for a lenient reader would show him who got a blind copy. */
static bool hides_bcc(struct span raw)
{
    return header_line_passes_for(raw, "Bcc") || header_line_passes_for(raw, "ResentBcc");
}

bool outer_is_blind(const struct header_field *field)
{
    return field->name.len > 0 ? is_bcc(field->name) : hides_bcc(field->raw);
}

static void append_header_without_bcc(struct span header, struct buf *out)
{
    struct header_field field;
    while (header_next(&header, &field))
        if (!outer_is_blind(&field))
            buf_append_span(out, field.raw);
}

static bool ends_line(struct span s)
{
    return s.len >= 2 && s.p[s.len - 2] == '\r' && s.p[s.len - 1] == '\n';
}

void clear_message(const struct message_parts *parts, struct span front, struct buf *out)
{
    buf_append_span(out, front);
    append_header_without_bcc(parts->header, out);
    if (parts->separator.len > 0) {
        buf_append_span(out, parts->separator);
    } else {
        if (out->len > 0 && !ends_line(buf_span(out)))
            buf_append_str(out, "\r\n");
        buf_append_str(out, "\r\n");
    }
    buf_append_span(out, parts->body);
}

/* ---- outside of a sealed message ---- */

static bool is_for_transport(struct span name)
{
    static const char *const names[] = {"From",
                                        "Sender",
                                        "Reply-To",
                                        "To",
                                        "Cc",
                                        "Date",
                                        "Message-ID",
                                        "In-Reply-To",
                                        "References",
                                        "Auto-Submitted",
                                        "Subject",
                                        "TLS-Required",
                                        "Resent-From",
                                        "Resent-Sender",
                                        "Resent-To",
                                        "Resent-Cc",
                                        "Resent-Date",
                                        "Resent-Message-ID",
                                        "Resent-Reply-To"};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (span_is(name, names[i]))
            return true;
    }
    return span_starts(name, "List-");
}

bool outer_has_whole_lines(struct span raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        if (raw.p[i] == '\0')
            return false;
        if (raw.p[i] == '\r' && (i + 1 == raw.len || raw.p[i + 1] != '\n'))
            return false;
        if (raw.p[i] == '\n' && (i == 0 || raw.p[i - 1] != '\r'))
            return false;
    }
    return true;
}

static bool is_ascii(struct span raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        if ((unsigned char)raw.p[i] > 127)
            return false;
    }
    return true;
}

bool outer_stands_outside(const struct header_field *field)
{
    return is_for_transport(field->name) && outer_has_whole_lines(field->raw);
}

enum status outer_check_charset(const struct header_field *field, bool smtputf8, struct error *err)
{
    if (is_ascii(field->raw))
        return STATUS_OK;
    if (!smtputf8)
        return error_set(err, STATUS_INVALID,
                         "the %.*s field holds characters outside ASCII: encode them (RFC 2047), or send "
                         "with SMTPUTF8",
                         (int)field->name.len, field->name.p);
    /* RFC 6532 §3.2 allows UTF-8 in header fields, nothing else. */
    if (!g_utf8_validate(field->raw.p, (gssize)field->raw.len, NULL))
        return error_set(err, STATUS_INVALID, "the %.*s field holds bytes that are not UTF-8 (RFC 6532)",
                         (int)field->name.len, field->name.p);
    return STATUS_OK;
}

enum status notice_header(const struct message_parts *parts, struct span front, bool smtputf8,
                          struct buf *out, struct error *err)
{
    buf_append_span(out, front);
    struct span at = parts->header;
    struct header_field field;
    while (header_next(&at, &field)) {
        if (!outer_stands_outside(&field))
            continue;
        /* The Subject's too: once the message is released, it may have to stand outside. */
        enum status status = outer_check_charset(&field, smtputf8, err);
        if (status != STATUS_OK)
            return status;
        if (span_is(field.name, "Subject")) {
            buf_append_str(out, OUTER_SUBJECT_HIDDEN);
            continue;
        }
        header_append(field.raw, out);
    }
    return buf_check(out, "the outer header", err);
}
