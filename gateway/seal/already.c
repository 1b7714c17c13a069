#include "gateway/seal/already.h"

#include "gateway/message/sealed_form.h"
#include "pgp/detached.h"
#include "smime/signed_form.h"

static enum status read_sealed(const struct sealed_content *content, struct already *already,
                               struct error *err)
{
    if (content->form == SEALED_FORM_SMIME) {
        already->format = CERTIFICATE_SMIME;
        return smime_message_read(content->content, &already->smime, err);
    }
    already->format = CERTIFICATE_OPENPGP;
    return pgp_message_read(content->content, &already->pgp, err);
}

/* Only STATUS_TEMPORARY says that nothing is known; every other status, that it is not what it claims to be.
 */
static enum status read_content(const struct sealed_content *content, struct already *already,
                                struct error *err)
{
    enum status st = STATUS_OK;
    bool detached = content->form == SEALED_FORM_SIGNED_SMIME;
    switch (content->form) {
    case SEALED_FORM_PGP_MIME:
    case SEALED_FORM_PGP_INLINE:
    case SEALED_FORM_SMIME:
        st = read_sealed(content, already, err);
        already->is_sealed = st == STATUS_OK;
        break;
    case SEALED_FORM_SIGNED_PGP:
        st = pgp_detached_check(content->content, content->micalg, err);
        already->is_signed = st == STATUS_OK;
        break;
    case SEALED_FORM_SIGNED_SMIME:
    case SEALED_FORM_SIGNED_OPAQUE:
        st = smime_signed_form_check(content->content, detached, content->micalg, err);
        already->is_signed = st == STATUS_OK;
        break;
    case SEALED_FORM_NONE:
        break;
    }
    return st == STATUS_TEMPORARY ? st : STATUS_OK;
}

enum status already_read(const struct message_parts *parts, struct already *already_out, struct error *err)
{
    struct sealed_content content;
    *already_out = (struct already){0};
    enum status st = sealed_form_find(parts, &content, err);
    if (st != STATUS_OK)
        return st;
    st = read_content(&content, already_out, err);
    sealed_content_free(&content);
    return st;
}

void already_free(struct already *already)
{
    if (already->format == CERTIFICATE_OPENPGP)
        pgp_message_free(&already->pgp);
    if (already->smime)
        smime_message_free(already->smime);
    *already = (struct already){0};
}

static bool opens_pgp(const struct pgp_message *message, const struct certificate *c)
{
    for (size_t i = 0; i < message->n_keyids; i++)
        for (size_t k = 0; k < c->n_keyids; k++)
            if (message->keyids[i] != 0 && message->keyids[i] == c->keyids[k])
                return true;
    return false;
}

const struct certificate *already_sealed_to(const struct already *already,
                                            const struct certificate_list *list)
{
    for (size_t i = 0; already->is_sealed && i < list->n; i++) {
        const struct certificate *c = &list->items[i];
        if (!c->usable || c->format != already->format)
            continue;
        bool opens = c->format == CERTIFICATE_OPENPGP
                         ? opens_pgp(&already->pgp, c)
                         : smime_message_is_for(already->smime, buf_span(&c->bytes));
        if (opens)
            return c;
    }
    return NULL;
}
