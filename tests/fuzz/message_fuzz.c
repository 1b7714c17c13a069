/*
 * The split of a message, its fields, what goes inside and outside, and prescan, on any bytes at all.
 * The first byte chooses prescan's limits, so that small inputs reach them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "gateway/message/inspect.h"
#include "gateway/message/outer.h"
#include "gateway/message/prescan.h"
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

/* Inside: the same bytes but for whole fields. */
static void check_inner(const struct message_parts *parts, size_t size)
{
    struct buf inner, again;
    buf_init(&inner, size);
    buf_init(&again, size);
    inner_entity(parts, &inner);
    must(!inner.failed);
    struct message_parts found;
    message_split(buf_span(&inner), &found);
    check_no_bcc(found.header);
    must(span_eq(found.separator, parts->separator) && span_eq(found.body, parts->body));
    inner_entity(&found, &again);
    must(span_eq(buf_span(&inner), buf_span(&again)));
    buf_free(&inner);
    buf_free(&again);
}

static void check_outer(const struct message_parts *parts, size_t size, bool smtputf8)
{
    struct buf outer;
    buf_init(&outer, size + 2);
    if (outer_header(parts, span_of(NULL, 0), smtputf8, &outer, NULL) == STATUS_OK) {
        struct span at = buf_span(&outer);
        check_no_bcc(at);
        while (at.len > 0) {
            struct span line = message_line(&at);
            must(line.len > 2 && line.p[line.len - 2] == '\r');
            must(!memchr(line.p, '\r', line.len - 2) && !memchr(line.p, '\0', line.len));
        }
        struct header_field field;
        for (at = buf_span(&outer); header_next(&at, &field);)
            must(field.name.len > 0);
    }
    buf_free(&outer);
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
    check_inner(&parts, size);
    check_outer(&parts, size, data[0] & 1);
    check_prescan(message, data[0]);
    return 0;
}
