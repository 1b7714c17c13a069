/*
 * The client's side of the grammar: the next hop's replies and its EHLO list (A22) end in a bounded printable
 * text or a refusal, and what is dot-stuffed on the way out comes back as it was (A2). Input: a byte that
 * says how long the pieces are, then a reply, or a message.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/dot_stuff.h"
#include "gateway/wire/ehlo.h"
#include "gateway/wire/end_of_data.h"
#include "gateway/wire/reply_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(int truth)
{
    if (!truth)
        abort();
}

static void check_text(const struct reply_parser *p)
{
    char text[REPLY_TEXT_MAX + 1];
    reply_parse_text(p, text);
    require(strlen(text) <= REPLY_TEXT_MAX);
    for (const char *c = text; *c; c++)
        require(*c >= ' ' && *c <= '~');
}

/* Every reply in the input, until one is refused or unfinished. */
static void read_replies(struct span in)
{
    struct reply_parser p;
    struct ehlo ehlo;
    struct error err;
    size_t used;
    bool done = true;
    while (done && in.len > 0) {
        reply_parse_start(&p);
        if (reply_parse(&p, in, &used, &done, &err) != STATUS_OK)
            return;
        require(used <= in.len && p.n_lines <= REPLY_LINES_MAX && p.len <= REPLY_KEPT_MAX);
        if (done) {
            require(used > 0 && p.code >= 100 && p.code <= 599);
            check_text(&p);
            ehlo_parse(span_of(p.text, p.len), &ehlo);
        }
        in = span_of(in.p + used, in.len - used);
    }
}

static void check_round_trip(struct span message, struct span stuffed)
{
    struct end_of_data eod;
    char *back = malloc(stuffed.len + 1);
    size_t n = 0;
    end_of_data_init(&eod);
    require(back && end_of_data_feed(&eod, stuffed, back, &n) == stuffed.len);
    require(eod.state == END_OF_DATA_DONE && !eod.bare_line_end);
    /* A last line without CRLF got one. */
    require(n == message.len || n == message.len + 2);
    require(message.len == 0 || memcmp(back, message.p, message.len) == 0);
    free(back);
}

static void stuff(struct span message, size_t step)
{
    struct dot_stuffer s;
    struct buf out;
    struct error err;
    enum status st = STATUS_OK;
    buf_init(&out, 2 * message.len + 16);
    dot_stuff_start(&s);
    for (size_t at = 0; at < message.len && st == STATUS_OK; at += step)
        st = dot_stuff(&s, span_of(message.p + at, message.len - at < step ? message.len - at : step), &out,
                       &err);
    if (st == STATUS_OK)
        st = dot_stuff_end(&s, &out, &err);
    require((st == STATUS_OK) == (dot_stuff_check(message, &err) == STATUS_OK));
    if (st == STATUS_OK)
        check_round_trip(message, buf_span(&out));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 1)
        return 0;
    struct span in = span_of(bytes + 1, len - 1);
    read_replies(in);
    stuff(in, (size_t)bytes[0] % 32 + 1);
    return 0;
}
