/*
 * The message behind DATA and BDAT, in whatever pieces it comes (A1, A2). DATA ends at the first CRLF.CRLF
 * and nowhere else, and what is accepted gives the input again when its dots are stuffed. Where line ends are
 * normalised, no bare one is left and nothing else is changed. BDAT sees each bare line end. Input: a byte
 * that says how long the pieces are, then the data.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/wire/bdat.h"
#include "gateway/wire/end_of_data.h"
#include "gateway/wire/line_ends.h"
#include "gateway/wire/normalize.h"
#include "tests/fuzz/fuzz.h"

/* Where the first end of data is, by definition; DATA's own CRLF stands in front. */
static size_t end_by_search(struct span in)
{
    if (in.len >= 3 && memcmp(in.p, ".\r\n", 3) == 0)
        return 3;
    const char *end = in.len ? memmem(in.p, in.len, "\r\n.\r\n", 5) : NULL;
    return end ? (size_t)(end - in.p) + 5 : 0;
}

static bool has_bare_line_end(struct span in)
{
    for (size_t i = 0; i < in.len; i++) {
        if (in.p[i] == '\r' && (i + 1 == in.len || in.p[i + 1] != '\n'))
            return true;
        if (in.p[i] == '\n' && (i == 0 || in.p[i - 1] != '\r'))
            return true;
    }
    return false;
}

static bool has_eight_bit(struct span in)
{
    for (size_t i = 0; i < in.len; i++)
        if ((uint8_t)in.p[i] > 127)
            return true;
    return false;
}

static size_t piece_of(struct span in, size_t used, size_t step)
{
    return in.len - used < step ? in.len - used : step;
}

static size_t feed_in_pieces(struct end_of_data *eod, struct span in, size_t step, char *out, size_t *len)
{
    size_t used = 0;
    *len = 0;
    while (used < in.len && eod->state != END_OF_DATA_DONE) {
        size_t n;
        used += end_of_data_feed(eod, span_of(in.p + used, piece_of(in, used, step)), out + *len, &n);
        *len += n;
    }
    return used;
}

/* OUT with its dots stuffed, and the end behind it, is the input. */
static void check_stuffing(struct span in, struct span out)
{
    size_t at = 0;
    bool line_start = true;
    for (size_t i = 0; i < out.len; i++) {
        if (line_start && (out.p[i] == '.' || in.p[at] == '.'))
            require(in.p[at++] == '.');
        require(at < in.len && in.p[at++] == out.p[i]);
        line_start = out.p[i] == '\n';
    }
    require(in.len - at == 3 && memcmp(in.p + at, ".\r\n", 3) == 0);
}

/* Each line end of MESSAGE is a CRLF in the result, and all else is as it was. */
static void check_normalizing(struct span message, size_t step)
{
    struct normalizer n = {0};
    char *out = malloc(NORMALIZE_ROOM(message.len) + 1);
    size_t len = 0, at = 0;
    for (size_t used = 0; out && used < message.len; used += piece_of(message, used, step))
        len += normalize_feed(&n, span_of(message.p + used, piece_of(message, used, step)), out + len);
    if (!out)
        return;
    len += normalize_finish(&n, out + len);
    require(len <= NORMALIZE_ROOM(message.len) && !has_bare_line_end(span_of(out, len)));
    for (size_t i = 0; i < message.len; i++) {
        char c = message.p[i];
        if (c != '\r' && c != '\n') {
            require(at < len && out[at++] == c);
            continue;
        }
        if (c == '\r' && i + 1 < message.len && message.p[i + 1] == '\n')
            i++;
        require(at + 1 < len && out[at] == '\r' && out[at + 1] == '\n');
        at += 2;
    }
    require(at == len);
    free(out);
}

static void check_data(struct span in, size_t step)
{
    struct end_of_data eod;
    char *out = malloc(in.len + 1);
    size_t len = 0;
    if (!out)
        return;
    end_of_data_init(&eod);
    size_t used = feed_in_pieces(&eod, in, step, out, &len);
    size_t end = end_by_search(in);
    require((eod.state == END_OF_DATA_DONE) == (end > 0));
    require(used == (end ? end : in.len) && len <= used);
    if (end) {
        struct span message = span_of(in.p, end);
        require(eod.bare_line_end == has_bare_line_end(message));
        require(eod.nul == (memchr(in.p, '\0', end) != NULL) && eod.eight_bit == has_eight_bit(message));
        if (!eod.bare_line_end)
            check_stuffing(message, span_of(out, len));
        check_normalizing(span_of(out, len), step);
    }
    free(out);
}

static void check_chunk(struct span in, size_t step)
{
    struct line_ends ends = {0};
    for (size_t used = 0; used < in.len; used += piece_of(in, used, step))
        line_ends_check(&ends, span_of(in.p + used, piece_of(in, used, step)));
    line_ends_finish(&ends);
    require(ends.bare == has_bare_line_end(in) && ends.eight_bit == has_eight_bit(in));
    require(ends.nul == (in.len > 0 && memchr(in.p, '\0', in.len)));
}

/* What is taken for the arguments of BDAT means the same when written again. */
static void check_bdat(struct span args)
{
    struct bdat bdat, again;
    char text[64];
    if (!bdat_parse(args, &bdat))
        return;
    snprintf(text, sizeof text, "%llu%s", (unsigned long long)bdat.size, bdat.last ? " LAST" : "");
    require(bdat_parse(span_str(text), &again) && again.size == bdat.size && again.last == bdat.last);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return 0;
    struct span in = span_of(bytes + 1, len - 1);
    size_t step = bytes[0] ? bytes[0] : 1;
    check_data(in, step);
    check_chunk(in, step);
    check_bdat(in);
    return 0;
}
