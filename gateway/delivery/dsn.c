#include "gateway/delivery/dsn.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

#define WIDTH 76
#define HEADER_LINE_MAX 998 /* RFC 5322 §2.1.1 */
#define HEADER_SHOWN_MAX ((size_t)64 << 10)

bool dsn_is_wanted(const struct recipient *r)
{
    const char *notify = r->lease->notify;
    return !notify || strcasestr(notify, "FAILURE");
}

static bool is_ascii(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f)
            return false;
    return true;
}

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

/* RFC 3464 §2.3.1, and RFC 6533 §3 in its 7-bit form for international addresses. */
static void put_address(struct buf *out, const char *address)
{
    if (is_ascii(address)) {
        buf_printf(out, "rfc822; %s", address);
        return;
    }
    buf_append_str(out, "utf-8; ");
    const unsigned char *p = (const unsigned char *)address;
    while (*p) {
        unsigned extra = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
        unsigned code = *p++ & (extra == 3 ? 0x07u : extra == 2 ? 0x0fu : extra == 1 ? 0x1fu : 0xffu);
        for (; extra > 0 && (*p & 0xc0) == 0x80; extra--)
            code = code << 6 | (*p++ & 0x3fu);
        if (code > ' ' && code < 0x7f && code != '\\' && code != '+' && code != '=')
            buf_append_char(out, (char)code);
        else
            buf_printf(out, "\\x{%X}", code);
    }
}

static void put_shown_address(struct buf *out, const char *address)
{
    for (; *address; address++)
        buf_append_char(out, is_ascii((char[]){*address, '\0'}) ? *address : '?');
}

static void put_header(const struct dsn *dsn, struct buf *out)
{
    char date[CLOCK_RFC5322_SIZE];
    clock_rfc5322(dsn->now_ms, date);
    buf_printf(out, "Date: %s\r\n", date);
    buf_printf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n", dsn->hostname);
    /* An international address cannot stand in a 7-bit header; the envelope has it. */
    if (is_ascii(dsn->to))
        buf_printf(out, "To: <%s>\r\n", dsn->to);
    buf_append_str(out, "Subject: Your message could not be delivered\r\n");
    buf_printf(out, "Message-ID: <%s@%s>\r\n", dsn->id, dsn->hostname);
    buf_append_str(out, "Auto-Submitted: auto-replied\r\n" /* RFC 3834 §5 */
                        "MIME-Version: 1.0\r\n"
                        "Content-Type: multipart/report; report-type=delivery-status;\r\n");
    buf_printf(out, " boundary=\"=_%s\"\r\n", dsn->id);
    buf_append_str(out, "Content-Transfer-Encoding: 7bit\r\n\r\n");
}

static void put_part(const struct dsn *dsn, const char *type, struct buf *out)
{
    buf_printf(out, "\r\n--=_%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: 7bit\r\n\r\n", dsn->id,
               type);
}

static void put_words(const struct dsn *dsn, struct buf *out)
{
    char date[CLOCK_RFC5322_SIZE];
    char text[200];
    clock_rfc5322(dsn->received_ms, date);
    put_part(dsn, "text/plain; charset=us-ascii", out);
    snprintf(text, sizeof text, "This is the mail gateway %.100s.", dsn->hostname);
    put_wrapped(out, text, "");
    buf_append_str(out, "\r\n");
    snprintf(text, sizeof text, "The message that you sent on %s could not be delivered to:", date);
    put_wrapped(out, text, "");
    for (size_t i = 0; i < dsn->n; i++) {
        const struct recipient *r = dsn->recipients[i];
        buf_append_str(out, "\r\n  ");
        put_shown_address(out, r->lease->address);
        buf_append_str(out, "\r\n");
        put_wrapped(out, r->result.text, "    ");
        buf_append_str(out, "\r\n");
        put_wrapped(out, dsn_advice(&r->result), "    ");
    }
    buf_append_str(out, "\r\nThe header of your message is attached. Its content is not.\r\n");
}

/* RFC 3464 §2.3.4: the class is 4 or 5 where the action is "failed". */
static void put_recipient(const struct dsn *dsn, const struct recipient *r, struct buf *out)
{
    char date[CLOCK_RFC5322_SIZE];
    clock_rfc5322(dsn->now_ms, date);
    buf_append_str(out, "\r\n");
    if (r->lease->orcpt && is_ascii(r->lease->orcpt))
        buf_printf(out, "Original-Recipient: %s\r\n", r->lease->orcpt);
    buf_append_str(out, "Final-Recipient: ");
    put_address(out, r->lease->address);
    buf_printf(out, "\r\nAction: failed\r\nStatus: %s\r\n", r->result.status);
    if (r->host)
        buf_printf(out, "Remote-MTA: dns; %.*s\r\n", (int)strcspn(r->host, " "), r->host);
    /* Only a reply of another server is a diagnostic "smtp" (§2.3.6). */
    bool reply = r->host && isdigit((unsigned char)r->result.text[0]);
    buf_printf(out, "Diagnostic-Code: %s; %s\r\n", reply ? "smtp" : "x-sealgate", r->result.text);
    buf_printf(out, "Last-Attempt-Date: %s\r\n", date);
}

static void put_status(const struct dsn *dsn, struct buf *out)
{
    char date[CLOCK_RFC5322_SIZE];
    clock_rfc5322(dsn->received_ms, date);
    put_part(dsn, "message/delivery-status", out);
    buf_printf(out, "Reporting-MTA: dns; %s\r\nArrival-Date: %s\r\n", dsn->hostname, date);
    for (size_t i = 0; i < dsn->n; i++)
        put_recipient(dsn, dsn->recipients[i], out);
}

/* One line of the original header, made safe: no byte over 127, no control character, no endless line (A2).
 */
static void put_header_line(struct span line, struct buf *out)
{
    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    for (size_t i = 0; i < line.len && i < HEADER_LINE_MAX; i++) {
        unsigned char c = (unsigned char)line.p[i];
        buf_append_char(out, (c >= ' ' && c < 0x7f) || c == '\t' ? (char)c : '?');
    }
    buf_append_str(out, "\r\n");
}

static void put_original(const struct dsn *dsn, struct buf *out)
{
    struct span rest = dsn->header;
    if (rest.len > HEADER_SHOWN_MAX)
        rest.len = HEADER_SHOWN_MAX;
    put_part(dsn, "text/rfc822-headers", out);
    while (rest.len > 0) {
        const char *lf = memchr(rest.p, '\n', rest.len);
        size_t len = lf ? (size_t)(lf - rest.p) : rest.len;
        put_header_line(span_of(rest.p, len), out);
        size_t step = lf ? len + 1 : len;
        rest = span_of(rest.p + step, rest.len - step);
    }
}

void dsn_write(const struct dsn *dsn, struct buf *out)
{
    put_header(dsn, out);
    put_words(dsn, out);
    put_status(dsn, out);
    put_original(dsn, out);
    buf_printf(out, "\r\n--=_%s--\r\n", dsn->id);
}
