#include "gateway/seal/lookup.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/seal/report.h"

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_TEMPORARY, "out of memory for a certificate lookup");
}

static enum status pack_question(const struct envelope *envelope, struct buf *body, struct error *err)
{
    struct keys_lookup lookup = {.n = envelope->n_recipients, .with_bytes = true};
    lookup.addresses = calloc(lookup.n, sizeof *lookup.addresses);
    if (!lookup.addresses)
        return no_memory(err);
    for (size_t i = 0; i < lookup.n; i++)
        lookup.addresses[i] = envelope->recipients[i].address;
    keys_lookup_pack(body, &lookup);
    free(lookup.addresses);
    return buf_check(body, "certificate lookup", err);
}

static enum status ask(const struct seal_settings *settings, const struct envelope *envelope,
                       struct span question, struct keys_found *found_out, struct error *err)
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
    if (st == STATUS_OK && found_out->n != envelope->n_recipients) {
        st = error_set(err, STATUS_INTERNAL, "the keys role answered for %zu of %zu addresses", found_out->n,
                       envelope->n_recipients);
        keys_found_free(found_out);
    }
    return st;
}

/* All recipients' lookups failed, for the same reason. */
static enum status all_failed(size_t n, const char *why, struct keys_found *found_out, struct error *err)
{
    struct keys_answer *answers = calloc(n, sizeof *answers);
    if (!answers)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        answers[i].state = LOOKUP_FAILED;
        snprintf(answers[i].why, sizeof answers[i].why, "%s", why);
    }
    *found_out = (struct keys_found){.answers = answers, .n = n};
    return STATUS_OK;
}

enum status seal_lookup(const struct seal_settings *settings, const struct envelope *envelope,
                        struct keys_found *found_out, struct error *err)
{
    struct buf question;
    struct error why;
    *found_out = (struct keys_found){0};
    buf_init(&question, IPC_BODY_MAX);
    enum status st = pack_question(envelope, &question, err);
    if (st == STATUS_OK && ask(settings, envelope, buf_span(&question), found_out, &why) != STATUS_OK) {
        seal_report(settings->log, LOG_LEVEL_WARNING, "lookup-failed", envelope, &why);
        st = all_failed(envelope->n_recipients, "lookup failed", found_out, err);
    }
    buf_free(&question);
    return st;
}
