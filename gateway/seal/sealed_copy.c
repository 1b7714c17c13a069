#include "gateway/seal/sealed_copy.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memfile.h"
#include "gateway/seal/base64_lines.h"
#include "gateway/seal/no_memory.h"
#include "gateway/seal/pgp_mime.h"
#include "gateway/seal/smime_mime.h"
#include "gateway/seal/verify.h"
#include "smime/smime.h"

#define WRAPPING_MAX 4096

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

/* ---- OpenPGP ---- */

static enum status encrypt_pgp(const struct seal *seal, const struct sealed_order *order,
                               const struct pgp_recipient *recipients, const struct sink *sink, char *cipher,
                               struct error *err)
{
    return order->signing ? seal_signers_pgp_encrypt(seal->signers, order->signing, recipients, order->n,
                                                     order->inner, sink, cipher, err)
                          : pgp_encrypt(seal->engine, recipients, order->n, order->inner, sink, cipher, err);
}

static enum status pgp_body(const struct seal *seal, const struct sealed_order *order,
                            const struct sink *sink, char *cipher, struct error *err)
{
    char(*paths)[SEAL_PATH_SIZE] = calloc(order->n, sizeof *paths);
    struct pgp_recipient *recipients = calloc(order->n, sizeof *recipients);
    enum status st = paths && recipients ? STATUS_OK : seal_no_memory("the recipients of a copy", err);
    for (size_t i = 0; i < order->n && st == STATUS_OK; i++) {
        st = seal_certfile(&seal->certfiles, buf_span(&order->certificates[i]->bytes), paths[i], err);
        /* The path is the certificate's digest. */
        recipients[i] = (struct pgp_recipient){.certificate_path = paths[i],
                                               .fingerprint = order->certificates[i]->fingerprint};
    }
    if (st == STATUS_OK)
        st = encrypt_pgp(seal, order, recipients, sink, cipher, err);
    free(recipients);
    free(paths);
    return st;
}

static enum status pgp_copy(const struct seal *seal, const struct sealed_order *order,
                            const struct sink *sink, char *cipher, struct error *err)
{
    char boundary[PGP_MIME_BOUNDARY_SIZE];
    struct buf around;
    pgp_mime_boundary(boundary);
    buf_init(&around, WRAPPING_MAX);
    if (order->inline_charset)
        pgp_inline_begin(&around, order->inline_charset);
    else
        pgp_mime_begin(&around, boundary);
    enum status st = buf_check(&around, "a sealed copy", err);
    if (st == STATUS_OK)
        st = sink_write(sink, buf_span(&around), err);
    if (st == STATUS_OK)
        st = pgp_body(seal, order, sink, cipher, err);
    buf_reset(&around);
    if (!order->inline_charset)
        pgp_mime_end(&around, boundary);
    if (st == STATUS_OK)
        st = buf_check(&around, "a sealed copy", err);
    if (st == STATUS_OK)
        st = sink_write(sink, buf_span(&around), err);
    buf_free(&around);
    return st;
}

/* ---- S/MIME ---- */

bool sealed_with_oaep(const struct sealed_order *order, const struct certificate *certificate)
{
    return order->transport == TRANSPORT_OAEP ||
           (order->transport == TRANSPORT_AUTO && (certificate->capabilities & CAPABILITY_RSA_OAEP));
}

static enum status write_base64(void *arg, struct span bytes, struct error *err)
{
    return base64_lines_write(arg, bytes, err);
}

static enum status smime_copy(const struct seal *seal, const struct sealed_order *order,
                              const struct sink *sink, struct error *err)
{
    struct base64_lines lines;
    struct sink der = {.write = write_base64, .arg = &lines};
    struct smime_recipient *recipients = calloc(order->n, sizeof *recipients);
    const struct smime_order smime = {.recipients = recipients,
                                      .n = order->n,
                                      .cipher = order->gcm ? SMIME_AES256_GCM : SMIME_AES256_CBC,
                                      .parsed = seal->parsed};
    if (!recipients)
        return seal_no_memory("the recipients of a copy", err);
    for (size_t i = 0; i < order->n; i++)
        recipients[i] = (struct smime_recipient){.certificate = buf_span(&order->certificates[i]->bytes),
                                                 .oaep = sealed_with_oaep(order, order->certificates[i])};
    base64_lines_start(&lines, sink);
    const char *header =
        order->gcm ? SMIME_MIME_HEADER(SMIME_MIME_TYPE_GCM) : SMIME_MIME_HEADER(SMIME_MIME_TYPE);
    enum status st = sink_write(sink, span_str(header), err);
    if (st == STATUS_OK)
        st = smime_encrypt(&smime, order->inner, &der, err);
    if (st == STATUS_OK)
        st = base64_lines_end(&lines, err);
    free(recipients);
    return st;
}

/* ---- both ---- */

static enum status prove(const struct seal_bodies *bodies, struct seal_place place,
                         const struct sealed_order *order, struct error *err)
{
    struct span body;
    enum status st = seal_bodies_map(bodies, place, &body, err);
    if (st == STATUS_OK)
        st = verify_copy(body, order, err);
    memfile_unmap(body);
    return st;
}

enum status sealed_copy(const struct seal *seal, const struct sealed_order *order, struct seal_bodies *bodies,
                        struct sealed_made *made_out, struct error *err)
{
    struct sealed_made made = {.place.at = bodies->len};
    struct sink sink = seal_bodies_sink(bodies);
    enum status st = check_order(order, err);
    if (st == STATUS_OK)
        st = sink_write(&sink, order->outer, err);
    if (st == STATUS_OK && order->format == CERTIFICATE_OPENPGP) {
        st = pgp_copy(seal, order, &sink, made.cipher, err);
    } else if (st == STATUS_OK) {
        st = smime_copy(seal, order, &sink, err);
        snprintf(made.cipher, sizeof made.cipher, "%s", order->gcm ? "AES-256-GCM" : "AES-256-CBC");
    }
    made.place.len = bodies->len - made.place.at;
    if (st == STATUS_OK)
        st = prove(bodies, made.place, order, err);
    if (st != STATUS_OK && order->format == CERTIFICATE_OPENPGP)
        pgp_engine_doubt(seal->engine);
    if (st == STATUS_OK)
        *made_out = made;
    return st;
}
