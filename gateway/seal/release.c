/*
 * A held copy, tried again: sealed when its certificates are there now, else still held, with the reason. A
 * notice may go as it is, where the configuration says so and there is none.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/memfile.h"
#include "gateway/jobs/queue_job.h"
#include "gateway/seal/bodies.h"
#include "gateway/seal/copies.h"
#include "gateway/seal/job.h"

/* Its size was judged when it came in; the limit may be lower by now. The locked body is given back before
 * its copies are made: with it, all together would be more than three times a message. */
static enum status unlock(const struct seal *seal, struct request *request, const char *id,
                          struct buf *message, struct error *err)
{
    struct span locked;
    if (request->msg.nfds != 1 || !id_is_valid(id))
        return error_set(err, STATUS_INTERNAL, "a held copy came without its body or its id");
    enum status st = memfile_map(request->msg.fds[0], SEAL_BODIES_MAX, &locked, err);
    if (st != STATUS_OK)
        return st;
    buf_init(message, locked.len);
    st = spool_unlock(&seal->settings->spool_key, id, locked, message, err);
    memfile_unmap(locked);
    close(ipc_take_fd(&request->msg, 0));
    return st == STATUS_OK ? buf_check(message, "held message", err) : st;
}

/*
 * Only what is sealed, by us or by the client, releases. The rules or certificates may have changed so that
 * they would now send the recipient's copy clear, return it or refuse it; but the sender was told that it is
 * held for a key, so nobody but the administrator ends that, by a command of his own.
 */
static enum status check_decisions(const struct seal_job *job, struct error *err)
{
    for (size_t i = 0; i < job->envelope.n_recipients; i++) {
        const struct policy_decision *decision = &job->recipients[i].decision;
        const char *rule = decision->rule ? decision->rule->name : "?";
        if (decision->action == ACTION_CLEAR)
            return error_set(err, STATUS_DENIED,
                             "rule %s would now send it unsealed (%s), which a held message never is: add a "
                             "certificate, or return it",
                             rule, decision->reason);
        if (decision->action == ACTION_DEFER)
            return error_set(err, STATUS_TEMPORARY, "%s", decision->reason);
        if (decision->action != ACTION_SEAL && decision->action != ACTION_PASS)
            return error_set(err, STATUS_NOT_FOUND, "%s", decision->reason);
    }
    return STATUS_OK;
}

static enum status build(const struct seal *seal, struct seal_job *job, struct queue_released *released,
                         int *bodies, struct error *err)
{
    enum submit_outcome unused;
    struct plan plan = {0};
    enum status st = check_decisions(job, err);
    if (st == STATUS_OK)
        st = plan_make(job->recipients, job->envelope.n_recipients, &plan, err);
    if (st == STATUS_OK)
        st = copies_build(seal, job, &plan, &released->store, bodies, &unused, err);
    plan_free(&plan);
    if (st == STATUS_OK)
        released->verdict = RELEASE_SEALED;
    return st;
}

static enum status seal_again(const struct seal *seal, struct seal_job *job, struct queue_released *released,
                              int *bodies, struct error *err)
{
    enum submit_outcome unused;
    enum status st = seal_job_read(seal, job, &unused, err);
    if (st == STATUS_OK)
        st = seal_job_decide(seal, job, err);
    if (st != STATUS_OK)
        return st;
    /* We looked, and there is none: the notice holds header fields alone, never a body. */
    const struct policy_decision *first = &job->recipients[0].decision;
    if (job->notice && first->action == ACTION_CLEAR) {
        released->verdict = RELEASE_AS_IS;
        snprintf(released->why, sizeof released->why, "%s", first->reason);
        return STATUS_OK;
    }
    return build(seal, job, released, bodies, err);
}

static enum log_level level_of(enum status status)
{
    if (status == STATUS_OK)
        return LOG_LEVEL_NOTICE;
    if (status == STATUS_NOT_FOUND || status == STATUS_DENIED)
        return LOG_LEVEL_INFO; /* said again at each try */
    return status == STATUS_INTERNAL ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING;
}

static void log_result(const struct seal *seal, const char *id, int64_t copy_id, enum status status,
                       const struct queue_released *released)
{
    struct log_line line;
    log_start(&line, seal->settings->log, level_of(status), status == STATUS_OK ? "released" : "still-held");
    log_str(&line, "id", id);
    log_int(&line, "copy", copy_id);
    if (status != STATUS_OK) {
        log_str(&line, "class", status_word(status));
        log_str(&line, "error", released->why);
    } else if (released->verdict == RELEASE_AS_IS) {
        log_str(&line, "unsealed", released->why);
    }
    log_end(&line);
}

static void answer(const struct seal *seal, struct request *request, const char *id,
                   const struct queue_released *released, int bodies)
{
    struct buf body;
    struct error err;
    buf_init(&body, IPC_BODY_MAX);
    queue_released_pack(&body, released);
    enum status st = buf_check(&body, "released copy", &err);
    if (st == STATUS_OK)
        st = request_reply(request, QUEUE_RELEASED, buf_span(&body), &bodies,
                           released->verdict == RELEASE_SEALED ? 1 : 0, &err);
    /* queue sees the reply descriptor close, and the copy stays held. */
    if (st != STATUS_OK)
        log_error(seal->settings->log, LOG_LEVEL_WARNING, "reply-failed", id, &err);
    buf_free(&body);
}

/* What goes without a certificate must be ours: a message of somebody's has a reverse-path. */
static enum status check_notice(const struct queue_release *held, struct error *err)
{
    bool ours = held->envelope.n_recipients == 1 && held->envelope.reverse_path[0] == '\0';
    return !held->notice || ours ? STATUS_OK
                                 : error_set(err, STATUS_INTERNAL,
                                             "a notice came with a reverse-path or for several recipients");
}

static enum status release(const struct seal *seal, struct request *request, struct queue_release *held,
                           struct queue_released *released, int *bodies, struct error *err)
{
    struct seal_job job = {.notice = held->notice};
    struct buf message = {0};
    if (held->envelope.n_recipients == 0)
        return error_set(err, STATUS_INTERNAL, "a held copy came without recipients");
    enum status st = check_notice(held, err);
    if (st == STATUS_OK)
        st = unlock(seal, request, held->envelope.id, &message, err);
    if (st == STATUS_OK) {
        job.envelope = held->envelope;
        envelope_init(&held->envelope);
        job.message = buf_span(&message);
        st = seal_again(seal, &job, released, bodies, err);
    }
    released->store.reply.outcome = SUBMIT_QUEUED;
    seal_job_free(&job);
    buf_free(&message);
    return st;
}

void seal_release(const struct seal *seal, struct request *request)
{
    struct queue_release held;
    struct queue_released released = {.verdict = RELEASE_NOT};
    struct error err;
    char id[ID_SIZE];
    int bodies = -1;
    envelope_init(&released.store.envelope);
    enum status st = queue_release_unpack(buf_span(&request->msg.body), &held, &err);
    if (st != STATUS_OK) {
        log_error(seal->settings->log, LOG_LEVEL_ERROR, "release-failed", NULL, &err);
        return; /* queue sees the reply descriptor close, and the copy stays held */
    }
    memcpy(id, held.envelope.id, sizeof id);
    st = release(seal, request, &held, &released, &bodies, &err);
    if (st != STATUS_OK)
        snprintf(released.why, sizeof released.why, "%.*s", (int)sizeof released.why - 1, err.text);
    log_result(seal, id, held.copy_id, st, &released);
    answer(seal, request, id, &released, bodies);
    if (bodies >= 0)
        close(bodies);
    queue_released_free(&released);
    queue_release_free(&held);
}
