#include "gateway/seal/job.h"

#include <stdlib.h>

#include "gateway/seal/content.h"
#include "gateway/seal/decide.h"
#include "gateway/seal/lookup.h"

/* What the administrator allows users says nothing of a notice, which is of our own making. */
static const struct prescan_limits notice_limits = {
    .header_max = 64 << 10, .parts_max = 10, .depth_max = 5, .field_max = 64 << 10, .fields_max = 100};

enum status seal_job_read(const struct seal *seal, struct seal_job *job, enum submit_outcome *outcome_out,
                          struct error *err)
{
    const struct seal_settings *settings = seal->settings;
    const struct prescan_limits *limits = job->notice ? &notice_limits : &settings->prescan;
    enum status st = seal_content_check(job->message, limits, outcome_out, err);
    if (st != STATUS_OK)
        return st;
    *outcome_out = SUBMIT_LATER;
    message_split(job->message, &job->parts);
    st = message_inspect(job->message, &job->facts, err);
    return st == STATUS_OK ? already_read(&job->parts, &job->already, err) : st;
}

enum status seal_job_decide(const struct seal *seal, struct seal_job *job, struct error *err)
{
    enum status st = seal_match(seal->settings->policy, &seal->settings->notice_rule, job, err);
    if (st == STATUS_OK)
        st = seal_lookup(seal->settings, job, err);
    return st == STATUS_OK ? seal_decide(job, err) : st;
}

const char *seal_job_self(const struct seal_job *job)
{
    if (job->facts.from.n > 0)
        return job->facts.from.items[0];
    return job->envelope.reverse_path[0] ? job->envelope.reverse_path : NULL;
}

const struct keys_answer *seal_job_added(const struct seal_job *job, const char *address)
{
    for (size_t i = job->envelope.n_recipients; address && i < job->n_addresses; i++)
        if (strcmp(job->addresses[i], address) == 0)
            return &job->found.answers[i];
    return NULL;
}

void seal_job_free(struct seal_job *job)
{
    free(job->recipients);
    free(job->addresses);
    already_free(&job->already);
    keys_found_free(&job->found);
    message_facts_free(&job->facts);
    envelope_free(&job->envelope);
}

static const struct plan_recipient *find_action(const struct seal_job *job, enum policy_action action)
{
    /* Not decided yet: nobody. */
    size_t n = job->recipients ? job->envelope.n_recipients : 0;
    for (size_t i = 0; i < n; i++)
        if (job->recipients[i].decision.action == action)
            return &job->recipients[i];
    return NULL;
}

const struct plan_recipient *seal_job_refused(const struct seal_job *job)
{
    return find_action(job, ACTION_REFUSE);
}

enum status seal_job_verdict(const struct seal_job *job, enum submit_outcome *outcome_out, struct error *err)
{
    const struct plan_recipient *r = seal_job_refused(job);
    if (r) {
        *outcome_out = SUBMIT_REFUSED_POLICY;
        return error_set(err, STATUS_DENIED, "no usable OpenPGP or S/MIME certificate for <%s>: %s",
                         r->address, r->decision.reason);
    }
    r = find_action(job, ACTION_DEFER);
    if (r) {
        *outcome_out = SUBMIT_LATER_LOOKUP;
        return error_set(err, STATUS_TEMPORARY,
                         "cannot look up the certificates of <%s> now: %s; try again later", r->address,
                         r->decision.reason);
    }
    return STATUS_OK;
}
