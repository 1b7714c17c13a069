#include "gateway/message/mime_token.h"

void mime_skip_blanks(struct span *at)
{
    while (at->len > 0 && at->p[0] != '\0' && strchr(" \t\r\n", at->p[0]))
        span_skip(at, 1);
}

static bool is_token_char(unsigned char c, bool beyond_ascii)
{
    return c > ' ' && c != 0x7f && (c < 0x7f || beyond_ascii) && !strchr("()<>@,;:\\\"/[]?=", c);
}

struct span mime_take_token(struct span *at, bool beyond_ascii)
{
    struct span token = span_of(at->p, 0);
    while (at->len > 0 && is_token_char((unsigned char)at->p[0], beyond_ascii)) {
        token.len++;
        span_skip(at, 1);
    }
    return token;
}
