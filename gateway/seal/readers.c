#include "gateway/seal/readers.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/seal/no_memory.h"

static enum status add_note(struct store_copy *copy, const struct copy_note *note, struct error *err)
{
    if (!copy->notes)
        copy->notes = calloc(COPY_NOTES_MAX, sizeof *copy->notes);
    if (!copy->notes)
        return seal_no_memory("the readers of a copy", err);
    if (copy->n_notes == COPY_NOTES_MAX)
        return error_set(err, STATUS_LIMIT, "too many archives for one copy");
    struct copy_note *to = &copy->notes[copy->n_notes++];
    *to = (struct copy_note){.event = strdup(note->event),
                             .address = strdup(note->address),
                             .fingerprint = note->fingerprint ? strdup(note->fingerprint) : NULL,
                             .source = note->source ? strdup(note->source) : NULL,
                             .reason = note->reason ? strdup(note->reason) : NULL};
    bool whole = to->event && to->address && (to->fingerprint || !note->fingerprint) &&
                 (to->source || !note->source) && (to->reason || !note->reason);
    return whole ? STATUS_OK : seal_no_memory("the readers of a copy", err);
}

enum status copy_add_note(struct store_copy *copy, const char *event, const char *address,
                          const char *fingerprint, const char *source, struct error *err)
{
    /* They are only read here. */
    const struct copy_note note = {.event = (char *)(uintptr_t)event,
                                   .address = (char *)(uintptr_t)address,
                                   .fingerprint = (char *)(uintptr_t)fingerprint,
                                   .source = (char *)(uintptr_t)source};
    return add_note(copy, &note, err);
}

enum status copy_add_reason(struct store_copy *copy, const char *event, const char *address,
                            const char *reason, struct error *err)
{
    const struct copy_note note = {.event = (char *)(uintptr_t)event,
                                   .address = (char *)(uintptr_t)address,
                                   .reason = (char *)(uintptr_t)reason};
    return add_note(copy, &note, err);
}

/* Two recipients may have the same certificate, and an archive may be a recipient. */
static void add(struct readers *readers, const struct certificate *c)
{
    for (size_t i = 0; i < readers->n; i++)
        if (strcmp(readers->certificates[i]->fingerprint, c->fingerprint) == 0 &&
            span_eq(buf_span(&readers->certificates[i]->bytes), buf_span(&c->bytes)))
            return;
    readers->certificates[readers->n++] = c;
}

static const struct certificate *find_added(const struct seal_job *job, const char *address,
                                            enum certificate_format format)
{
    const struct keys_answer *answer = seal_job_added(job, address);
    return answer && answer->state == LOOKUP_DONE ? policy_certificate(&answer->list, format) : NULL;
}

static enum status add_archives(const struct seal_job *job, const struct plan_copy *group,
                                struct readers *readers, struct store_copy *copy, struct error *err)
{
    const struct policy_treatment *treatment = &group->rule->treatment;
    enum status st = STATUS_OK;
    for (size_t i = 0; i < treatment->n_archive && st == STATUS_OK; i++) {
        const struct certificate *c = find_added(job, treatment->archive[i], group->format);
        if (!c)
            return error_set(err, STATUS_INTERNAL, "a copy was to be sealed without the archive <%s>",
                             treatment->archive[i]);
        add(readers, c);
        st = copy_add_note(copy, "archived", treatment->archive[i], c->fingerprint, c->source, err);
    }
    return st;
}

static enum status add_self(const struct seal_job *job, const struct plan_copy *group,
                            struct readers *readers, struct store_copy *copy, struct error *err)
{
    const char *self = group->rule->treatment.encrypt_to_self ? seal_job_self(job) : NULL;
    const struct certificate *c = find_added(job, self, group->format);
    if (!c)
        return STATUS_OK;
    add(readers, c);
    return copy_add_note(copy, "sealed-to-sender", self, c->fingerprint, c->source, err);
}

enum status readers_find(const struct seal_job *job, const struct plan_copy *group,
                         struct readers *readers_out, struct store_copy *copy, struct error *err)
{
    size_t room = group->n_recipients + group->rule->treatment.n_archive + 1;
    *readers_out = (struct readers){.certificates = calloc(room, sizeof(struct certificate *))};
    if (!readers_out->certificates)
        return seal_no_memory("the readers of a copy", err);
    for (size_t i = 0; i < group->n_recipients; i++)
        add(readers_out, job->recipients[group->recipients[i]].decision.certificate);
    enum status st = add_archives(job, group, readers_out, copy, err);
    if (st == STATUS_OK)
        st = add_self(job, group, readers_out, copy, err);
    if (st != STATUS_OK)
        readers_free(readers_out);
    return st;
}

void readers_free(struct readers *readers)
{
    free(readers->certificates);
    *readers = (struct readers){0};
}
