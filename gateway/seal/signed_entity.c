#include "gateway/seal/signed_entity.h"

#include <stdio.h>

#include "gateway/seal/base64_lines.h"
#include "gateway/seal/pgp_mime.h"

#define SIGNATURE_MAX (1u << 20) /* with the chain of certificates */

struct signature {
    struct buf text; /* armored, or base64 of DER; in CRLF lines */
    char micalg[PGP_MICALG_SIZE + SMIME_MICALG_SIZE];
};

static enum status sign_pgp(struct seal_signers *signers, const struct seal_signing *signing,
                            struct spans entity, struct signed_entity *out, struct signature *signature,
                            struct error *err)
{
    snprintf(out->fingerprint, sizeof out->fingerprint, "%s", signing->openpgp);
    return seal_signers_pgp_sign(signers, signing, entity, &signature->text, signature->micalg, err);
}

static enum status sign_smime(struct seal_signers *signers, const struct seal_signing *signing,
                              struct spans entity, struct signed_entity *out, struct signature *signature,
                              struct error *err)
{
    struct smime_signer *signer;
    struct buf der;
    enum status st = seal_signers_smime(signers, signing, &signer, err);
    if (st != STATUS_OK)
        return st;
    snprintf(out->fingerprint, sizeof out->fingerprint, "%s", smime_signer_fingerprint(signer));
    buf_init(&der, SIGNATURE_MAX);
    st = smime_sign(signer, entity, &der, signature->micalg, err);
    if (st == STATUS_OK) {
        struct sink sink = sink_to_buf(&signature->text);
        struct base64_lines lines;
        base64_lines_start(&lines, &sink);
        st = base64_lines_write(&lines, buf_span(&der), err);
        if (st == STATUS_OK)
            st = base64_lines_end(&lines, err);
    } else {
        seal_signers_forget(signers, signing, st);
    }
    buf_free(&der);
    return st;
}

static void write_tail(struct signed_entity *s, enum certificate_format format, const char *boundary,
                       struct span signature)
{
    buf_printf(&s->tail, "\r\n--%s\r\n", boundary);
    if (format == CERTIFICATE_OPENPGP)
        buf_append_str(&s->tail, "Content-Type: application/pgp-signature; name=\"signature.asc\"\r\n"
                                 "Content-Disposition: attachment; filename=\"signature.asc\"\r\n");
    else
        buf_append_str(&s->tail, "Content-Type: application/pkcs7-signature; name=\"smime.p7s\"\r\n"
                                 "Content-Transfer-Encoding: base64\r\n"
                                 "Content-Disposition: attachment; filename=\"smime.p7s\"\r\n");
    buf_append_str(&s->tail, "\r\n");
    buf_append_span(&s->tail, signature);
    buf_printf(&s->tail, "\r\n--%s--\r\n", boundary);
}

static enum status assemble(struct signed_entity *s, enum certificate_format format, struct spans entity,
                            const struct signature *signature, struct error *err)
{
    char boundary[PGP_MIME_BOUNDARY_SIZE];
    const char *kind = format == CERTIFICATE_OPENPGP ? "pgp-signature" : "pkcs7-signature";
    if (entity.n > PROTECT_PIECES_MAX)
        return error_set(err, STATUS_INTERNAL, "an entity to be signed has too many pieces");
    pgp_mime_boundary(boundary);
    buf_printf(&s->header,
               "Content-Type: multipart/signed; micalg=\"%s\";\r\n"
               " protocol=\"application/%s\";\r\n"
               " boundary=\"%s\"\r\n"
               "\r\n",
               signature->micalg, kind, boundary);
    buf_printf(&s->head, "--%s\r\n", boundary);
    write_tail(s, format, boundary, buf_span(&signature->text));
    s->pieces[s->n_pieces++] = buf_span(&s->header);
    s->pieces[s->n_pieces++] = buf_span(&s->head);
    for (size_t i = 0; i < entity.n; i++)
        s->pieces[s->n_pieces++] = entity.items[i];
    s->pieces[s->n_pieces++] = buf_span(&s->tail);
    bool failed = s->header.failed || s->head.failed || s->tail.failed;
    return failed ? error_set(err, STATUS_TEMPORARY, "out of memory for a signed entity") : STATUS_OK;
}

enum status signed_entity_make(struct seal_signers *signers, const struct seal_signing *signing,
                               enum certificate_format format, struct spans entity,
                               struct signed_entity *signed_out, struct error *err)
{
    struct signature signature = {0};
    *signed_out = (struct signed_entity){0};
    buf_init(&signed_out->header, 1024);
    buf_init(&signed_out->head, 1024);
    buf_init(&signed_out->tail, 2 * SIGNATURE_MAX);
    buf_init(&signature.text, 2 * SIGNATURE_MAX);
    enum status st = format == CERTIFICATE_OPENPGP
                         ? sign_pgp(signers, signing, entity, signed_out, &signature, err)
                         : sign_smime(signers, signing, entity, signed_out, &signature, err);
    if (st == STATUS_OK)
        st = assemble(signed_out, format, entity, &signature, err);
    else
        error_prefix(err, "cannot sign for \"%s\"", signing->pattern);
    buf_free(&signature.text);
    return st == STATUS_OK ? st : STATUS_TEMPORARY;
}

void signed_entity_free(struct signed_entity *signed_entity)
{
    buf_free(&signed_entity->header);
    buf_free(&signed_entity->head);
    buf_free(&signed_entity->tail);
}
