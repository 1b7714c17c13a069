#include "gateway/delivery/dsn.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "gateway/delivery/dsn_address.h"
#include "gateway/delivery/dsn_private.h"
#include "gateway/message/header.h"
#include "gateway/message/outer.h"

#define HEADER_LINE_MAX 998 /* RFC 5322 §2.1.1 */
#define HEADER_SHOWN_MAX ((size_t)64 << 10)

bool dsn_is_wanted(const struct recipient *r, enum delivery_outcome outcome)
{
    const char *notify = r->lease->notify;
    switch (outcome) {
    case OUTCOME_BOUNCED:
        return !notify || strcasestr(notify, "FAILURE");
    case OUTCOME_DELIVERED:
        return notify && strcasestr(notify, "SUCCESS") && !r->dsn_known;
    case OUTCOME_DEFERRED:
        return r->late && !r->lease->delay_told && (!notify || strcasestr(notify, "DELAY"));
    }
    return false;
}

size_t dsn_count(const struct dsn *dsn, enum dsn_action action)
{
    size_t n = 0;
    for (size_t i = 0; i < dsn->n; i++)
        n += dsn_action(dsn->recipients[i]) == action;
    return n;
}

/* The worst first. */
static const char *subject(const struct dsn *dsn)
{
    if (dsn_count(dsn, DSN_FAILED) > 0)
        return "Your message could not be delivered";
    return dsn_count(dsn, DSN_DELAYED) > 0 ? "Your message is delayed" : "Your message was passed on";
}

static void put_header(const struct dsn *dsn, struct buf *out)
{
    char date[CLOCK_RFC5322_SIZE];
    clock_rfc5322(dsn->now_ms, date);
    buf_printf(out, "Date: %s\r\n", date);
    buf_printf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\n", dsn->hostname);
    /* An international address cannot stand in a 7-bit header; the envelope has it. */
    if (dsn_is_printable(dsn->to))
        buf_printf(out, "To: <%s>\r\n", dsn->to);
    buf_printf(out, "Subject: %s\r\n", subject(dsn));
    buf_printf(out, "Message-ID: <%s@%s>\r\n", dsn->id, dsn->hostname);
    if (dsn->tls_optional)
        buf_append_str(out, "TLS-Required: No\r\n");
    buf_append_str(out, "Auto-Submitted: auto-replied\r\n" /* RFC 3834 §5 */
                        "MIME-Version: 1.0\r\n"
                        "Content-Type: multipart/report; report-type=delivery-status;\r\n");
    buf_printf(out, " boundary=\"=_%s\"\r\n", dsn->id);
    buf_append_str(out, "Content-Transfer-Encoding: 7bit\r\n\r\n");
}

void dsn_put_part(const struct dsn *dsn, const char *type, const char *encoding, struct buf *out)
{
    buf_printf(out, "\r\n--=_%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: %s\r\n\r\n", dsn->id, type,
               encoding);
}

/* One line of the original header, made safe: no byte over 127, no control character, no endless line (A2).
 */
static void put_header_line(struct span line, struct buf *out)
{
    if (line.len > 0 && line.p[line.len - 1] == '\n')
        line.len--;
    if (line.len > 0 && line.p[line.len - 1] == '\r')
        line.len--;
    for (size_t i = 0; i < line.len && i < HEADER_LINE_MAX; i++) {
        unsigned char c = (unsigned char)line.p[i];
        buf_append_char(out, (c >= ' ' && c < 0x7f) || c == '\t' ? (char)c : '?');
    }
    buf_append_str(out, "\r\n");
}

/* Fields alone: a message without an empty line has its text among them. */
static void put_original(const struct dsn *dsn, struct buf *out)
{
    struct span rest = dsn->header;
    struct header_field field;
    if (rest.len > HEADER_SHOWN_MAX)
        rest.len = HEADER_SHOWN_MAX;
    dsn_put_part(dsn, "text/rfc822-headers", "7bit", out);
    while (header_next(&rest, &field)) {
        if (dsn->as_sealed && !outer_stands_outside(&field))
            continue;
        if (dsn->as_sealed && span_is(field.name, "Subject"))
            field.raw = span_str(OUTER_SUBJECT_HIDDEN);
        while (field.name.len > 0 && field.raw.len > 0)
            put_header_line(message_line(&field.raw), out);
    }
}

void dsn_write(const struct dsn *dsn, struct buf *out)
{
    put_header(dsn, out);
    dsn_put_words(dsn, out);
    dsn_put_status(dsn, out);
    put_original(dsn, out);
    buf_printf(out, "\r\n--=_%s--\r\n", dsn->id);
}
