#include "gateway/seal/verify.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/seal/content.h"
#include "gateway/seal/pgp_mime.h"
#include "gateway/seal/smime_mime.h"
#include "smime/smime.h"

struct wanted {
    const char *name;
    const char *value; /* NULL: any */
};

static enum status unproven(struct error *err, const char *what)
{
    return error_set(err, STATUS_INTERNAL, "a sealed copy is not right: %s; it was not sent", what);
}

/* Takes LITERAL off the front of *AT. */
static bool take(struct span *at, const char *literal)
{
    size_t len = strlen(literal);
    if (at->len < len || memcmp(at->p, literal, len) != 0)
        return false;
    *at = span_of(at->p + len, at->len - len);
    return true;
}

static bool is_exactly(struct span a, const char *literal)
{
    return span_eq(a, span_str(literal));
}

/* Exactly these fields in this order. */
static bool has_fields(struct span header, const struct wanted *wanted, size_t n)
{
    struct header_field field;
    for (size_t i = 0; i < n; i++)
        if (!header_next(&header, &field) || !is_exactly(field.name, wanted[i].name) ||
            (wanted[i].value && (!take(&field.value, " ") || !is_exactly(field.value, wanted[i].value))))
            return false;
    return header.len == 0;
}

/* Whatever made the outer header: Bcc never leaves, and MIME fields stand once, behind it. */
static enum status check_outer(struct span outer, bool smtputf8, struct error *err)
{
    struct header_field field;
    if (!seal_has_crlf_lines(outer))
        return unproven(err, "its outer header does not end in CRLF");
    for (size_t i = 0; i < outer.len && !smtputf8; i++)
        if ((unsigned char)outer.p[i] > 0x7f)
            return unproven(err, "its outer header is not ASCII");
    while (header_next(&outer, &field)) {
        if (field.name.len == 0)
            return unproven(err, "a line of its outer header is no field");
        if (span_is(field.name, "Bcc") || span_is(field.name, "Resent-Bcc"))
            return unproven(err, "its outer header names Bcc recipients");
        if (span_starts(field.name, "Content-") || span_is(field.name, "MIME-Version"))
            return unproven(err, "its outer header has MIME fields of the inner entity");
    }
    return STATUS_OK;
}

/* Splits COPY behind ORDER's outer header: *MIME_OUT are the fields after it. */
static enum status split_copy(struct span copy, const struct sealed_order *order, struct span *mime_out,
                              struct span *body_out, struct error *err)
{
    struct message_parts parts;
    enum status st = check_outer(order->outer, order->smtputf8, err);
    if (st != STATUS_OK)
        return st;
    message_split(copy, &parts);
    struct span header = parts.header;
    if (header.len < order->outer.len || !span_eq(span_of(header.p, order->outer.len), order->outer))
        return unproven(err, "its header does not begin with the outer header");
    if (!is_exactly(parts.separator, "\r\n"))
        return unproven(err, "it has no body");
    *mime_out = span_of(header.p + order->outer.len, header.len - order->outer.len);
    *body_out = parts.body;
    return STATUS_OK;
}

/* ---- OpenPGP ---- */

static bool read_boundary(struct span mime, char boundary[PGP_MIME_BOUNDARY_SIZE])
{
    struct header_field field;
    if (!header_find(mime, "Content-Type", 0, &field))
        return false;
    struct span at = field.value;
    if (!take(&at, " " PGP_MIME_TYPE ";\r\n boundary=\"") || at.len != PGP_MIME_BOUNDARY_SIZE ||
        at.p[at.len - 1] != '"' || memchr(at.p, '"', at.len - 1))
        return false;
    memcpy(boundary, at.p, at.len - 1);
    boundary[at.len - 1] = '\0';
    return true;
}

static size_t count(struct span in, const char *what)
{
    size_t n = 0;
    const char *at;
    while ((at = memmem(in.p, in.len, what, strlen(what)))) {
        in = span_of(at + 1, in.len - (size_t)(at + 1 - in.p));
        n++;
    }
    return n;
}

/* The two parts, each from behind its delimiter line to before the next one (RFC 2046 §5.1.1). */
static bool cut_parts(struct span body, const char *boundary, struct span parts[2])
{
    char open[PGP_MIME_BOUNDARY_SIZE + 8], next[sizeof open], close[sizeof open];
    snprintf(open, sizeof open, "--%s\r\n", boundary);
    snprintf(next, sizeof next, "\r\n--%s\r\n", boundary);
    snprintf(close, sizeof close, "\r\n--%s--\r\n", boundary);
    /* The boundary stands three times and no more: two parts, nothing nested. */
    if (count(body, boundary) != 3 || !take(&body, open))
        return false;
    const char *second = memmem(body.p, body.len, next, strlen(next));
    if (!second)
        return false;
    parts[0] = span_of(body.p, (size_t)(second - body.p));
    parts[1] = span_of(second + strlen(next), body.len - parts[0].len - strlen(next));
    if (parts[1].len < strlen(close))
        return false;
    parts[1].len -= strlen(close);
    return memcmp(parts[1].p + parts[1].len, close, strlen(close)) == 0;
}

static enum status check_readers(struct span armored, const struct sealed_order *order, struct error *err)
{
    struct pgp_expected *expected = calloc(order->n, sizeof *expected);
    if (!expected)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the check of a sealed copy");
    for (size_t i = 0; i < order->n; i++)
        expected[i] = (struct pgp_expected){.keyids = order->certificates[i]->keyids,
                                            .n_keyids = order->certificates[i]->n_keyids};
    enum status st = pgp_check_message(armored, expected, order->n, order->inner.len, err);
    free(expected);
    return st;
}

static enum status verify_pgp(struct span mime, struct span body, const struct sealed_order *order,
                              struct error *err)
{
    static const struct wanted outside[] = {{"MIME-Version", "1.0"}, {"Content-Type", NULL}};
    static const struct wanted control[] = {{"Content-Type", PGP_MIME_CONTROL_TYPE}};
    static const struct wanted data[] = {{"Content-Type", PGP_MIME_DATA_TYPE},
                                         {"Content-Disposition", PGP_MIME_DATA_DISPOSITION}};
    char boundary[PGP_MIME_BOUNDARY_SIZE];
    struct span parts[2];
    struct message_parts first, second;
    if (!has_fields(mime, outside, 2) || !read_boundary(mime, boundary))
        return unproven(err, "its header does not say multipart/encrypted");
    if (!cut_parts(body, boundary, parts))
        return unproven(err, "its body is not exactly two parts");
    message_split(parts[0], &first);
    message_split(parts[1], &second);
    if (!has_fields(first.header, control, 1) || !is_exactly(first.body, PGP_MIME_CONTROL))
        return unproven(err, "its first part is not \"Version: 1\" alone");
    if (!has_fields(second.header, data, 2) || second.separator.len == 0)
        return unproven(err, "its second part is not application/octet-stream");
    return check_readers(second.body, order, err);
}

/* ---- S/MIME ---- */

static enum status check_enveloped(struct span der, const struct sealed_order *order, struct error *err)
{
    struct smime_check *check = NULL;
    struct smime_recipient *recipients = calloc(order->n, sizeof *recipients);
    if (!recipients)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the check of a sealed copy");
    for (size_t i = 0; i < order->n; i++)
        recipients[i].certificate = buf_span(&order->certificates[i]->bytes);
    struct smime_order whom = {.recipients = recipients, .n = order->n};
    enum status st = smime_check_start(&whom, order->inner.len, &check, err);
    free(recipients);
    if (st == STATUS_OK)
        st = smime_check_feed(check, der, err);
    if (st == STATUS_OK)
        return smime_check_end(check, err);
    smime_check_free(check);
    return st;
}

static enum status verify_smime(struct span mime, struct span body, const struct sealed_order *order,
                                struct error *err)
{
    static const struct wanted outside[] = {{"MIME-Version", "1.0"},
                                            {"Content-Type", SMIME_MIME_TYPE},
                                            {"Content-Transfer-Encoding", SMIME_MIME_ENCODING},
                                            {"Content-Disposition", SMIME_MIME_DISPOSITION}};
    struct buf der;
    if (!has_fields(mime, outside, sizeof outside / sizeof *outside))
        return unproven(err, "its header does not say enveloped-data");
    buf_init(&der, body.len + SMIME_MIME_LINE_BYTES);
    enum status st = smime_mime_decode(body, &der, err);
    if (der.failed)
        st = buf_check(&der, "the check of a sealed copy", err);
    else if (st != STATUS_OK)
        st = unproven(err, "its body is not base64 alone");
    if (st == STATUS_OK)
        st = check_enveloped(buf_span(&der), order, err);
    buf_free(&der);
    return st;
}

enum status verify_copy(struct span copy, const struct sealed_order *order, struct error *err)
{
    struct span mime, body;
    if (!seal_has_crlf_lines(copy))
        return unproven(err, "it has lines that do not end in CRLF");
    enum status st = split_copy(copy, order, &mime, &body, err);
    if (st != STATUS_OK)
        return st;
    return order->format == CERTIFICATE_OPENPGP ? verify_pgp(mime, body, order, err)
                                                : verify_smime(mime, body, order, err);
}
