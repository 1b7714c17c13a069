#include "gateway/seal/decide.h"

#include <stdlib.h>

#define KEY_MAX 4096 /* bytes of an address */

/* The addresses of To and Cc in comparable form, sorted: a header may name a hundred thousand. */
struct named {
    char **keys;
    size_t n;
};

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void named_free(struct named *named)
{
    for (size_t i = 0; i < named->n; i++)
        free(named->keys[i]);
    free(named->keys);
}

/* What is no address is left out: nobody is named by it. */
static enum status named_make(const struct address_list *list, struct named *named, struct error *err)
{
    struct buf key;
    *named = (struct named){.keys = calloc(list->n + 1, sizeof *named->keys)};
    if (!named->keys)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the addresses of a message");
    buf_init(&key, KEY_MAX);
    for (size_t i = 0; i < list->n; i++) {
        buf_reset(&key);
        if (keystore_address_key(list->items[i], true, &key, NULL) != STATUS_OK)
            continue;
        char *copy = span_dup(buf_span(&key));
        if (copy)
            named->keys[named->n++] = copy;
    }
    buf_free(&key);
    qsort(named->keys, named->n, sizeof *named->keys, compare);
    return STATUS_OK;
}

static bool is_named(const struct named *named, const char *address)
{
    struct buf key;
    bool found = false;
    buf_init(&key, KEY_MAX);
    if (keystore_address_key(address, true, &key, NULL) == STATUS_OK) {
        const char *wanted = buf_str(&key);
        found = wanted && bsearch(&wanted, named->keys, named->n, sizeof *named->keys, compare);
    }
    buf_free(&key);
    return found;
}

/* No name is no match, not even for "*". */
static const char *known(const char *name)
{
    return name && name[0] ? name : NULL;
}

static enum status decide_one(const struct policy_settings *policy, const struct seal_job *job, size_t i,
                              struct policy_decision *decision_out, struct error *err)
{
    const struct envelope *envelope = &job->envelope;
    const struct keys_answer *answer = &job->found.answers[i];
    const struct policy_facts facts = {.reverse_path = envelope->reverse_path,
                                       .user = known(envelope->user),
                                       .client = known(envelope->client),
                                       .listener = envelope->listener,
                                       .recipient = envelope->recipients[i].address,
                                       .content_known = true,
                                       .subject = job->facts.subject,
                                       .header = job->parts.header,
                                       .from = job->facts.from.items,
                                       .n_from = job->facts.from.n};
    const struct policy_rule *rule = policy_match(policy, &facts);
    if (!rule)
        return error_set(err, STATUS_INTERNAL, "no rule decides for a recipient: is there a default rule?");
    policy_decide(rule, answer->state, &answer->list, decision_out);
    /* Nobody could be told of a bounce, now or when the hold is over: the client is told at once (RFC 5321
     * §4.5.5). */
    if (envelope->reverse_path[0] == '\0' &&
        (decision_out->action == ACTION_BOUNCE || decision_out->action == ACTION_HOLD))
        decision_out->action = ACTION_REFUSE;
    return STATUS_OK;
}

enum status seal_decide(const struct policy_settings *policy, struct seal_job *job, struct error *err)
{
    const struct envelope *envelope = &job->envelope;
    struct named named;
    job->recipients = calloc(envelope->n_recipients, sizeof *job->recipients);
    if (!job->recipients)
        return error_set(err, STATUS_TEMPORARY, "out of memory for %zu recipients", envelope->n_recipients);
    enum status st = named_make(&job->facts.named, &named, err);
    for (size_t i = 0; i < envelope->n_recipients && st == STATUS_OK; i++) {
        struct plan_recipient *r = &job->recipients[i];
        r->address = envelope->recipients[i].address;
        r->named = is_named(&named, r->address);
        st = decide_one(policy, job, i, &r->decision, err);
    }
    named_free(&named);
    return st;
}
