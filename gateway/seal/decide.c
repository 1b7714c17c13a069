#include "gateway/seal/decide.h"

#include <stdio.h>
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

static const struct policy_rule *match_one(const struct policy_settings *policy, const struct seal_job *job,
                                           size_t i)
{
    const struct envelope *envelope = &job->envelope;
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
    return policy_match(policy, &facts);
}

enum status seal_match(const struct policy_settings *policy, const struct policy_rule *notice_rule,
                       struct seal_job *job, struct error *err)
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
        r->decision = (struct policy_decision){.action = ACTION_DEFER,
                                               .rule = job->notice ? notice_rule : match_one(policy, job, i)};
        if (!r->decision.rule)
            st = error_set(err, STATUS_INTERNAL, "no rule decides for a recipient: is there a default rule?");
    }
    named_free(&named);
    return st;
}

/* ---- what the certificates make of it ---- */

/* What is known of the archives of a rule; free with free. */
static enum status find_archives(const struct seal_job *job, const struct policy_rule *rule,
                                 struct policy_known **archives_out, struct error *err)
{
    const struct policy_treatment *treatment = &rule->treatment;
    *archives_out = calloc(treatment->n_archive + 1, sizeof **archives_out);
    if (!*archives_out)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the archives of a rule");
    for (size_t i = 0; i < treatment->n_archive; i++) {
        const struct keys_answer *answer = seal_job_added(job, treatment->archive[i]);
        (*archives_out)[i] =
            (struct policy_known){.address = treatment->archive[i],
                                  .state = answer ? answer->state : LOOKUP_FAILED,
                                  .list = answer && answer->state == LOOKUP_DONE ? &answer->list : NULL};
    }
    return STATUS_OK;
}

static bool allows(const struct policy_rule *rule, enum certificate_format format)
{
    for (size_t i = 0; i < rule->n_formats; i++)
        if (rule->formats[i] == format)
            return true;
    return rule->n_formats == 0;
}

/* The first archive that cannot open what the client sealed, or NULL. */
static const struct policy_known *shut_out(const struct seal_job *job, const struct policy_known *archives,
                                           size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!archives[i].list || !already_sealed_to(&job->already, archives[i].list))
            return &archives[i];
    return NULL;
}

static enum policy_action when_shut_out(const struct policy_rule *rule, const struct policy_known *archive)
{
    if (archive->state != LOOKUP_DONE)
        return ACTION_DEFER;
    switch (rule->on_missing_key) {
    case MISSING_HOLD:
        return ACTION_HOLD;
    case MISSING_BOUNCE:
        return ACTION_BOUNCE;
    case MISSING_REFUSE:
        break;
    }
    return ACTION_REFUSE;
}

/*
 * The client sealed the message, properly and for this recipient: it goes as it is. Sealing it once more
 * would not show it to an archive that the client left out, so that counts as a missing key. True: decided.
 */
static bool pass(const struct seal_job *job, const struct keys_answer *answer,
                 const struct policy_known *archives, struct policy_decision *decision)
{
    const struct policy_rule *rule = decision->rule;
    if (answer->state != LOOKUP_DONE || !allows(rule, job->already.format))
        return false;
    const struct certificate *c = already_sealed_to(&job->already, &answer->list);
    if (!c)
        return false;
    const struct policy_known *out =
        rule->protect == PROTECT_NEVER ? NULL : shut_out(job, archives, rule->treatment.n_archive);
    if (out) {
        decision->action = when_shut_out(rule, out);
        snprintf(decision->reason, sizeof decision->reason,
                 "the client sealed it, and not to the archive <%.100s>", out->address);
        return true;
    }
    decision->action = ACTION_PASS;
    decision->certificate = c;
    snprintf(decision->reason, sizeof decision->reason, "sealed by the client");
    return true;
}

/* The sender's own certificate is a convenience, but not knowing whether there is one is no "none" (A33). */
static void check_self(const struct seal_job *job, struct policy_decision *decision)
{
    const char *self = decision->rule->treatment.encrypt_to_self ? seal_job_self(job) : NULL;
    const struct keys_answer *answer = seal_job_added(job, self);
    if (decision->action != ACTION_SEAL || !self || (answer && answer->state == LOOKUP_DONE))
        return;
    decision->action = ACTION_DEFER;
    decision->certificate = NULL;
    snprintf(decision->reason, sizeof decision->reason, "lookup failed for the sender's own certificate");
}

static bool is_seven_bit(const char *s)
{
    while (*s && (unsigned char)*s < 0x80)
        s++;
    return *s == '\0';
}

/*
 * A sender whom the door took may be nobody for the keystore (one without a domain). To what is no address no
 * certificate can belong: that is known, and a lookup would fail for ever. Beyond ASCII it is not known:
 * IDNA may lack memory.
 */
static void decide_without_address(const char *address, struct policy_decision *decision)
{
    const struct certificate_list none = {0};
    struct buf key;
    buf_init(&key, KEY_MAX);
    if (decision->action == ACTION_DEFER && is_seven_bit(address) &&
        keystore_address_key(address, true, &key, NULL) == STATUS_INVALID)
        policy_decide(decision->rule, LOOKUP_DONE, &none, decision);
    buf_free(&key);
}

static enum status decide_one(const struct seal_job *job, size_t i, struct policy_decision *decision,
                              struct error *err)
{
    const struct keys_answer *answer = &job->found.answers[i];
    const struct policy_rule *rule = decision->rule;
    struct policy_known *archives;
    enum status st = find_archives(job, rule, &archives, err);
    if (st != STATUS_OK)
        return st;
    if (!pass(job, answer, archives, decision))
        policy_decide_archived(rule, answer->state, &answer->list, archives, rule->treatment.n_archive,
                               decision);
    free(archives);
    check_self(job, decision);
    if (job->notice)
        decide_without_address(job->recipients[i].address, decision);
    /* Nobody could be told of a bounce, now or when the hold is over: the client is told at once (RFC 5321
     * §4.5.5). A notice has no client, and waits. */
    if (!job->notice && job->envelope.reverse_path[0] == '\0' &&
        (decision->action == ACTION_BOUNCE || decision->action == ACTION_HOLD))
        decision->action = ACTION_REFUSE;
    return STATUS_OK;
}

enum status seal_decide(struct seal_job *job, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < job->envelope.n_recipients && st == STATUS_OK; i++)
        st = decide_one(job, i, &job->recipients[i].decision, err);
    return st;
}
