#include "gateway/message/protect_type.h"

static bool is_ours(struct span name)
{
    return span_is(name, "hp") || span_is(name, "protected-headers") || span_is(name, "hp-legacy-display");
}

void protect_type_append(const struct header_field *field, const struct content_type *type, struct buf *out)
{
    const char *at = field->raw.p;
    for (size_t i = 0; i < type->n; i++) {
        const struct content_parameter *p = &type->parameters[i];
        if (!is_ours(p->name))
            continue;
        buf_append(out, at, (size_t)(p->whole.p - at));
        at = p->whole.p + p->whole.len;
    }
    buf_append(out, at, (size_t)(type->end.p - at));
}
