#include "gateway/wire/normalize.h"

size_t normalize_finish(struct normalizer *n, char *out)
{
    if (!n->after_cr)
        return 0;
    n->after_cr = false;
    *out = '\n';
    return 1;
}

size_t normalize_feed(struct normalizer *n, struct span piece, char *out)
{
    size_t len = 0;
    for (size_t i = 0; i < piece.len; i++) {
        char c = piece.p[i];
        if (c == '\n' && !n->after_cr)
            out[len++] = '\r';
        else if (c != '\n')
            len += normalize_finish(n, out + len);
        out[len++] = c;
        n->after_cr = c == '\r';
    }
    return len;
}
