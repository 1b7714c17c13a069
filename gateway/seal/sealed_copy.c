#include "gateway/seal/sealed_copy.h"

#include <stdlib.h>

#include "gateway/seal/pgp_mime.h"
#include "gateway/seal/smime_mime.h"
#include "gateway/seal/verify.h"
#include "smime/smime.h"

/* base64 is 4/3 of the bytes, its line ends 2/64 more; all below 3/2. A RecipientInfo holds the issuer's name
 * out of its certificate; a PKESK is smaller. */
static size_t encoded(size_t bytes)
{
    return bytes + bytes / 2;
}

#define WRAPPING_MAX 65536

size_t sealed_copy_max(const struct sealed_order *order)
{
    return order->outer.len + WRAPPING_MAX + encoded(order->inner.len + order->n * SMIME_CERTIFICATE_MAX);
}

static enum status check_order(const struct sealed_order *order, struct error *err)
{
    if (order->n == 0)
        return error_set(err, STATUS_INTERNAL, "a sealed copy for nobody");
    for (size_t i = 0; i < order->n; i++) {
        const struct certificate *c = order->certificates[i];
        if (!c || !c->usable || c->format != order->format || c->bytes.len == 0)
            return error_set(err, STATUS_INTERNAL,
                             "a recipient was to be sealed without a usable certificate");
    }
    return STATUS_OK;
}

static enum status pgp_body(const struct seal *seal, const struct sealed_order *order, struct buf *copy,
                            struct error *err)
{
    char(*paths)[SEAL_PATH_SIZE] = calloc(order->n, sizeof *paths);
    struct pgp_recipient *recipients = calloc(order->n, sizeof *recipients);
    enum status st = STATUS_OK;
    if (!paths || !recipients)
        st = error_set(err, STATUS_TEMPORARY, "out of memory for %zu recipients", order->n);
    for (size_t i = 0; i < order->n && st == STATUS_OK; i++) {
        st = seal_certfile(&seal->certfiles, buf_span(&order->certificates[i]->bytes), paths[i], err);
        recipients[i].certificate_path = paths[i];
    }
    if (st == STATUS_OK)
        st = pgp_encrypt(seal->engine, recipients, order->n, order->inner, copy, err);
    free(recipients);
    free(paths);
    return st;
}

static enum status pgp_copy(const struct seal *seal, const struct sealed_order *order, struct buf *copy,
                            struct error *err)
{
    char boundary[PGP_MIME_BOUNDARY_SIZE];
    pgp_mime_boundary(boundary);
    pgp_mime_begin(copy, order->outer, boundary);
    enum status st = pgp_body(seal, order, copy, err);
    if (st == STATUS_OK)
        pgp_mime_end(copy, boundary);
    return st;
}

static enum status smime_copy(const struct sealed_order *order, struct buf *copy, struct error *err)
{
    struct buf der;
    struct smime_recipient *recipients = calloc(order->n, sizeof *recipients);
    if (!recipients)
        return error_set(err, STATUS_TEMPORARY, "out of memory for %zu recipients", order->n);
    for (size_t i = 0; i < order->n; i++)
        recipients[i].certificate = buf_span(&order->certificates[i]->bytes);
    buf_init(&der, copy->max);
    struct sink sink = sink_to_buf(&der);
    struct smime_order whom = {.recipients = recipients, .n = order->n};
    enum status st = smime_encrypt(&whom, (struct spans){&order->inner, 1}, &sink, err);
    if (st == STATUS_OK)
        smime_mime_write(copy, order->outer, buf_span(&der));
    buf_free(&der);
    free(recipients);
    return st;
}

enum status sealed_copy(const struct seal *seal, const struct sealed_order *order, struct buf *copy_out,
                        struct error *err)
{
    enum status st = check_order(order, err);
    if (st == STATUS_OK)
        st = order->format == CERTIFICATE_OPENPGP ? pgp_copy(seal, order, copy_out, err)
                                                  : smime_copy(order, copy_out, err);
    if (st == STATUS_OK)
        st = buf_check(copy_out, "a sealed copy", err);
    if (st == STATUS_OK)
        st = verify_copy(buf_span(copy_out), order, err);
    if (st != STATUS_OK)
        buf_reset(copy_out);
    return st;
}
