/*
 * Command lines as a server sees them: line, verb, path, parameters, client name, reply. What is accepted
 * must be clean (A9), and the pieces in which a line comes must not matter. Input: a byte that says how long
 * the pieces are, then what the client sends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "gateway/wire/command.h"
#include "gateway/wire/domain.h"
#include "gateway/wire/line.h"
#include "gateway/wire/orcpt.h"
#include "gateway/wire/param.h"
#include "gateway/wire/path.h"
#include "gateway/wire/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(int truth)
{
    if (!truth)
        abort();
}

static void require_clean(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        require(s.p[i] >= ' ' && s.p[i] < 0x7f);
}

static void require_text(struct span s, bool utf8)
{
    uint32_t c;
    bool seen = false;
    while (s.len > 0) {
        require(utf8_next(&s, &c) && !utf8_is_control(c));
        seen |= c > 0x7f;
    }
    require(seen == utf8);
}

/* What goes into headers of DSNs and into logs holds nothing that ends a line (A9). */
static void check_params(struct span rest)
{
    struct mail_params mail;
    struct rcpt_params rcpt;
    struct span which;
    if (param_parse_mail(rest, &mail, &which) == PARAM_OK) {
        require_clean(mail.envid);
        require(mail.envid.len <= PARAM_ENVID_MAX);
    }
    if (param_parse_rcpt(rest, &rcpt, &which) == PARAM_OK) {
        struct buf ascii;
        buf_init(&ascii, ORCPT_ASCII_MAX);
        orcpt_append_ascii(rcpt.orcpt, &ascii);
        require(!ascii.failed);
        require_clean(buf_span(&ascii));
        require(rcpt.orcpt_8bit || span_eq(buf_span(&ascii), rcpt.orcpt));
        buf_free(&ascii);
    }
}

static void check_paths(struct span text)
{
    for (int forward = 0; forward < 2; forward++) {
        struct path path;
        struct span rest;
        enum path_result result =
            forward ? path_parse_forward(text, &path, &rest) : path_parse_reverse(text, &path, &rest);
        if (result != PATH_OK)
            continue;
        require_text(path.address, path.utf8);
        require(path.address.len + 2 <= PATH_MAX_BYTES);
        require(path.null || path.postmaster || path.domain.len > 0);
        require(!memchr(path.local_part.p ? path.local_part.p : "", '%', path.local_part.len));
        check_params(rest);
    }
}

static void check_reply(struct span text)
{
    struct buf out;
    char *copy = span_dup(text);
    if (!copy)
        return;
    buf_init(&out, 1u << 20);
    reply_format(&out, 550, "5.7.1", copy);
    const char *line = buf_str(&out);
    while (*line) {
        const char *end = strstr(line, "\r\n");
        require(end && end + 2 - line <= REPLY_LINE_MAX && strncmp(line, "550", 3) == 0);
        require_clean(span_of(line, (size_t)(end - line)));
        line = end + 2;
    }
    buf_free(&out);
    free(copy);
}

static void check_line(struct span line)
{
    struct command command;
    check_reply(line);
    if (!command_parse(line, &command))
        return;
    require(command.verb.len > 0);
    if (domain_is_client_name(command.args))
        require_clean(command.args);
    const char *colon = command.args.len ? memchr(command.args.p, ':', command.args.len) : NULL;
    if (colon)
        check_paths(span_of(colon + 1, command.args.len - (size_t)(colon + 1 - command.args.p)));
}

/* Takes lines from IN in pieces of STEP; a sum over the events and lines. */
static uint64_t take_lines(struct span in, size_t step)
{
    struct line_reader reader = {0};
    uint64_t sum = 0;
    size_t start = 0, end = 0;
    while (end < in.len) {
        end = in.len - end < step ? in.len : end + step;
        enum line_event event;
        do {
            struct span line;
            size_t used;
            event = line_read(&reader, span_of(in.p + start, end - start), 0, &line, &used);
            require(used <= end - start);
            start += used;
            if (event == LINE_MORE)
                break;
            sum = sum * 31 + (uint64_t)event * 7 + line.len;
            if (event == LINE_BAD_END || event == LINE_FLOOD)
                return sum;
            if (event == LINE_WHOLE)
                check_line(line);
        } while (start < end);
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return 0;
    struct span in = span_of(bytes + 1, len - 1);
    uint64_t whole = take_lines(in, in.len ? in.len : 1);
    /* Whether a line is over its limit may be known before or after its bad end, by the pieces. */
    if (len < LINE_COMMAND_MAX)
        require(take_lines(in, bytes[0] ? bytes[0] : 1) == whole);
    return 0;
}
