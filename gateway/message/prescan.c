#include "gateway/message/prescan.h"

#include <stdint.h>
#include <stdlib.h>

#include "gateway/message/media.h"

/* A multipart that is open: its parts stand between lines "--boundary". */
struct level {
    struct span boundary;
    unsigned depth; /* of its parts */
    bool digest;
};

struct scan {
    const struct prescan_limits *limits;
    struct level *levels; /* innermost last; never more than limits->depth_max; owned */
    size_t n_levels;
    unsigned depth; /* of what is being read */
    unsigned parts;
    bool wary; /* something was unclear: from there on every line with "--" could open a part */
    bool digest_seen;

    bool in_header;
    bool of_part; /* the header began behind a boundary, not that of a message */
    size_t header_bytes;
    unsigned fields;
    struct span field; /* the one being read, with its folds so far */
    struct media media;

    struct error *err;
};

enum hit { HIT_NONE, HIT_OPEN, HIT_CLOSE };

static void begin_header(struct scan *scan, bool of_part)
{
    scan->in_header = true;
    scan->of_part = of_part;
    scan->header_bytes = 0;
    scan->fields = 0;
    scan->field = span_of(NULL, 0);
    scan->media = (struct media){0};
}

static void end_field(struct scan *scan)
{
    struct header_field field;
    struct span at = scan->field;
    if (header_next(&at, &field))
        media_add(&scan->media, &field);
    scan->field = span_of(NULL, 0);
}

static enum status go_deeper(struct scan *scan)
{
    if (scan->depth >= scan->limits->depth_max)
        return error_set(scan->err, STATUS_LIMIT, "MIME parts nested deeper than %u",
                         scan->limits->depth_max);
    scan->depth++;
    return STATUS_OK;
}

static enum status count_part(struct scan *scan)
{
    if (scan->parts >= scan->limits->parts_max)
        return error_set(scan->err, STATUS_LIMIT, "more than %u MIME parts", scan->limits->parts_max);
    scan->parts++;
    return STATUS_OK;
}

static enum status open_level(struct scan *scan)
{
    enum status status = go_deeper(scan);
    if (status != STATUS_OK)
        return status;
    const struct media *media = &scan->media;
    if (media->boundary.len == 0)
        return STATUS_OK;
    struct level *grown = reallocarray(scan->levels, scan->n_levels + 1, sizeof *grown);
    if (!grown)
        return error_set(scan->err, STATUS_TEMPORARY, "out of memory for nested MIME parts");
    scan->levels = grown;
    scan->levels[scan->n_levels++] =
        (struct level){.boundary = media->boundary, .depth = scan->depth, .digest = media->digest};
    return STATUS_OK;
}

/* A message inside this part? In a digest also when the part does not say what it is (RFC 2046 §5.1.5). */
static bool holds_message(const struct scan *scan)
{
    const struct media *media = &scan->media;
    bool digest = scan->n_levels > 0 && scan->levels[scan->n_levels - 1].digest;
    if (scan->wary)
        return media->message || (scan->digest_seen && scan->of_part && !media->typed);
    return (media->message || (digest && scan->of_part && !media->typed)) && !media->encoded;
}

/* Counts what the header read so far says of its part. */
static enum status count_nesting(struct scan *scan, bool *message_out)
{
    end_field(scan);
    *message_out = holds_message(scan);
    scan->wary = scan->wary || scan->media.unclear || (*message_out && scan->media.odd_encoding);
    scan->digest_seen = scan->digest_seen || scan->media.digest;
    enum status status = STATUS_OK;
    if (scan->media.multipart)
        status = open_level(scan);
    if (status == STATUS_OK && *message_out)
        status = go_deeper(scan);
    if (status == STATUS_OK && *message_out)
        status = count_part(scan);
    return status;
}

static enum status end_header(struct scan *scan)
{
    bool message;
    enum status status = count_nesting(scan, &message);
    scan->in_header = false;
    if (message)
        begin_header(scan, false);
    return status;
}

static bool is_blank_rest(struct span line, size_t from)
{
    for (size_t i = from; i < line.len; i++) {
        if (!strchr(" \t\r\n\v\f", line.p[i]) || line.p[i] == '\0')
            return false;
    }
    return true;
}

/* RFC 2046 §5.1.1: "--" boundary, or "--" boundary "--", and white space. */
static enum hit hit_of(struct span boundary, struct span line)
{
    size_t end = 2 + boundary.len;
    if (line.len < end || memcmp(line.p + 2, boundary.p, boundary.len) != 0)
        return HIT_NONE;
    if (line.len >= end + 2 && line.p[end] == '-' && line.p[end + 1] == '-' && is_blank_rest(line, end + 2))
        return HIT_CLOSE;
    return is_blank_rest(line, end) ? HIT_OPEN : HIT_NONE;
}

static bool has_dashes(struct span line)
{
    return line.len >= 2 && line.p[0] == '-' && line.p[1] == '-';
}

/* The innermost level that the line belongs to. */
static enum hit find_level(const struct scan *scan, struct span line, size_t *level_out)
{
    for (size_t i = scan->n_levels; i > 0; i--) {
        enum hit hit = hit_of(scan->levels[i - 1].boundary, line);
        if (hit != HIT_NONE) {
            *level_out = i - 1;
            return hit;
        }
    }
    return HIT_NONE;
}

/* A boundary ends a header that has no empty line; a multipart begun there is open already. */
static enum status take_boundary(struct scan *scan, struct span line)
{
    enum status status = scan->in_header ? end_header(scan) : STATUS_OK;
    if (status == STATUS_OK && scan->wary) {
        begin_header(scan, true);
        return count_part(scan);
    }
    size_t level = 0;
    enum hit hit = find_level(scan, line, &level);
    if (status != STATUS_OK || hit == HIT_NONE)
        return status;
    scan->depth = scan->levels[level].depth;
    if (hit == HIT_CLOSE) {
        scan->n_levels = level;
        scan->in_header = false;
        return STATUS_OK;
    }
    scan->n_levels = level + 1;
    begin_header(scan, true);
    return count_part(scan);
}

/*
 * When wary: perhaps a boundary. A part is counted, but nothing is closed, so that depth only grows; a
 * header that is being read may end here as well as go on, so it is counted and yet not forgotten.
 */
static enum status take_doubtful(struct scan *scan)
{
    enum status status = STATUS_OK;
    bool message;
    if (scan->in_header)
        status = count_nesting(scan, &message);
    else
        begin_header(scan, true);
    scan->of_part = true;
    scan->media.typed = false;
    return status == STATUS_OK ? count_part(scan) : status;
}

static bool is_boundary(const struct scan *scan, struct span line)
{
    size_t level;
    return find_level(scan, line, &level) != HIT_NONE;
}

static enum status take_header_line(struct scan *scan, struct span line)
{
    const struct prescan_limits *limits = scan->limits;
    scan->header_bytes += line.len;
    if (scan->header_bytes > limits->header_max)
        return error_set(scan->err, STATUS_LIMIT, "a header larger than %zu bytes", limits->header_max);
    if (scan->field.len > 0 && (line.p[0] == ' ' || line.p[0] == '\t')) {
        scan->field.len += line.len;
    } else {
        end_field(scan);
        scan->field = line;
        if (++scan->fields > limits->fields_max)
            return error_set(scan->err, STATUS_LIMIT, "more than %u fields in a header", limits->fields_max);
    }
    if (scan->field.len > limits->field_max)
        return error_set(scan->err, STATUS_LIMIT, "a header field larger than %zu bytes", limits->field_max);
    return STATUS_OK;
}

static enum status take_line(struct scan *scan, struct span line)
{
    if (has_dashes(line) && scan->wary)
        return take_doubtful(scan);
    if (has_dashes(line) && is_boundary(scan, line))
        return take_boundary(scan, line);
    if (!scan->in_header)
        return STATUS_OK;
    if (message_line_is_empty(line))
        return end_header(scan);
    return take_header_line(scan, line);
}

enum status prescan_message(struct span message, const struct prescan_limits *limits, struct error *err)
{
    struct scan scan = {.limits = limits, .err = err};
    enum status status = STATUS_OK;
    begin_header(&scan, false);
    while (message.len > 0 && status == STATUS_OK)
        status = take_line(&scan, message_line(&message));
    if (status == STATUS_OK && scan.in_header)
        status = end_header(&scan);
    free(scan.levels);
    return status;
}
