/* What a notification says to a person. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/delivery/dsn_address.h"
#include "gateway/delivery/dsn_private.h"

#define WIDTH 76 /* also of a line in quoted-printable, RFC 2045 §6.7 */
#define WORDS_MAX ((size_t)4 << 20)

static const char passed_on[] =
    "Their mail server has taken the message, but does not report whether it reaches them. You will hear no "
    "more of it from this gateway.";

/* Words filled into lines, each after INDENT. */
static void put_wrapped(struct buf *out, const char *text, const char *indent)
{
    size_t column = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > WIDTH) {
            buf_append_str(out, "\r\n");
            column = 0;
        }
        if (column == 0) {
            buf_append_str(out, indent);
            column = strlen(indent);
        } else {
            buf_append_char(out, ' ');
            column++;
        }
        buf_append(out, text, word);
        column += word;
        text += word + strspn(text + word, " ");
    }
    buf_append_str(out, "\r\n");
}

static size_t count(const struct dsn *dsn, bool relayed)
{
    size_t n = 0;
    for (size_t i = 0; i < dsn->n; i++)
        n += dsn_is_relayed(dsn->recipients[i]) == relayed;
    return n;
}

static void put_recipients(const struct dsn *dsn, bool relayed, struct buf *out)
{
    for (size_t i = 0; i < dsn->n; i++) {
        const struct recipient *r = dsn->recipients[i];
        if (dsn_is_relayed(r) != relayed)
            continue;
        buf_append_str(out, "\r\n  ");
        dsn_put_shown(out, r->lease->address);
        buf_append_str(out, "\r\n");
        put_wrapped(out, r->result.text, "    ");
        if (relayed)
            continue;
        buf_append_str(out, "\r\n");
        put_wrapped(out, dsn_advice(&r->result), "    ");
    }
}

static void put_text(const struct dsn *dsn, struct buf *out)
{
    char date[CLOCK_RFC5322_SIZE];
    char text[200];
    clock_rfc5322(dsn->received_ms, date);
    snprintf(text, sizeof text, "This is the mail gateway %.100s.", dsn->hostname);
    put_wrapped(out, text, "");
    if (count(dsn, false) > 0) {
        buf_append_str(out, "\r\n");
        snprintf(text, sizeof text, "The message that you sent on %s could not be delivered to:", date);
        put_wrapped(out, text, "");
        put_recipients(dsn, false, out);
    }
    if (count(dsn, true) > 0) {
        buf_append_str(out, "\r\n");
        snprintf(text, sizeof text, "The message that you sent on %s was passed on for:", date);
        put_wrapped(out, text, "");
        put_recipients(dsn, true, out);
        buf_append_str(out, "\r\n");
        put_wrapped(out, passed_on, "");
    }
    buf_append_str(out, "\r\nThe header of your message is attached. Its content is not.\r\n");
}

static bool is_seven_bit(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.p[i] > 0x7f)
            return false;
    return true;
}

/* RFC 2045 §6.7 for CRLF lines that never end in a space. */
static void put_quoted_printable(struct buf *out, struct span text)
{
    size_t column = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '\r' || c == '\n') {
            buf_append_char(out, (char)c);
            column = 0;
            continue;
        }
        bool literal = c >= ' ' && c < 0x7f && c != '=';
        if (column + (literal ? 1 : 3) >= WIDTH) {
            buf_append_str(out, "=\r\n");
            column = 0;
        }
        if (literal)
            buf_append_char(out, (char)c);
        else
            buf_printf(out, "=%02X", c);
        column += literal ? 1 : 3;
    }
}

void dsn_put_words(const struct dsn *dsn, struct buf *out)
{
    struct buf text;
    buf_init(&text, WORDS_MAX);
    put_text(dsn, &text);
    if (is_seven_bit(buf_span(&text))) {
        dsn_put_part(dsn, "text/plain; charset=us-ascii", "7bit", out);
        buf_append_span(out, buf_span(&text));
    } else {
        dsn_put_part(dsn, "text/plain; charset=utf-8", "quoted-printable", out);
        put_quoted_printable(out, buf_span(&text));
    }
    if (text.failed)
        out->failed = true;
    buf_free(&text);
}
