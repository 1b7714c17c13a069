/*
 * End of data (A1): whatever comes in whatever pieces, it ends at the first CRLF.CRLF and nowhere else, and
 * a message that is accepted gives the input again when its dots are stuffed.
 * Input: a byte that says how long the pieces are, then the data.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/end_of_data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Where the first end of data is, by definition; DATA's own CRLF stands in front. */
static size_t end_by_search(struct span in)
{
    if (in.len >= 3 && memcmp(in.p, ".\r\n", 3) == 0)
        return 3;
    const char *end = in.len ? memmem(in.p, in.len, "\r\n.\r\n", 5) : NULL;
    return end ? (size_t)(end - in.p) + 5 : 0;
}

static void require(int truth)
{
    if (!truth)
        abort();
}

static size_t feed_in_pieces(struct end_of_data *eod, struct span in, size_t step, char *out, size_t *len)
{
    size_t used = 0;
    *len = 0;
    while (used < in.len && eod->state != END_OF_DATA_DONE) {
        size_t n, piece = in.len - used < step ? in.len - used : step;
        used += end_of_data_feed(eod, span_of(in.p + used, piece), out + *len, &n);
        *len += n;
    }
    return used;
}

/* OUT with its dots stuffed, and the end behind it, is the input. */
static void check_stuffing(struct span in, struct span out)
{
    size_t at = 0;
    int line_start = 1;
    for (size_t i = 0; i < out.len; i++) {
        if (line_start && (out.p[i] == '.' || in.p[at] == '.'))
            require(in.p[at++] == '.');
        require(at < in.len && in.p[at++] == out.p[i]);
        line_start = out.p[i] == '\n';
    }
    require(in.len - at == 3 && memcmp(in.p + at, ".\r\n", 3) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return 0;
    struct span in = span_of(bytes + 1, len - 1);
    struct end_of_data eod;
    char *out = malloc(len);
    size_t out_len = 0;
    end_of_data_init(&eod);
    size_t used = feed_in_pieces(&eod, in, bytes[0] ? bytes[0] : 1, out, &out_len);
    size_t end = end_by_search(in);
    require((eod.state == END_OF_DATA_DONE) == (end > 0));
    require(used == (end ? end : in.len));
    if (end && !eod.bare_line_end) {
        check_stuffing(span_of(in.p, end), span_of(out, out_len));
        require(eod.nul == (memchr(in.p, '\0', end) != NULL));
    }
    free(out);
    return 0;
}
