#include "gateway/message/protect_outer.h"

#include <gmime/gmime.h>
#include <stdlib.h>

#include "base/clock.h"
#include "gateway/message/decode.h"
#include "gateway/message/mailbox.h"
#include "gateway/message/outer.h"

#define LINE_LENGTH 78    /* RFC 5322 §2.1.1: should be no longer */
#define OUTSIDE_EXTRA 256 /* bytes that one field may grow by */

static bool is_one_of(struct span name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (span_is(name, names[i]))
            return true;
    return false;
}

static bool is_address_field(struct span name)
{
    static const char *const names[] = {"From",        "Sender",        "Reply-To",  "To",       "Cc",
                                        "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc"};
    return is_one_of(name, names, sizeof names / sizeof *names);
}

static bool is_date_field(struct span name)
{
    return span_is(name, "Date") || span_is(name, "Resent-Date");
}

/* ---- hcp_shy ---- */

struct listing {
    struct buf *out;
    size_t line; /* characters in the last line */
    bool any;
};

static enum status add_address(void *arg, struct span address, struct error *err)
{
    struct listing *listing = arg;
    bool fold = listing->line + address.len + 2 > LINE_LENGTH;
    (void)err;
    if (listing->any)
        buf_append_str(listing->out, fold ? ",\r\n " : ", ");
    listing->line = fold ? address.len + 1 : listing->line + address.len + 2;
    buf_append_span(listing->out, address);
    listing->any = true;
    return STATUS_OK;
}

/* The addresses alone. A From or Sender field that cannot be read strictly stays as it is: who sent it must
 * not change; all others are left out then, since their names cannot be told from their addresses. */
static void shy_addresses(const struct header_field *field, struct buf *out)
{
    size_t start = out->len;
    struct listing listing = {.out = out, .line = field->name.len + 2};
    buf_append_span(out, field->name);
    buf_append_str(out, ": ");
    bool read = mailboxes_each(field->value, add_address, &listing, NULL) == STATUS_OK && listing.any;
    buf_append_str(out, "\r\n");
    if (read)
        return;
    out->len = start;
    if (span_is(field->name, "From") || span_is(field->name, "Sender"))
        header_append(field->raw, out);
}

/* RFC 9788 §3.2.2: the time, but not the sender's zone. */
static void shy_date(const struct header_field *field, struct buf *out)
{
    char *text = header_text(field->value);
    GDateTime *date = g_mime_utils_header_decode_date(text);
    if (date) {
        char utc[CLOCK_RFC5322_SIZE];
        clock_rfc5322(g_date_time_to_unix(date) * 1000, utc);
        buf_append_span(out, field->name);
        buf_printf(out, ": %s\r\n", utc);
        g_date_time_unref(date);
    }
    free(text);
}

/* ---- one field ---- */

/* Appends FIELD as it stands outside; nothing: it does not. What is not encrypted can hide nothing. */
static void append_field(const struct protect_order *order, const struct header_field *field, struct buf *out)
{
    enum protect_policy policy = order->encrypted ? order->policy : PROTECT_HCP_NONE;
    bool shy = policy == PROTECT_HCP_SHY;
    if (policy != PROTECT_HCP_NONE && span_is(field->name, "Subject")) {
        buf_append_str(out, OUTER_SUBJECT_HIDDEN);
    } else if (shy && is_address_field(field->name)) {
        shy_addresses(field, out);
    } else if (shy && is_date_field(field->name)) {
        shy_date(field, out);
    } else {
        header_append(field->raw, out);
    }
}

/* What mail programs show of a header (RFC 9787 §1.1.2), of the fields that a policy changes. */
bool protect_outer_hides(const struct protect_order *order, const struct header_field *field)
{
    struct buf outside;
    bool shown =
        span_is(field->name, "Subject") || is_address_field(field->name) || is_date_field(field->name);
    if (!shown)
        return false;
    buf_init(&outside, 2 * field->raw.len + OUTSIDE_EXTRA);
    append_field(order, field, &outside);
    bool hides = !span_eq(buf_span(&outside), field->raw);
    buf_free(&outside);
    return hides;
}

static bool is_structural(struct span name)
{
    return span_starts(name, "Content-") || span_is(name, "MIME-Version");
}

/* Signed alone, nothing is hidden: all fields stand outside, as they would without a signature. What is no
 * field would end the header for some readers, and stays in the payload. */
static bool stands(const struct protect_order *order, const struct header_field *field)
{
    if (order->encrypted)
        return outer_stands_outside(field);
    return field->name.len > 0 && outer_has_whole_lines(field->raw) && !outer_is_blind(field) &&
           !is_structural(field->name) && !span_is(field->name, "HP-Outer");
}

static enum status append_fields(const struct protect_order *order, struct span header, struct buf *outer,
                                 struct buf *told, struct error *err)
{
    struct header_field field;
    while (header_next(&header, &field)) {
        struct header_field outside;
        size_t start = outer->len;
        if (!stands(order, &field))
            continue;
        append_field(order, &field, outer);
        struct span raw = span_of(outer->data + start, outer->len - start), at = raw;
        if (raw.len == 0 || !header_next(&at, &outside))
            continue;
        enum status st = order->encrypted ? outer_check_charset(&outside, order->smtputf8, err) : STATUS_OK;
        if (st != STATUS_OK)
            return st;
        buf_append_str(told, "HP-Outer: ");
        buf_append_span(told, raw);
    }
    return STATUS_OK;
}

enum status protect_outer(const struct protect_order *order, struct buf *outer, struct buf *told,
                          struct error *err)
{
    struct buf unused;
    buf_init(&unused, told->max);
    buf_append_span(outer, order->front);
    /* The missing fields stand in FRONT already; they are told of as the others are. */
    enum status st = append_fields(order, order->missing, &unused, told, err);
    buf_free(&unused);
    if (st == STATUS_OK)
        st = append_fields(order, order->parts->header, outer, told, err);
    if (st == STATUS_OK)
        st = buf_check(outer, "the outer header", err);
    return st == STATUS_OK ? buf_check(told, "the protected header", err) : st;
}
