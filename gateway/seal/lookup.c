#include "gateway/seal/lookup.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/seal/no_memory.h"
#include "gateway/seal/report.h"

/* ---- whom to ask for ---- */

static enum status add_address(struct seal_job *job, const char *address, struct error *err)
{
    for (size_t i = job->envelope.n_recipients; i < job->n_addresses; i++)
        if (strcmp(job->addresses[i], address) == 0)
            return STATUS_OK;
    if (job->n_addresses >= job->envelope.n_recipients + KEYS_ADDED_MAX)
        return error_set(err, STATUS_LIMIT, "the rules seal to more than %d archives", KEYS_ADDED_MAX - 1);
    job->addresses[job->n_addresses++] = (char *)(uintptr_t)address;
    return STATUS_OK;
}

static enum status add_for_rule(struct seal_job *job, const struct policy_rule *rule, struct error *err)
{
    const struct policy_treatment *treatment = &rule->treatment;
    const char *self = treatment->encrypt_to_self ? seal_job_self(job) : NULL;
    enum status st = self ? add_address(job, self, err) : STATUS_OK;
    for (size_t i = 0; i < treatment->n_archive && st == STATUS_OK; i++)
        st = add_address(job, treatment->archive[i], err);
    return st;
}

static enum status list_addresses(struct seal_job *job, struct error *err)
{
    size_t n = job->envelope.n_recipients;
    job->addresses = calloc(n + KEYS_ADDED_MAX, sizeof *job->addresses);
    if (!job->addresses)
        return seal_no_memory("a certificate lookup", err);
    for (size_t i = 0; i < n; i++)
        job->addresses[job->n_addresses++] = job->envelope.recipients[i].address;
    enum status st = STATUS_OK;
    for (size_t i = 0; i < n && st == STATUS_OK; i++)
        st = add_for_rule(job, job->recipients[i].decision.rule, err);
    return st;
}

/* ---- asking ---- */

static enum status ask(const struct seal_settings *settings, size_t n, struct span question,
                       struct keys_found *found_out, struct error *err)
{
    struct call_limits limits = {.taken_ms = settings->keys_ms, .total_ms = settings->keys_ms};
    struct ipc_msg reply;
    enum status st = call_wait(settings->keys_service, KEYS_LOOKUP, question, NULL, 0, limits, &reply, err);
    if (st != STATUS_OK)
        return st;
    if (reply.type != KEYS_FOUND)
        st = error_set(err, STATUS_INTERNAL, "the keys role sent a reply of type %u", (unsigned)reply.type);
    else
        st = keys_found_unpack(buf_span(&reply.body), found_out, err);
    ipc_msg_free(&reply);
    if (st == STATUS_OK && found_out->n != n) {
        st = error_set(err, STATUS_INTERNAL, "the keys role answered for %zu of %zu addresses", found_out->n,
                       n);
        keys_found_free(found_out);
    }
    return st;
}

/* All recipients' lookups failed, for the same reason. */
static enum status all_failed(size_t n, const char *why, struct keys_found *found_out, struct error *err)
{
    struct keys_answer *answers = calloc(n, sizeof *answers);
    if (!answers)
        return seal_no_memory("a certificate lookup", err);
    for (size_t i = 0; i < n; i++) {
        answers[i].state = LOOKUP_FAILED;
        snprintf(answers[i].why, sizeof answers[i].why, "%s", why);
    }
    *found_out = (struct keys_found){.answers = answers, .n = n};
    return STATUS_OK;
}

enum status seal_lookup(const struct seal_settings *settings, struct seal_job *job, struct error *err)
{
    struct buf question;
    struct error why;
    enum status st = list_addresses(job, err);
    if (st != STATUS_OK)
        return st;
    const struct keys_lookup lookup = {
        .addresses = job->addresses, .n = job->n_addresses, .with_bytes = true};
    buf_init(&question, IPC_BODY_MAX);
    keys_lookup_pack(&question, &lookup);
    st = buf_check(&question, "certificate lookup", err);
    if (st == STATUS_OK && ask(settings, lookup.n, buf_span(&question), &job->found, &why) != STATUS_OK) {
        seal_report(settings->log, LOG_LEVEL_WARNING, "lookup-failed", &job->envelope, &why);
        st = all_failed(lookup.n, "lookup failed", &job->found, err);
    }
    buf_free(&question);
    return st;
}
