/*
 * The split of a message, its fields, header protection, sealed forms, HTML, and prescan, on any bytes at
 * all. The first byte chooses prescan's limits, so that small inputs reach them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "gateway/message/html_body.h"
#include "gateway/message/inspect.h"
#include "gateway/message/plain_text.h"
#include "gateway/message/prescan.h"
#include "gateway/message/protect.h"
#include "gateway/message/sealed_form.h"
#include "tests/unit/message/gmime_size.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_split(struct span message, const struct message_parts *parts)
{
    must(parts->header.len + parts->separator.len + parts->body.len == message.len);
    must(parts->header.p == message.p);
    must(parts->separator.p == message.p + parts->header.len);
    must(parts->body.p == parts->separator.p + parts->separator.len);
    must(parts->separator.len == 0 || message_line_is_empty(parts->separator));
    must(parts->separator.len > 0 || parts->body.len == 0);
}

static void check_fields(struct span header)
{
    const char *at = header.p;
    struct header_field field;
    while (header_next(&header, &field)) {
        must(field.raw.p == at && field.raw.len > 0);
        at += field.raw.len;
        must(field.name.len + field.value.len < field.raw.len || field.name.len == 0);
    }
    must(header.len == 0);
}

static void check_no_bcc(struct span header)
{
    struct header_field field;
    must(!header_find(header, "Bcc", 0, &field));
    must(!header_find(header, "Resent-Bcc", 0, &field));
}

static void check_lines(struct span header)
{
    struct span at = header;
    struct header_field field;
    while (at.len > 0) {
        struct span line = message_line(&at);
        must(line.len > 2 && line.p[line.len - 2] == '\r');
        must(!memchr(line.p, '\r', line.len - 2) && !memchr(line.p, '\0', line.len));
    }
    for (at = header; header_next(&at, &field);)
        must(field.name.len > 0);
}

/* A subject that is hidden stands in no field outside. */
static void check_subject(struct span outer)
{
    struct header_field field;
    while (header_next(&outer, &field))
        must(!memmem(field.name.p, field.name.len, "ubject", 6) || span_is(span_trim(field.value), "[...]") ||
             span_starts(field.name, "List-"));
}

/* The pieces hold every byte of the body, in its order; no Bcc stands in either header. */
static void check_protected(const struct message_parts *parts, uint8_t choice)
{
    const struct protect_order order = {.parts = parts,
                                        .smtputf8 = choice & 1,
                                        .encrypted = choice & 2,
                                        .policy = (choice >> 2) % 3,
                                        .legacy_display = choice & 16};
    struct protected protected;
    struct error err;
    if (protect_message(&order, &protected, &err) != STATUS_OK)
        return;
    struct message_parts made;
    size_t body = 0;
    const char *end = parts->body.p;
    message_split(protected.pieces[0], &made);
    check_no_bcc(made.header);
    check_no_bcc(buf_span(&protected.outer));
    if (order.encrypted)
        check_lines(buf_span(&protected.outer));
    if (order.encrypted && order.policy != PROTECT_HCP_NONE)
        check_subject(buf_span(&protected.outer));
    for (size_t i = 0; i < protected.n_pieces; i++) {
        struct span piece = protected.pieces[i];
        if (piece.p < parts->body.p || piece.p >= parts->body.p + parts->body.len)
            continue;
        must(piece.p >= end);
        end = piece.p + piece.len;
        body += piece.len;
    }
    /* But for the Content-Type of a part that shows what is hidden, and a group of base64 within it. */
    must(order.legacy_display || body == parts->body.len);
    protected_free(&protected);
}

/* The place is one of the text, and what is in front of it opens no other body: it is found again. */
static void check_html(struct span html)
{
    size_t at, again;
    if (!html_body_find(html, &at))
        return;
    must(at <= html.len);
    must(html_body_find(span_of(html.p, at), &again) && again == at);
}

static void check_forms(const struct message_parts *parts)
{
    struct sealed_content content;
    struct plain_text text;
    struct error err;
    must(sealed_form_find(parts, &content, &err) == STATUS_OK);
    sealed_content_free(&content);
    if (plain_text_find(parts, &text))
        plain_text_free(&text);
}

/* GMime's read buffer of 4096 bytes has boundary effects of its own. */
static void check_prescan(struct span message, uint8_t choice)
{
    struct prescan_limits limits = {.header_max = 4096,
                                    .parts_max = choice & 7,
                                    .depth_max = choice >> 3 & 7,
                                    .field_max = 4096,
                                    .fields_max = 40};
    struct error err;
    if (prescan_message(message, &limits, &err) != STATUS_OK || message.len > 4000)
        return;
    struct gmime_size found = gmime_size_of(message);
    must(found.parts <= limits.parts_max && found.depth <= limits.depth_max);
    struct message_facts facts;
    must(message_inspect(message, &facts, NULL) == STATUS_OK);
    message_facts_free(&facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    message_inspect_start();
    struct span message = span_of(data + 1, size - 1);
    struct message_parts parts;
    message_split(message, &parts);
    check_split(message, &parts);
    check_fields(parts.header);
    check_protected(&parts, data[0]);
    check_forms(&parts);
    check_html(parts.body);
    check_prescan(message, data[0]);
    return 0;
}
