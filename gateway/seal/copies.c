#include "gateway/seal/copies.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/memfile.h"
#include "gateway/message/complete.h"
#include "gateway/message/outer.h"
#include "gateway/seal/bodies.h"
#include "gateway/seal/sealed_copy.h"

#define OUTER_MAX (64u << 20)
/* What spool_lock adds, what the fields add that the gateway adds. */
#define EXTRA_MAX 8192

/* The forms of the message, each made once, when the first copy needs it. */
struct builder {
    const struct seal *seal;
    const struct seal_job *job;
    struct seal_bodies bodies;
    struct buf missing; /* Date and Message-ID, when the message lacks them: inside and outside */
    struct buf front;   /* what stands in front outside: trace fields and the missing ones */
    struct buf outer;
    struct buf inner;
    /* Copies with the same content share it; a length of 0 is "not yet". */
    struct seal_place shown;    /* the outer header for a DSN */
    struct seal_place original; /* as submitted, locked: held and returned copies */
    struct seal_place clear;    /* with what stands in front of it, locked */
    enum submit_outcome outcome;
};

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_TEMPORARY, "out of memory for the copies of a message");
}

/* ---- forms of the message ---- */

static enum status make_outer(struct builder *b, struct error *err)
{
    const struct seal_job *job = b->job;
    if (b->outer.len > 0)
        return STATUS_OK;
    enum status st = outer_header(&job->parts, buf_span(&b->front), job->envelope.smtputf8, &b->outer, err);
    /* Only here is a message refused that needs SMTPUTF8 and came without it (RFC 6531 §3.2). */
    if (st == STATUS_INVALID)
        b->outcome = SUBMIT_REFUSED_SMTPUTF8;
    return st == STATUS_OK ? buf_check(&b->outer, "outer header", err) : st;
}

static enum status make_inner(struct builder *b, struct error *err)
{
    if (b->inner.len == 0) {
        buf_append_span(&b->inner, buf_span(&b->missing));
        inner_entity(&b->job->parts, &b->inner);
    }
    return buf_check(&b->inner, "inner entity", err);
}

static enum status add_locked(struct builder *b, struct span bytes, struct seal_place *place,
                              struct error *err)
{
    struct buf locked;
    buf_init(&locked, bytes.len + EXTRA_MAX);
    enum status st = spool_lock(&b->seal->settings->spool_key, b->job->envelope.id, bytes, &locked, err);
    if (st == STATUS_OK)
        st = buf_check(&locked, "locked body", err);
    if (st == STATUS_OK)
        st = seal_bodies_add(&b->bodies, buf_span(&locked), place, err);
    buf_free(&locked);
    return st;
}

static enum status add_clear(struct builder *b, struct error *err)
{
    struct buf clear;
    if (b->clear.len > 0)
        return STATUS_OK;
    buf_init(&clear, b->job->message.len + EXTRA_MAX);
    clear_message(&b->job->parts, buf_span(&b->front), &clear);
    enum status st = buf_check(&clear, "clear message", err);
    if (st == STATUS_OK)
        st = add_locked(b, buf_span(&clear), &b->clear, err);
    buf_free(&clear);
    return st;
}

/* What may stand in a clear DSN about a message that was to be sealed: not even its subject (A32). */
static enum status add_shown(struct builder *b, struct error *err)
{
    struct buf notice;
    if (b->shown.len > 0)
        return STATUS_OK;
    buf_init(&notice, OUTER_MAX);
    enum status st =
        notice_header(&b->job->parts, buf_span(&b->front), b->job->envelope.smtputf8, &notice, err);
    if (st == STATUS_INVALID)
        b->outcome = SUBMIT_REFUSED_SMTPUTF8;
    if (st == STATUS_OK)
        st = seal_bodies_add(&b->bodies, buf_span(&notice), &b->shown, err);
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
        st = add_locked(b, b->job->message, &b->original, err);
    return st;
}

/* ---- copies ---- */

static enum status seal_group(struct builder *b, const struct plan_copy *group, struct store_copy *copy,
                              struct error *err)
{
    struct buf out;
    struct seal_place place;
    struct sealed_order order = {.outer = buf_span(&b->outer),
                                 .inner = buf_span(&b->inner),
                                 .smtputf8 = b->job->envelope.smtputf8,
                                 .format = group->format,
                                 .n = group->n_recipients};
    const struct certificate **certificates = calloc(group->n_recipients, sizeof(struct certificate *));
    if (!certificates)
        return no_memory(err);
    for (size_t i = 0; i < group->n_recipients; i++)
        certificates[i] = b->job->recipients[group->recipients[i]].decision.certificate;
    order.certificates = certificates;
    buf_init(&out, sealed_copy_max(&order));
    enum status st = sealed_copy(b->seal, &order, &out, err);
    if (st == STATUS_OK)
        st = seal_bodies_add(&b->bodies, buf_span(&out), &place, err);
    if (st == STATUS_OK) {
        copy->format = group->format == CERTIFICATE_OPENPGP ? FORMAT_OPENPGP : FORMAT_SMIME;
        copy->body_at = place.at;
        copy->body_len = place.len;
    }
    buf_free(&out);
    free(certificates);
    return st;
}

static enum status build_sealed(struct builder *b, const struct plan_copy *group, struct store_copy *copy,
                                struct error *err)
{
    copy->state = COPY_QUEUED;
    enum status st = make_outer(b, err);
    if (st == STATUS_OK)
        st = make_inner(b, err);
    return st == STATUS_OK ? seal_group(b, group, copy, err) : st;
}

static void set_locked(struct store_copy *copy, enum copy_state state, struct seal_place body,
                       struct seal_place shown)
{
    copy->state = state;
    copy->format = state == COPY_QUEUED ? FORMAT_CLEAR : FORMAT_NONE;
    copy->locked = true;
    copy->body_at = body.at;
    copy->body_len = body.len;
    copy->header_at = shown.at;
    copy->header_len = shown.len;
}

static enum status build_body(struct builder *b, const struct plan_copy *group, struct store_copy *copy,
                              struct error *err)
{
    enum status st;
    switch (group->action) {
    case ACTION_SEAL:
        return build_sealed(b, group, copy, err);
    case ACTION_CLEAR:
        st = add_clear(b, err);
        set_locked(copy, COPY_QUEUED, b->clear, (struct seal_place){0});
        return st;
    case ACTION_HOLD:
        st = add_original(b, err);
        set_locked(copy, COPY_HELD, b->original, b->shown);
        return st;
    case ACTION_BOUNCE:
        st = add_original(b, err);
        set_locked(copy, COPY_RETURN, b->original, b->shown);
        return st;
    case ACTION_PASS:
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
    return failed ? no_memory(err) : STATUS_OK;
}

static enum status build_copy(struct builder *b, const struct plan_copy *group, struct store_copy *copy,
                              struct error *err)
{
    copy->recipients = calloc(group->n_recipients, sizeof *copy->recipients);
    if (!copy->recipients)
        return no_memory(err);
    copy->n_recipients = group->n_recipients;
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
    received_field(e, settings->hostname, &b->front);
    if (settings->originating_ip)
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
    if (!store->copies)
        return no_memory(err);
    store->n_copies = plan->n_copies;
    for (size_t i = 0; i < plan->n_copies && st == STATUS_OK; i++) {
        st = build_copy(b, &plan->copies[i], &store->copies[i], err);
        if (st == STATUS_OK && store->copies[i].format > FORMAT_CLEAR) {
            store->copies[i].cipher = strdup("AES256");
            st = store->copies[i].cipher ? STATUS_OK : no_memory(err);
        }
    }
    return st == STATUS_OK ? memfile_seal(b->bodies.fd, err) : st;
}

enum status copies_build(const struct seal *seal, struct seal_job *job, const struct plan *plan,
                         struct queue_store *store_out, int *bodies_out, enum submit_outcome *outcome_out,
                         struct error *err)
{
    struct builder b = {.seal = seal, .job = job, .outcome = SUBMIT_LATER};
    *store_out = (struct queue_store){0};
    envelope_init(&store_out->envelope);
    buf_init(&b.missing, EXTRA_MAX);
    buf_init(&b.front, EXTRA_MAX);
    buf_init(&b.outer, OUTER_MAX);
    buf_init(&b.inner, job->message.len + EXTRA_MAX);
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
    buf_free(&b.missing);
    buf_free(&b.front);
    buf_free(&b.outer);
    buf_free(&b.inner);
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
