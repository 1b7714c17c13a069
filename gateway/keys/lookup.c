/* Which certificates do these addresses have? For submission and seal. And from queue: which ones worked. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "gateway/jobs/keys_job.h"
#include "gateway/keys/role.h"

/* A failed lookup is told as such, never as an empty list (A33). */
static void look(struct keys_role *role, const char *address, struct keys_answer *answer)
{
    struct error err;
    enum status st = keystore_lookup(role->keystore, address, &answer->list, &err);

    answer->state = st == STATUS_OK ? LOOKUP_DONE : LOOKUP_FAILED;
    if (st == STATUS_OK)
        return;
    snprintf(answer->why, sizeof answer->why, "%.*s", (int)sizeof answer->why - 1, err.text);
    log_error(role->settings->log, LOG_LEVEL_WARNING, "lookup-failed", address, &err);
}

static enum status look_all(struct keys_role *role, const struct keys_lookup *lookup,
                            struct keys_found *found_out, struct error *err)
{
    *found_out =
        (struct keys_found){.answers = calloc(lookup->n ? lookup->n : 1, sizeof(struct keys_answer))};
    if (!found_out->answers)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a lookup");
    found_out->n = lookup->n;
    for (size_t i = 0; i < lookup->n; i++)
        look(role, lookup->addresses[i], &found_out->answers[i]);
    return STATUS_OK;
}

static enum status answer(struct keys_role *role, struct request *request, const struct keys_lookup *lookup,
                          struct error *err)
{
    struct keys_found found;
    struct buf body;
    enum status st = look_all(role, lookup, &found, err);

    if (st != STATUS_OK)
        return st;
    buf_init(&body, IPC_BODY_MAX);
    keys_found_pack(&body, &found, lookup->with_bytes);
    keys_found_free(&found);
    st = buf_check(&body, "the answer to a lookup", err);
    if (st == STATUS_OK)
        st = request_reply(request, KEYS_FOUND, buf_span(&body), NULL, 0, err);
    buf_free(&body);
    return st;
}

static enum status take_lookup(struct keys_role *role, struct request *request, struct error *err)
{
    struct keys_lookup lookup;
    enum status st = keys_lookup_unpack(buf_span(&request->msg.body), &lookup, err);

    if (st != STATUS_OK)
        return st;
    st = answer(role, request, &lookup, err);
    keys_lookup_free(&lookup);
    return st;
}

static enum status take_worked(struct keys_role *role, struct request *request, struct error *err)
{
    struct keys_worked worked;
    enum status st = keys_worked_unpack(buf_span(&request->msg.body), &worked, err);

    if (st != STATUS_OK)
        return st;
    st = keystore_worked(role->keystore, worked.fingerprints, worked.n, clock_wall_ms(), err);
    keys_worked_free(&worked);
    return st == STATUS_OK ? request_reply(request, KEYS_DONE, span_of(NULL, 0), NULL, 0, err) : st;
}

static enum status take(struct keys_role *role, struct request *request, struct error *err)
{
    switch (request->msg.type) {
    case KEYS_LOOKUP:
        return take_lookup(role, request, err);
    case KEYS_WORKED:
        return take_worked(role, request, err);
    default:
        return error_set(err, STATUS_INVALID, "a request of type %u", (unsigned)request->msg.type);
    }
}

void keys_lookup_request(void *arg, struct request *request)
{
    struct keys_role *role = arg;
    struct error err;

    /* Without an answer the caller sees the reply pair close: that is a failed lookup there, too. */
    if (request_is_wanted(request) && take(role, request, &err) != STATUS_OK)
        log_error(role->settings->log, LOG_LEVEL_ERROR, "lookup-dropped", NULL, &err);
    request_free(request);
    free(request);
}
