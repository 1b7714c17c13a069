#include "gateway/seal/senders.h"

#include "gateway/message/originators.h"
#include "gateway/policy/sender.h"

static enum status check_one(void *arg, const char *field, const char *address, struct error *err)
{
    const struct envelope *e = arg;
    char text[sizeof err->text];
    if (sender_owns(e->send_as, e->n_send_as, address))
        return STATUS_OK;
    sender_refusal(address, e->user, e->client, text, sizeof text);
    return error_set(err, STATUS_DENIED, "%s: %s", field, text);
}

/* What GMime reads there, as rules and many mail programs do, must be nobody else either. */
static enum status check_facts(struct envelope *e, const char *field, const struct address_list *list,
                               struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < list->n && st == STATUS_OK; i++)
        st = check_one(e, field, list->items[i], err);
    return st;
}

static enum status check_all(struct seal_job *job, struct error *err)
{
    struct envelope *e = &job->envelope;
    if (sender_is_anybody(e->send_as, e->n_send_as))
        return STATUS_OK;
    enum status st = originators_each(job->parts.header, check_one, e, err);
    if (st == STATUS_OK)
        st = check_facts(e, "From", &job->facts.from, err);
    return st == STATUS_OK ? check_facts(e, "Sender", &job->facts.sender, err) : st;
}

enum status senders_check(struct seal_job *job, enum submit_outcome *outcome_out, struct error *err)
{
    enum status st = check_all(job, err);
    envelope_forget_send_as(&job->envelope);
    if (st == STATUS_INVALID || st == STATUS_LIMIT) {
        err->status = STATUS_DENIED;
        st = STATUS_DENIED;
    }
    *outcome_out = st == STATUS_DENIED ? SUBMIT_REFUSED_POLICY : SUBMIT_LATER;
    return st;
}
