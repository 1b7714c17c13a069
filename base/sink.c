#include "base/sink.h"

static enum status append(void *arg, struct span bytes, struct error *err)
{
    struct buf *buf = arg;
    buf_append_span(buf, bytes);
    return buf_check(buf, "what is written", err);
}

struct sink sink_to_buf(struct buf *buf)
{
    return (struct sink){.write = append, .arg = buf};
}
