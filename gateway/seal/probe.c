/* Start-up: can this worker seal at all? A library that changed, a gpg that broke, shows before any mail is
 * taken. */
#include "gateway/seal/job.h"
#include "gateway/seal/probe_certificates.h"
#include "gateway/seal/sealed_copy.h"

static const char outer[] = "From: probe@example.invalid\r\n"
                            "To: probe@example.invalid\r\n";
static const char inner[] = "From: probe@example.invalid\r\n"
                            "To: probe@example.invalid\r\n"
                            "Content-Type: text/plain\r\n"
                            "\r\n"
                            "probe\r\n";

static enum status probe_one(const struct seal *seal, struct certificate *certificate, struct span bytes,
                             struct error *err)
{
    const struct certificate *certificates[] = {certificate};
    const struct span entity = span_str(inner);
    const struct sealed_order order = {.outer = span_str(outer),
                                       .inner = {.items = &entity, .n = 1},
                                       .format = certificate->format,
                                       .certificates = certificates,
                                       .n = 1};
    struct seal_bodies bodies;
    struct sealed_made made;
    buf_init(&certificate->bytes, bytes.len);
    buf_append_span(&certificate->bytes, bytes);
    enum status st = seal_bodies_open(&bodies, err);
    if (st == STATUS_OK)
        st = sealed_copy(seal, &order, &bodies, &made, err);
    seal_bodies_close(&bodies);
    buf_free(&certificate->bytes);
    return st == STATUS_OK ? st : error_prefix(err, "the %s probe", certificate_format_word(order.format));
}

enum status seal_probe_with(const struct seal *seal, struct error *err)
{
    struct certificate openpgp = {
        .format = CERTIFICATE_OPENPGP, .usable = true, .keyids = {PROBE_OPENPGP_KEYID}, .n_keyids = 1};
    struct certificate smime = {.format = CERTIFICATE_SMIME, .usable = true};
    enum status st = probe_one(seal, &openpgp, span_of(probe_openpgp, sizeof probe_openpgp), err);
    return st == STATUS_OK ? probe_one(seal, &smime, span_of(probe_smime, sizeof probe_smime), err) : st;
}

enum status seal_probe(const struct seal_settings *settings, struct error *err)
{
    struct seal seal;
    enum status st = seal_open(settings, &seal, err);
    if (st != STATUS_OK)
        return st;
    st = seal_probe_with(&seal, err);
    seal_close(&seal);
    return st;
}
