#include "gateway/wire/line_ends.h"

void line_ends_check(struct line_ends *ends, struct span piece)
{
    for (size_t i = 0; i < piece.len; i++) {
        char c = piece.p[i];
        ends->bare |= ends->after_cr != (c == '\n');
        ends->after_cr = c == '\r';
        ends->nul |= c == '\0';
        ends->eight_bit |= (unsigned char)c > 127;
    }
}

void line_ends_finish(struct line_ends *ends)
{
    ends->bare |= ends->after_cr;
}
