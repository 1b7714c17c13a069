#include "gateway/message/main_body.h"

#include "gateway/message/entity.h"
#include "gateway/message/multipart.h"

#define DEPTH_MAX 8

/* A part, read; false: it has no form that every reader would take for the same. */
static bool read_part(struct span whole, struct main_body_part *part_out)
{
    struct message_parts split;
    message_split(whole, &split);
    *part_out = (struct main_body_part){.header = split.header, .body = split.body};
    return split.separator.len > 0 &&
           content_type_find(split.header, &part_out->type_field, &part_out->type, &part_out->typed) &&
           part_out->typed;
}

static bool has_id(const struct main_body_part *part, struct span id)
{
    struct header_field field, again;
    return header_find(part->header, "Content-ID", 0, &field) && span_eq(span_trim(field.value), id) &&
           !header_find(part->header, "Content-ID", 1, &again);
}

/* The next part of BOUNDARY at *AT that is well-formed. False: there is no part any more. */
static bool next_part(struct span *at, struct span boundary, bool *good_out, struct main_body_part *part_out)
{
    struct span whole;
    enum multipart_delimiter end = multipart_next(at, boundary, &whole);
    if (end == MULTIPART_NONE)
        return false;
    if (end == MULTIPART_CLOSE)
        *at = span_of(at->p, 0);
    *good_out = read_part(whole, part_out);
    return true;
}

static void visit(const struct main_body_part *part, unsigned depth, struct main_body *body);

/* RFC 2387 §3.2: the root is the part that START names, or the first. */
static bool is_wanted(const struct main_body_part *multipart, const struct main_body_part *part, size_t n)
{
    if (content_type_is(&multipart->type, "multipart", "alternative"))
        return true;
    struct span start = content_type_parameter(&multipart->type, "start");
    if (start.len > 0 && content_type_is(&multipart->type, "multipart", "related"))
        return has_id(part, start);
    return n == 0;
}

static void visit_parts(const struct main_body_part *multipart, unsigned depth, struct main_body *body)
{
    struct main_body_part part;
    struct span boundary, preamble, at = multipart->body;
    bool good;
    if (!multipart_boundary(&multipart->type, &boundary) ||
        multipart_next(&at, boundary, &preamble) != MULTIPART_OPEN)
        return;
    for (size_t n = 0; next_part(&at, boundary, &good, &part); n++)
        if (good && is_wanted(multipart, &part, n))
            visit(&part, depth + 1, body);
}

static bool is_text(const struct main_body_part *part)
{
    return !part->typed || content_type_is(&part->type, "text", "plain") ||
           content_type_is(&part->type, "text", "html");
}

static bool may_descend(const struct content_type *type)
{
    return content_type_is(type, "multipart", "mixed") || content_type_is(type, "multipart", "related") ||
           content_type_is(type, "multipart", "alternative");
}

static void visit(const struct main_body_part *part, unsigned depth, struct main_body *body)
{
    if (!entity_is_shown(part->header, part->typed ? &part->type : NULL))
        return;
    if (is_text(part) && body->n < MAIN_BODY_PARTS_MAX)
        body->parts[body->n++] = *part;
    else if (part->typed && may_descend(&part->type) && depth < DEPTH_MAX)
        visit_parts(part, depth, body);
}

void main_body_find(const struct message_parts *parts, struct main_body *body_out)
{
    struct main_body_part root = {.header = parts->header, .body = parts->body, .at_root = true};
    body_out->n = 0;
    if (content_type_find(parts->header, &root.type_field, &root.type, &root.typed))
        visit(&root, 0, body_out);
}
