/* message/delivery-status: what became of each recipient, for programs (RFC 3464 §2). */
#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/delivery/dsn_address.h"
#include "gateway/delivery/dsn_private.h"
#include "gateway/wire/orcpt.h"
#include "gateway/wire/xtext.h"

#define VALUE_MAX ORCPT_MAX
#define OUR_VALUE_MAX 1000 /* bytes of a value that we make */
#define LINE_LENGTH 78     /* RFC 5322 §2.1.1: should be no longer */

/* Single spaces alone: behind a run of them a line could be of blanks only (RFC 5322 §3.2.2). */
static bool may_break_at(struct span value, size_t at)
{
    return at > 0 && at + 1 < value.len && value.p[at] == ' ' && value.p[at - 1] != ' ' &&
           value.p[at + 1] != ' ';
}

/* The length of what stands in VALUE from AT up to the next place where the line may be broken. */
static size_t piece_at(struct span value, size_t at)
{
    size_t end = at + 1;
    while (end < value.len && !may_break_at(value, end))
        end++;
    return end - at;
}

/*
 * Where the line would be too long, it is broken before a space: without the line ends the value is what it
 * was (RFC 5322 §2.2.3). A piece without a space stays whole, for which VALUE_MAX and OUR_VALUE_MAX leave
 * room in a line.
 */
static void put_folded(struct buf *out, const char *name, struct span value)
{
    size_t column = strlen(name) + 2;
    buf_printf(out, "%s: ", name);
    for (size_t at = 0, len; at < value.len; at += len) {
        len = piece_at(value, at);
        if (at > 0 && column + len > LINE_LENGTH) {
            buf_append_str(out, "\r\n");
            column = 0;
        }
        buf_append(out, value.p + at, len);
        column += len;
    }
    buf_append_str(out, "\r\n");
}

/* A field whose value comes from outside stands there whole or not at all. */
static void put_field(struct buf *out, const char *name, const struct buf *value)
{
    if (!value->failed && value->len > 0)
        put_folded(out, name, buf_span(value));
}

static void put_original_recipient(const struct recipient *r, struct buf *out)
{
    struct buf value;
    buf_init(&value, VALUE_MAX);
    if (r->lease->orcpt && dsn_put_orcpt(&value, r->lease->orcpt))
        put_field(out, "Original-Recipient", &value);
    buf_free(&value);
}

/* §2.3.4: the class is 2 where the action is "relayed", 4 where it is "delayed", 4 or 5 where it is "failed".
 */
static const char *status_of(const struct recipient *r)
{
    switch (dsn_action(r)) {
    case DSN_RELAYED:
        return r->result.status[0] == '2' ? r->result.status : "2.0.0";
    case DSN_DELAYED:
        return r->result.status[0] == '4' ? r->result.status : "4.0.0";
    case DSN_FAILED:
        break;
    }
    return r->result.status;
}

static void put_final_recipient(const struct recipient *r, struct buf *out)
{
    struct buf value;
    buf_init(&value, OUR_VALUE_MAX);
    dsn_put_address(&value, r->lease->address);
    out->failed |= value.failed;
    put_field(out, "Final-Recipient", &value);
    buf_free(&value);
}

/* Only a reply of another server is a diagnostic "smtp" (RFC 3464 §2.3.6). */
static void put_diagnostic(const struct recipient *r, struct buf *out)
{
    struct buf value;
    buf_init(&value, OUR_VALUE_MAX);
    buf_printf(&value, "%s; %s", r->result.is_reply ? "smtp" : "x-sealgate", r->result.text);
    out->failed |= value.failed;
    put_field(out, "Diagnostic-Code", &value);
    buf_free(&value);
}

static void put_recipient(const struct dsn *dsn, const struct recipient *r, struct buf *out)
{
    static const char *const actions[] = {
        [DSN_FAILED] = "failed", [DSN_DELAYED] = "delayed", [DSN_RELAYED] = "relayed"};
    char date[CLOCK_RFC5322_SIZE];
    clock_rfc5322(dsn->now_ms, date);
    buf_append_str(out, "\r\n");
    put_original_recipient(r, out);
    put_final_recipient(r, out);
    buf_printf(out, "Action: %s\r\nStatus: %s\r\n", actions[dsn_action(r)], status_of(r));
    if (r->host)
        buf_printf(out, "Remote-MTA: dns; %.*s\r\n", (int)strcspn(r->host, " "), r->host);
    put_diagnostic(r, out);
    buf_printf(out, "Last-Attempt-Date: %s\r\n", date);
    if (dsn_action(r) == DSN_DELAYED) {
        clock_rfc5322(r->lease->expires_ms, date);
        buf_printf(out, "Will-Retry-Until: %s\r\n", date);
    }
}

static void put_envelope_id(const struct dsn *dsn, struct buf *out)
{
    struct buf value;
    buf_init(&value, VALUE_MAX);
    if (dsn->envid && xtext_decode(span_str(dsn->envid), &value))
        put_field(out, "Original-Envelope-Id", &value);
    buf_free(&value);
}

void dsn_put_status(const struct dsn *dsn, struct buf *out)
{
    char date[CLOCK_RFC5322_SIZE];
    clock_rfc5322(dsn->received_ms, date);
    dsn_put_part(dsn, "message/delivery-status", "7bit", out);
    put_envelope_id(dsn, out);
    buf_printf(out, "Reporting-MTA: dns; %s\r\nArrival-Date: %s\r\n", dsn->hostname, date);
    for (size_t i = 0; i < dsn->n; i++)
        put_recipient(dsn, dsn->recipients[i], out);
}
