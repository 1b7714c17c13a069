#include "gateway/wire/line.h"

size_t line_limit(struct span start)
{
    if (span_starts(start, "AUTH "))
        return LINE_AUTH_MAX;
    if (span_starts(start, "MAIL "))
        return LINE_MAIL_MAX;
    if (span_starts(start, "RCPT "))
        return LINE_RCPT_MAX;
    return LINE_COMMAND_MAX;
}

enum scan { SCAN_MORE, SCAN_END, SCAN_BAD };

/* Finds CRLF from READER->seen on; AT_OUT is where its CR stands. A CR that is the last byte is looked at
 * again with more input. */
static enum scan scan(struct line_reader *reader, struct span input, size_t *at_out)
{
    for (size_t i = reader->seen; i < input.len; i++) {
        char c = input.p[i];
        if (c == '\0')
            reader->nul = true;
        if (c == '\n')
            return SCAN_BAD;
        if (c != '\r')
            continue;
        if (i + 1 == input.len) {
            reader->seen = i;
            return SCAN_MORE;
        }
        if (input.p[i + 1] != '\n')
            return SCAN_BAD;
        *at_out = i;
        return SCAN_END;
    }
    reader->seen = input.len;
    return SCAN_MORE;
}

/* No line end yet. Over the limit, what was looked at is thrown away; a last CR stays. */
static enum line_event wait_for_more(struct line_reader *reader, struct span input, size_t max,
                                     bool is_command, size_t *used_out)
{
    if (!reader->too_long && input.len < max)
        return LINE_MORE;
    if (!reader->too_long)
        reader->chunk = is_command && span_starts(input, "BDAT");
    reader->too_long = true;
    reader->swallowed += reader->seen;
    *used_out = reader->seen;
    reader->seen = 0;
    return reader->swallowed > LINE_SWALLOW_MAX ? LINE_FLOOD : LINE_MORE;
}

enum line_event line_read(struct line_reader *reader, struct span input, size_t max, struct span *line_out,
                          size_t *used_out)
{
    size_t end = 0;
    bool is_command = max == 0;
    if (is_command)
        max = line_limit(input);
    *line_out = span_of(NULL, 0);
    *used_out = 0;
    switch (scan(reader, input, &end)) {
    case SCAN_MORE:
        return wait_for_more(reader, input, max, is_command, used_out);
    case SCAN_BAD:
        *used_out = input.len;
        *reader = (struct line_reader){0};
        return LINE_BAD_END;
    case SCAN_END:
        break;
    }
    *used_out = end + 2;
    enum line_event event = LINE_WHOLE;
    bool chunk = reader->too_long ? reader->chunk : is_command && span_starts(input, "BDAT");
    if (chunk && (reader->too_long || reader->nul || end + 2 > max))
        event = LINE_NO_CHUNK;
    else if (reader->too_long || end + 2 > max)
        event = LINE_TOO_LONG;
    else if (reader->nul)
        event = LINE_NUL;
    else
        *line_out = span_of(input.p, end);
    *reader = (struct line_reader){0};
    return event;
}
