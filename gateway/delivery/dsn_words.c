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

static void put_recipients(const struct dsn *dsn, enum dsn_action action, struct buf *out)
{
    for (size_t i = 0; i < dsn->n; i++) {
        const struct recipient *r = dsn->recipients[i];
        if (dsn_action(r) != action)
            continue;
        buf_append_str(out, "\r\n  ");
        dsn_put_shown(out, r->lease->address);
        buf_append_str(out, "\r\n");
        put_wrapped(out, r->result.text, "    ");
        if (action != DSN_FAILED)
            continue;
        buf_append_str(out, "\r\n");
        put_wrapped(out, dsn_advice(&r->result), "    ");
    }
}

/* "The message that you sent on DATE …", the recipients of whom that is to be said, and what FOLLOWS. */
static void put_section(const struct dsn *dsn, enum dsn_action action, const char *what, const char *follows,
                        struct buf *out)
{
    char date[CLOCK_RFC5322_SIZE];
    char text[200];
    if (dsn_count(dsn, action) == 0)
        return;
    clock_rfc5322(dsn->received_ms, date);
    snprintf(text, sizeof text, "The message that you sent on %s %s:", date, what);
    buf_append_str(out, "\r\n");
    put_wrapped(out, text, "");
    put_recipients(dsn, action, out);
    if (follows) {
        buf_append_str(out, "\r\n");
        put_wrapped(out, follows, "");
    }
}

static int64_t last_try_ms(const struct dsn *dsn)
{
    int64_t last = 0;
    for (size_t i = 0; i < dsn->n; i++)
        if (dsn_action(dsn->recipients[i]) == DSN_DELAYED && dsn->recipients[i]->lease->expires_ms > last)
            last = dsn->recipients[i]->lease->expires_ms;
    return last;
}

static void put_text(const struct dsn *dsn, struct buf *out)
{
    char date[CLOCK_RFC5322_SIZE];
    char text[300];
    snprintf(text, sizeof text, "This is the mail gateway %.100s.", dsn->hostname);
    put_wrapped(out, text, "");
    put_section(dsn, DSN_FAILED, "could not be delivered to", NULL, out);
    clock_rfc5322(last_try_ms(dsn), date);
    snprintf(
        text, sizeof text,
        "You need not send it again: this gateway goes on trying until %s, and tells you if it gives up. "
        "If it is urgent, reach the recipient by other means.",
        date);
    put_section(dsn, DSN_DELAYED, "has not been delivered yet to", text, out);
    put_section(dsn, DSN_RELAYED, "was passed on for", passed_on, out);
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
