#include "gateway/seal/form.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/message/outer.h"
#include "gateway/message/subject_tag.h"
#include "gateway/seal/report.h"

/* What the fields add that the gateway adds. */
#define EXTRA_MAX 8192

struct making {
    const struct form_source *source;
    struct form *form;
    enum submit_outcome *outcome;
};

static void add_piece(struct form *form, struct span piece)
{
    if (piece.len > 0)
        form->pieces[form->n_pieces++] = piece;
}

static void add_pieces(struct form *form, struct spans pieces)
{
    for (size_t i = 0; i < pieces.n; i++)
        add_piece(form, pieces.items[i]);
}

/* ---- the header ---- */

/* A message that the client sealed stays as it is. */
static enum status strip_tag(const struct making *m, struct error *err)
{
    struct form *form = m->form;
    const struct policy_rule *rule = form->rule;
    form->parts = m->source->job->parts;
    if (!rule->treatment.strip_subject_tag || form->action == ACTION_PASS)
        return STATUS_OK;
    buf_init(&form->header, SUBJECT_STRIP_GROWTH * form->parts.header.len + EXTRA_MAX);
    enum status st =
        subject_strip_tags(form->parts.header, rule->subjects, rule->n_subjects, &form->header, err);
    form->parts.header = buf_span(&form->header);
    return st;
}

/* Outlook shows no subject from inside of S/MIME; text without MIME has no inside. */
static enum protect_policy header_policy(const struct form *form)
{
    if (form->inline_charset)
        return PROTECT_HCP_NONE;
    switch (form->rule->treatment.headers) {
    case HEADERS_BASELINE:
        return PROTECT_HCP_BASELINE;
    case HEADERS_SHY:
        return PROTECT_HCP_SHY;
    case HEADERS_NONE:
        return PROTECT_HCP_NONE;
    case HEADERS_BY_FORMAT:
        break;
    }
    return form->format == CERTIFICATE_SMIME ? PROTECT_HCP_NONE : PROTECT_HCP_BASELINE;
}

static enum status protect(const struct making *m, bool encrypted, struct error *err)
{
    struct form *form = m->form;
    const struct protect_order order = {.parts = &form->parts,
                                        .missing = m->source->missing,
                                        .front = m->source->front,
                                        .smtputf8 = m->source->job->envelope.smtputf8,
                                        .encrypted = encrypted,
                                        .policy = header_policy(form),
                                        .legacy_display = form->rule->treatment.legacy_display};
    enum status st = protect_message(&order, &form->protected, err);
    if (st == STATUS_INVALID)
        *m->outcome = SUBMIT_REFUSED_SMTPUTF8;
    return st;
}

/* ---- who signs ---- */

static const char *sender_of(const struct seal_job *job)
{
    return job->facts.from.n > 0 ? job->facts.from.items[0] : NULL;
}

/*
 * The first key that may sign. One that may not any more (expired, revoked) leaves its reason in
 * unsigned_why; one that fails now is an error.
 */
static enum status find_signing(const struct making *m, enum certificate_format *format_out,
                                struct error *err)
{
    static const enum certificate_format any[] = {CERTIFICATE_OPENPGP, CERTIFICATE_SMIME};
    struct form *form = m->form;
    const struct seal *seal = m->source->seal;
    const enum certificate_format *formats = form->rule->n_formats ? form->rule->formats : any;
    size_t n = form->rule->n_formats ? form->rule->n_formats : 2;
    if (form->action == ACTION_SEAL) {
        formats = &form->format;
        n = 1;
    }
    for (size_t i = 0; i < n; i++) {
        const struct seal_signing *signing =
            seal_signing_for(seal->settings, sender_of(m->source->job), formats[i]);
        if (!signing)
            continue;
        enum status st = seal_signing_check(seal->signers, signing, formats[i], err);
        if (st == STATUS_DENIED) {
            snprintf(form->unsigned_why, sizeof form->unsigned_why, "%s", err->text);
            continue;
        }
        form->unsigned_why[0] = '\0';
        form->signing = signing;
        *format_out = formats[i];
        return st;
    }
    return STATUS_OK;
}

static enum status refuse_unsigned(const struct making *m, struct error *err)
{
    const struct form *form = m->form;
    const char *from = sender_of(m->source->job);
    if (form->unsigned_why[0]) {
        *m->outcome = SUBMIT_LATER_SIGNING;
        return error_set(err, STATUS_TEMPORARY,
                         "rule %s requires a signature, nothing was sent, try again later: %s",
                         form->rule->name, form->unsigned_why);
    }
    *m->outcome = SUBMIT_REFUSED_POLICY;
    return error_set(
        err, STATUS_DENIED, "rule %s requires a signature, and there is no %s key to sign with for <%s>",
        form->rule->name, form->action == ACTION_SEAL ? certificate_format_word(form->format) : "suitable",
        from ? from : "");
}

/* What the client signed or sealed keeps the client's signature alone. */
static enum status choose_signing(const struct making *m, enum certificate_format *format_out,
                                  struct error *err)
{
    const struct form *form = m->form;
    enum policy_sign sign = form->rule->treatment.sign;
    if (sign == SIGN_NEVER || form->action == ACTION_PASS || m->source->job->already.is_signed)
        return STATUS_OK;
    enum status st = find_signing(m, format_out, err);
    if (st != STATUS_OK || form->signing)
        return st;
    if (sign == SIGN_REQUIRE)
        return refuse_unsigned(m, err);
    if (form->unsigned_why[0])
        seal_report(m->source->seal->settings->log, LOG_LEVEL_WARNING, "unsigned", &m->source->job->envelope,
                    err);
    return STATUS_OK;
}

static enum status sign(const struct making *m, enum certificate_format format, struct error *err)
{
    struct form *form = m->form;
    enum status st = signed_entity_make(m->source->seal->signers, form->signing, format,
                                        protected_payload(&form->protected), &form->signed_entity, err);
    snprintf(form->fingerprint, sizeof form->fingerprint, "%s", form->signed_entity.fingerprint);
    return st;
}

/* ---- the forms ---- */

static void choose_inline(const struct making *m)
{
    struct form *form = m->form;
    if (form->format == CERTIFICATE_OPENPGP && form->rule->treatment.inline_pgp &&
        !m->source->job->already.is_signed && plain_text_find(&form->parts, &form->text))
        form->inline_charset = form->text.charset;
}

static enum status make_sealed(const struct making *m, struct error *err)
{
    struct form *form = m->form;
    enum certificate_format format = form->format;
    choose_inline(m);
    enum status st = choose_signing(m, &format, err);
    if (st == STATUS_OK)
        st = protect(m, true, err);
    if (st != STATUS_OK)
        return st;
    form->outer = buf_span(&form->protected.outer);
    if (form->inline_charset) {
        add_piece(form, form->text.text);
    } else if (form->signing && format == CERTIFICATE_SMIME) {
        st = sign(m, format, err);
        add_pieces(form, signed_entity_pieces(&form->signed_entity));
    } else {
        add_pieces(form, protected_payload(&form->protected));
    }
    if (form->signing && format == CERTIFICATE_OPENPGP) {
        form->signs_inside = true;
        snprintf(form->fingerprint, sizeof form->fingerprint, "%s", form->signing->openpgp);
    }
    return st;
}

static enum status make_signed(const struct making *m, enum certificate_format format, struct error *err)
{
    struct form *form = m->form;
    enum status st = protect(m, false, err);
    if (st == STATUS_OK)
        st = sign(m, format, err);
    if (st != STATUS_OK)
        return st;
    add_piece(form, buf_span(&form->protected.outer));
    add_piece(form, span_str("MIME-Version: 1.0\r\n"));
    add_pieces(form, signed_entity_pieces(&form->signed_entity));
    return STATUS_OK;
}

/* As submitted, without Bcc and with the gateway's fields in front. */
static enum status make_unsigned(const struct making *m, struct error *err)
{
    struct form *form = m->form;
    struct message_parts head = form->parts;
    struct buf *made = &form->protected.made;
    head.body = span_of(head.body.p, 0);
    buf_init(made, head.header.len + m->source->front.len + EXTRA_MAX);
    clear_message(&head, m->source->front, made);
    add_piece(form, buf_span(made));
    add_piece(form, form->parts.body);
    return buf_check(made, "the header of a clear message", err);
}

static enum status make(const struct making *m, struct error *err)
{
    enum certificate_format format = 0;
    enum status st = strip_tag(m, err);
    if (st != STATUS_OK)
        return st;
    if (m->form->action == ACTION_SEAL)
        return make_sealed(m, err);
    st = choose_signing(m, &format, err);
    if (st != STATUS_OK)
        return st;
    return m->form->signing ? make_signed(m, format, err) : make_unsigned(m, err);
}

enum status form_make(const struct form_source *source, const struct policy_rule *rule,
                      enum policy_action action, enum certificate_format format, struct form **form_out,
                      enum submit_outcome *outcome_out, struct error *err)
{
    struct making m = {.source = source, .outcome = outcome_out};
    *form_out = NULL;
    *outcome_out = SUBMIT_LATER;
    m.form = calloc(1, sizeof *m.form);
    if (!m.form)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a form of a message");
    m.form->rule = rule;
    m.form->action = action;
    m.form->format = action == ACTION_SEAL ? format : 0;
    enum status st = make(&m, err);
    if (st == STATUS_OK)
        *form_out = m.form;
    else
        form_free(m.form);
    return st;
}

void form_free(struct form *form)
{
    if (!form)
        return;
    signed_entity_free(&form->signed_entity);
    plain_text_free(&form->text);
    protected_free(&form->protected);
    buf_free(&form->header);
    free(form);
}
