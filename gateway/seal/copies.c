#include "gateway/seal/copies.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/memfile.h"
#include "gateway/message/complete.h"
#include "gateway/message/outer.h"
#include "gateway/message/tls_required.h"
#include "gateway/seal/bodies.h"
#include "gateway/seal/form.h"
#include "gateway/seal/no_memory.h"
#include "gateway/seal/readers.h"
#include "gateway/seal/sealed_copy.h"

#define HEADER_MAX (64u << 20)
/* What the fields add that the gateway adds. */
#define EXTRA_MAX 8192

struct builder {
    const struct seal *seal;
    const struct seal_job *job;
    struct seal_bodies bodies;
    struct buf missing;  /* Date and Message-ID, when the message lacks them: inside and outside */
    struct buf front;    /* what stands in front outside: trace fields and the missing ones */
    bool tls_optional;   /* what delivery will see in the header of each copy */
    struct form **forms; /* one for each kind of copy, made when the first such copy needs it; owned */
    size_t n_forms;
    /* Held and returned copies share what is stored; a length of 0 is "not yet". */
    struct seal_place shown;    /* the outer header for a DSN */
    struct seal_place original; /* as submitted, locked */
    enum submit_outcome outcome;
};

/* ---- bodies ---- */

static enum status add_bytes(struct builder *b, struct spans content, struct seal_place *place,
                             struct error *err)
{
    struct sink sink = seal_bodies_sink(&b->bodies);
    enum status st = STATUS_OK;
    place->at = b->bodies.len;
    for (size_t i = 0; i < content.n && st == STATUS_OK; i++)
        st = sink_write(&sink, content.items[i], err);
    place->len = b->bodies.len - place->at;
    return st;
}

static enum status add_locked(struct builder *b, struct spans content, struct seal_place *place,
                              struct error *err)
{
    struct sink sink = seal_bodies_sink(&b->bodies);
    place->at = b->bodies.len;
    enum status st = spool_lock(&b->seal->settings->spool_key, b->job->envelope.id, content, &sink, err);
    place->len = b->bodies.len - place->at;
    return st;
}

/* What may stand in a clear DSN about a message that was to be sealed: not even its subject (A32). */
static enum status add_shown(struct builder *b, struct error *err)
{
    struct buf notice;
    if (b->shown.len > 0)
        return STATUS_OK;
    buf_init(&notice, HEADER_MAX);
    enum status st =
        notice_header(&b->job->parts, buf_span(&b->front), b->job->envelope.smtputf8, &notice, err);
    if (st == STATUS_INVALID)
        b->outcome = SUBMIT_REFUSED_SMTPUTF8;
    struct span bytes = buf_span(&notice);
    if (st == STATUS_OK)
        st = add_bytes(b, (struct spans){.items = &bytes, .n = 1}, &b->shown, err);
    buf_free(&notice);
    return st;
}

/*
 * All of the original is kept, Bcc too: a held message is decided anew later, by rules that may look at any
 * field, and is then sealed as if it came in at that moment.
 */
static enum status add_original(struct builder *b, struct error *err)
{
    enum status st = add_shown(b, err);
    if (st == STATUS_OK && b->original.len == 0)
        st = add_locked(b, (struct spans){.items = &b->job->message, .n = 1}, &b->original, err);
    return st;
}

/* ---- forms ---- */

static struct form *find_form(const struct builder *b, const struct plan_copy *group)
{
    enum certificate_format format = group->action == ACTION_SEAL ? group->format : 0;
    for (size_t i = 0; i < b->n_forms; i++) {
        struct form *form = b->forms[i];
        if (form->action == group->action && form->format == format &&
            policy_same_treatment(form->rule, group->rule))
            return form;
    }
    return NULL;
}

static enum status get_form(struct builder *b, const struct plan_copy *group, struct form **form_out,
                            struct error *err)
{
    const struct form_source source = {
        .seal = b->seal, .job = b->job, .missing = buf_span(&b->missing), .front = buf_span(&b->front)};
    *form_out = find_form(b, group);
    if (*form_out)
        return STATUS_OK;
    enum status st =
        form_make(&source, group->rule, group->action, group->format, form_out, &b->outcome, err);
    if (st == STATUS_OK)
        b->forms[b->n_forms++] = *form_out;
    return st;
}

/* ---- copies ---- */

static enum status note_signer(const struct builder *b, const struct form *form, struct store_copy *copy,
                               struct error *err)
{
    const char *from = b->job->facts.from.n > 0 ? b->job->facts.from.items[0] : "";
    if (form->signing)
        return copy_add_note(copy, "signed", from, form->fingerprint, "local", err);
    return form->unsigned_why[0] ? copy_add_reason(copy, "unsigned", from, form->unsigned_why, err)
                                 : STATUS_OK;
}

static enum status seal_group(struct builder *b, const struct plan_copy *group, const struct form *form,
                              struct store_copy *copy, struct error *err)
{
    struct readers readers;
    struct sealed_made made;
    enum status st = readers_find(b->job, group, &readers, copy, err);
    if (st != STATUS_OK)
        return st;
    const struct sealed_order order = {.outer = form->outer,
                                       .inner = form_content(form),
                                       .smtputf8 = b->job->envelope.smtputf8,
                                       .format = group->format,
                                       .certificates = readers.certificates,
                                       .n = readers.n,
                                       .signing = form->signs_inside ? form->signing : NULL,
                                       .inline_charset = form->inline_charset,
                                       .gcm = group->gcm,
                                       .transport = group->rule->treatment.transport};
    st = sealed_copy(b->seal, &order, &b->bodies, &made, err);
    readers_free(&readers);
    if (st != STATUS_OK)
        return st;
    copy->format = group->format == CERTIFICATE_OPENPGP ? FORMAT_OPENPGP : FORMAT_SMIME;
    copy->body_at = made.place.at;
    copy->body_len = made.place.len;
    copy->cipher = strdup(made.cipher);
    return copy->cipher ? STATUS_OK : seal_no_memory("the copies of a message", err);
}

/* A message that stays readable for whoever has the body, or that the client sealed. */
static enum status build_whole(struct builder *b, const struct plan_copy *group, struct form *form,
                               struct store_copy *copy, struct error *err)
{
    bool locked = group->action == ACTION_CLEAR;
    enum status st = STATUS_OK;
    if (form->place.len == 0)
        st = locked ? add_locked(b, form_content(form), &form->place, err)
                    : add_bytes(b, form_content(form), &form->place, err);
    copy->locked = locked;
    copy->format = locked                                 ? FORMAT_CLEAR
                   : group->format == CERTIFICATE_OPENPGP ? FORMAT_OPENPGP
                                                          : FORMAT_SMIME;
    copy->body_at = form->place.at;
    copy->body_len = form->place.len;
    return st;
}

static enum status build_sent(struct builder *b, const struct plan_copy *group, struct store_copy *copy,
                              struct error *err)
{
    struct form *form;
    copy->state = COPY_QUEUED;
    enum status st = get_form(b, group, &form, err);
    if (st == STATUS_OK)
        st = group->action == ACTION_SEAL ? seal_group(b, group, form, copy, err)
                                          : build_whole(b, group, form, copy, err);
    return st == STATUS_OK ? note_signer(b, form, copy, err) : st;
}

static enum status build_kept(struct builder *b, enum copy_state state, struct store_copy *copy,
                              struct error *err)
{
    enum status st = add_original(b, err);
    copy->state = state;
    copy->format = FORMAT_NONE;
    copy->locked = true;
    copy->body_at = b->original.at;
    copy->body_len = b->original.len;
    copy->header_at = b->shown.at;
    copy->header_len = b->shown.len;
    return st;
}

static enum status build_body(struct builder *b, const struct plan_copy *group, struct store_copy *copy,
                              struct error *err)
{
    switch (group->action) {
    case ACTION_SEAL:
    case ACTION_CLEAR:
    case ACTION_PASS:
        return build_sent(b, group, copy, err);
    case ACTION_HOLD:
        return build_kept(b, COPY_HELD, copy, err);
    case ACTION_BOUNCE:
        return build_kept(b, COPY_RETURN, copy, err);
    case ACTION_REFUSE:
    case ACTION_DEFER:
        break;
    }
    return error_set(err, STATUS_INTERNAL, "a plan holds a recipient that must not be sent to");
}

/* A copy of S, or NULL for NULL; *FAILED when out of memory. */
static char *copy_str(const char *s, bool *failed)
{
    char *copy = s ? strdup(s) : NULL;
    if (s && !copy)
        *failed = true;
    return copy;
}

static enum status describe(const struct builder *b, size_t i, struct copy_recipient *r, struct error *err)
{
    const struct envelope_recipient *from = &b->job->envelope.recipients[i];
    const struct policy_decision *decision = &b->job->recipients[i].decision;
    const struct certificate *c = decision->certificate;
    bool failed = false;
    r->address = copy_str(from->address, &failed);
    r->notify = copy_str(from->notify, &failed);
    r->orcpt = copy_str(from->orcpt, &failed);
    r->rule = copy_str(decision->rule ? decision->rule->name : NULL, &failed);
    r->reason = copy_str(decision->action == ACTION_SEAL ? NULL : decision->reason, &failed);
    r->fingerprint = copy_str(c ? c->fingerprint : NULL, &failed);
    r->source = copy_str(c ? c->source : NULL, &failed);
    return failed ? seal_no_memory("the copies of a message", err) : STATUS_OK;
}

static enum status build_copy(struct builder *b, const struct plan_copy *group, struct store_copy *copy,
                              struct error *err)
{
    copy->recipients = calloc(group->n_recipients, sizeof *copy->recipients);
    if (!copy->recipients)
        return seal_no_memory("the copies of a message", err);
    copy->n_recipients = group->n_recipients;
    copy->tls = group->rule->treatment.tls;
    copy->tls_optional = b->tls_optional;
    for (size_t i = 0; i < group->n_recipients; i++) {
        enum status st = describe(b, group->recipients[i], &copy->recipients[i], err);
        if (st != STATUS_OK)
            return st;
    }
    return build_body(b, group, copy, err);
}

static enum status make_front(struct builder *b, struct error *err)
{
    const struct seal_settings *settings = b->seal->settings;
    const struct envelope *e = &b->job->envelope;
    missing_fields(b->job->parts.header, e, settings->hostname, &b->missing);
    /* A notice begins here: nobody sent it to this gateway. */
    if (!b->job->notice)
        received_field(e, settings->hostname, &b->front);
    if (settings->originating_ip && !b->job->notice)
        originating_ip_field(e, &b->front);
    buf_append_span(&b->front, buf_span(&b->missing));
    enum status st = buf_check(&b->missing, "missing fields", err);
    return st == STATUS_OK ? buf_check(&b->front, "trace fields", err) : st;
}

static enum status build_all(struct builder *b, const struct plan *plan, struct queue_store *store,
                             struct error *err)
{
    enum status st = make_front(b, err);
    if (st != STATUS_OK)
        return st;
    store->copies = calloc(plan->n_copies, sizeof *store->copies);
    b->forms = calloc(plan->n_copies, sizeof(struct form *));
    if (!store->copies || !b->forms)
        return seal_no_memory("the copies of a message", err);
    store->n_copies = plan->n_copies;
    for (size_t i = 0; i < plan->n_copies && st == STATUS_OK; i++)
        st = build_copy(b, &plan->copies[i], &store->copies[i], err);
    return st == STATUS_OK ? memfile_seal(b->bodies.fd, err) : st;
}

static void free_forms(struct builder *b)
{
    for (size_t i = 0; i < b->n_forms; i++)
        form_free(b->forms[i]);
    free(b->forms);
}

enum status copies_build(const struct seal *seal, struct seal_job *job, const struct plan *plan,
                         struct queue_store *store_out, int *bodies_out, enum submit_outcome *outcome_out,
                         struct error *err)
{
    struct builder b = {.seal = seal, .job = job, .outcome = SUBMIT_LATER};
    b.tls_optional = !job->envelope.requiretls && tls_required_no(job->parts.header);
    *store_out = (struct queue_store){0};
    envelope_init(&store_out->envelope);
    buf_init(&b.missing, EXTRA_MAX);
    buf_init(&b.front, EXTRA_MAX);
    enum status st = seal_bodies_open(&b.bodies, err);
    if (st == STATUS_OK)
        st = build_all(&b, plan, store_out, err);
    *bodies_out = -1;
    if (st == STATUS_OK) {
        store_out->envelope = job->envelope;
        envelope_init(&job->envelope);
        *bodies_out = b.bodies.fd;
    } else {
        queue_store_free(store_out);
        seal_bodies_close(&b.bodies);
        /* Nothing else is over a limit by now: content and size were checked before. */
        *outcome_out = st == STATUS_LIMIT ? SUBMIT_TOO_BIG : b.outcome;
    }
    free_forms(&b);
    buf_free(&b.missing);
    buf_free(&b.front);
    return st;
}

void copies_count(const struct queue_store *store, struct copies_count *count_out)
{
    *count_out = (struct copies_count){0};
    for (size_t i = 0; i < store->n_copies; i++) {
        const struct store_copy *copy = &store->copies[i];
        if (copy->state == COPY_HELD)
            count_out->held += copy->n_recipients;
        else if (copy->state == COPY_RETURN)
            count_out->returned += copy->n_recipients;
        else if (copy->format == FORMAT_CLEAR)
            count_out->clear += copy->n_recipients;
        else
            count_out->sealed += copy->n_recipients;
    }
}
