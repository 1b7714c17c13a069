#include <stdlib.h>

#include "pgp/armor.h"
#include "pgp/pgp.h"
#include "pgp/transferable.h"

/* Bytes of a file with certificates: whole keyrings fit, an answer without end does not (A14). */
#define FILE_MAX (32u << 20)

static enum status append_one(struct span *rest, size_t max, struct pgp_certificates *list, struct error *err)
{
    struct buf *items;
    enum status status;

    if (list->n >= max)
        return error_set(err, STATUS_LIMIT, "more than %zu certificates in one file: split it", max);
    items = realloc(list->items, (list->n + 1) * sizeof *items);
    if (!items)
        return error_set(err, STATUS_TEMPORARY, "cannot read a certificate: out of memory");
    list->items = items;
    buf_init(&items[list->n], PGP_CERTIFICATE_MAX);
    status = pgp_transferable_cut(rest, &items[list->n], err);
    if (status == STATUS_OK)
        list->n++;
    else
        buf_free(&items[list->n]);
    return status;
}

static enum status split_binary(struct span data, size_t max, struct pgp_certificates *list,
                                struct error *err)
{
    enum status status = STATUS_OK;

    if (data.len == 0)
        return error_set(err, STATUS_INVALID, "no OpenPGP certificate in it");
    while (status == STATUS_OK && data.len > 0)
        status = append_one(&data, max, list, err);
    return status;
}

static enum status split_armored(struct span text, size_t max, struct pgp_certificates *list,
                                 struct error *err)
{
    enum status status = STATUS_OK;
    bool found = true;
    struct buf binary;

    buf_init(&binary, FILE_MAX);
    while (status == STATUS_OK) {
        buf_reset(&binary);
        status = pgp_armor_next_certificate(&text, &binary, &found, err);
        if (status != STATUS_OK || !found)
            break;
        status = buf_check(&binary, "an armored OpenPGP certificate", err);
        if (status == STATUS_OK)
            status = split_binary(buf_span(&binary), max, list, err);
    }
    buf_free(&binary);
    if (status == STATUS_OK && list->n == 0)
        status = error_set(err, STATUS_INVALID, "no OpenPGP certificate in it");
    return status;
}

/* The first octet of a packet has its high bit set (RFC 4880 §4.2), text has not, but for a byte order mark.
 */
static bool is_binary(struct span file)
{
    return file.len > 0 && (unsigned char)file.p[0] & 0x80 && !span_starts(file, "\xef\xbb\xbf");
}

enum status pgp_certificates_split(struct span file, size_t max, struct pgp_certificates *list_out,
                                   struct error *err)
{
    enum status status;

    *list_out = (struct pgp_certificates){0};
    if (file.len > FILE_MAX)
        return error_set(err, STATUS_LIMIT, "more than %u bytes in one file of certificates: split it",
                         FILE_MAX);
    status =
        is_binary(file) ? split_binary(file, max, list_out, err) : split_armored(file, max, list_out, err);
    if (status != STATUS_OK)
        pgp_certificates_free(list_out);
    return status;
}

void pgp_certificates_free(struct pgp_certificates *list)
{
    for (size_t i = 0; i < list->n; i++)
        buf_free(&list->items[i]);
    free(list->items);
    *list = (struct pgp_certificates){0};
}
