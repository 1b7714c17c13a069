#include "gateway/message/multipart.h"

#define BOUNDARY_MAX 70

bool multipart_boundary(const struct content_type *type, struct span *boundary_out)
{
    struct span boundary = content_type_parameter(type, "boundary");
    *boundary_out = boundary;
    return boundary.len > 0 && boundary.len <= BOUNDARY_MAX && !memchr(boundary.p, '\\', boundary.len) &&
           boundary.p[boundary.len - 1] != ' ';
}

static enum multipart_delimiter kind_of(struct span line, struct span boundary)
{
    while (line.len > 0 && memchr(" \t\r\n", line.p[line.len - 1], 4))
        line.len--;
    if (line.len < boundary.len + 2 || memcmp(line.p, "--", 2) != 0 ||
        memcmp(line.p + 2, boundary.p, boundary.len) != 0)
        return MULTIPART_NONE;
    struct span rest = span_of(line.p + 2 + boundary.len, line.len - 2 - boundary.len);
    if (rest.len == 0)
        return MULTIPART_OPEN;
    return span_is(rest, "--") ? MULTIPART_CLOSE : MULTIPART_NONE;
}

enum multipart_delimiter multipart_next(struct span *at, struct span boundary, struct span *before_out)
{
    const char *start = at->p;
    while (at->len > 0) {
        struct span line = message_line(at);
        enum multipart_delimiter kind = kind_of(line, boundary);
        if (kind == MULTIPART_NONE)
            continue;
        size_t len = (size_t)(line.p - start);
        *before_out = span_of(start, len >= 2 ? len - 2 : 0);
        return kind;
    }
    *before_out = span_of(start, (size_t)(at->p - start));
    return MULTIPART_NONE;
}
