#include "gateway/message/tls_required.h"

#include "gateway/message/header.h"

/* The only value is "No"; folding and blanks around it are allowed. */
#define VALUE_MAX 64

bool tls_required_no(struct span header)
{
    struct header_field field, second;
    struct buf value;
    if (!header_find(header, "TLS-Required", 0, &field) || header_find(header, "TLS-Required", 1, &second))
        return false;
    buf_init(&value, VALUE_MAX);
    header_unfold(field.value, &value);
    bool no = !value.failed && span_is(buf_span(&value), "No");
    buf_free(&value);
    return no;
}
