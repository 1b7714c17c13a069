/*
 * The line reader against a plain description of what a line is: whatever pieces the input comes in, lines
 * end at CRLF and nowhere else (A1), and none is over its limit or holds a NUL. A flood (A17) is too slow
 * for here: see line_test.c. Input: the length of the pieces, which limit, then what the client sends.
 */
#include "gateway/wire/line.h"
#include "tests/fuzz/fuzz.h"

/* What stands at the front of IN: WHOLE, TOO_LONG and NUL with the length of the line and its CRLF, BAD_END,
 * or MORE. */
static enum line_event describe(struct span in, size_t max, size_t *len_out)
{
    bool nul = false;
    for (size_t i = 0; i < in.len; i++) {
        nul = nul || in.p[i] == '\0';
        if (in.p[i] == '\n')
            return LINE_BAD_END;
        if (in.p[i] != '\r')
            continue;
        if (i + 1 == in.len)
            return LINE_MORE;
        *len_out = i + 2;
        if (in.p[i + 1] != '\n')
            return LINE_BAD_END;
        bool too_long = i + 2 > (max ? max : line_limit(in));
        if ((too_long || nul) && !max && span_starts(in, "BDAT"))
            return LINE_NO_CHUNK;
        if (too_long)
            return LINE_TOO_LONG;
        return nul ? LINE_NUL : LINE_WHOLE;
    }
    return LINE_MORE;
}

/* EVENT came, and so far FROM to USED are gone from IN. Returns where the next line begins, in.len at the
 * end. */
static size_t check_event(enum line_event event, struct span line, struct span in, size_t from, size_t used,
                          size_t max)
{
    size_t len = 0;
    enum line_event expected = describe(span_of(in.p + from, in.len - from), max, &len);
    require(event == expected);
    if (event == LINE_BAD_END)
        return in.len;
    require(used == from + len);
    if (event == LINE_WHOLE)
        require(line.p == in.p + from && line.len == len - 2);
    else
        require(line.len == 0);
    return used;
}

static void read_all(struct span in, size_t step, size_t max)
{
    struct line_reader reader = {0};
    size_t from = 0, used = 0, end = 0;
    while (end < in.len) {
        end = in.len - end < step ? in.len : end + step;
        enum line_event event = LINE_WHOLE;
        while (event != LINE_MORE && used < end) {
            struct span line;
            size_t n;
            event = line_read(&reader, span_of(in.p + used, end - used), max, &line, &n);
            require(n <= end - used);
            used += n;
            if (event == LINE_MORE)
                break;
            from = check_event(event, line, in, from, used, max);
            if (event == LINE_BAD_END)
                return;
        }
        /* What is kept in memory for an unfinished line is bounded, whoever sends it. */
        require(end - used <= step + (max ? max : LINE_AUTH_MAX));
    }
    size_t len;
    require(from == in.len || describe(span_of(in.p + from, in.len - from), max, &len) == LINE_MORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const size_t limits[] = {0, 2, 16, LINE_COMMAND_MAX, LINE_AUTH_MAX};
    if (len < 2)
        return 0;
    size_t max = limits[bytes[1] % (sizeof limits / sizeof limits[0])];
    struct span in = span_of(bytes + 2, len - 2);
    read_all(in, in.len ? in.len : 1, max);
    read_all(in, 1u + bytes[0], max);
    return 0;
}
