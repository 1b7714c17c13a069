/* The way of one submitted message: read, decided, sealed, handed to queue; or refused. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memfile.h"
#include "gateway/jobs/queue_job.h"
#include "gateway/seal/copies.h"
#include "gateway/seal/job.h"
#include "gateway/seal/report.h"
#include "gateway/seal/senders.h"

static const char later_text[] = "cannot seal this message now, nothing was sent; try again later";

/* Reads what submission sent: envelope and message. */
static enum status take(const struct seal *seal, const struct request *request, struct seal_job *job,
                        enum submit_outcome *outcome, struct error *err)
{
    struct unpack u;
    unpack_init(&u, buf_span(&request->msg.body));
    envelope_unpack(&u, &job->envelope);
    enum status st = unpack_done(&u, "envelope", err);
    if (st != STATUS_OK)
        return st;
    if (request->msg.nfds != 1 || job->envelope.n_recipients == 0 || !id_is_valid(job->envelope.id))
        return error_set(err, STATUS_INTERNAL,
                         "a message came without its memory file, its recipients or its id");
    st = memfile_map(request->msg.fds[0], seal->settings->message_max, &job->message, err);
    if (st == STATUS_LIMIT)
        *outcome = SUBMIT_TOO_BIG;
    return st;
}

static void write_reply(struct queue_store *store, const struct copies_count *n)
{
    struct submit_reply *reply = &store->reply;
    reply->outcome = SUBMIT_QUEUED;
    int len = snprintf(reply->text, sizeof reply->text, "%s queued, sealed for %zu of %zu recipients",
                       store->envelope.id, n->sealed, store->envelope.n_recipients);
    if (n->held > 0)
        snprintf(reply->text + len, sizeof reply->text - (size_t)len, ", held for a key: %zu", n->held);
}

static void log_sealed(const struct seal *seal, const struct queue_store *store, const struct copies_count *n,
                       size_t size, int64_t started)
{
    struct log_line line;
    log_start(&line, seal->settings->log, LOG_LEVEL_NOTICE, "sealed");
    log_str(&line, "id", store->envelope.id);
    seal_log_sender(&line, &store->envelope);
    log_int(&line, "size", (int64_t)size);
    log_int(&line, "copies", (int64_t)store->n_copies);
    log_int(&line, "sealed", (int64_t)n->sealed);
    log_int(&line, "clear", (int64_t)n->clear);
    log_int(&line, "held", (int64_t)n->held);
    log_int(&line, "returned", (int64_t)n->returned);
    log_int(&line, "ms", clock_mono_ms() - started);
    log_end(&line);
}

/* Hands STORE to queue, which answers the client once it is on disk. */
static enum status pass_on(const struct seal *seal, struct request *request, const struct queue_store *store,
                           int bodies, struct error *err)
{
    struct buf body;
    /* A client that gave up will send the message again: queued now, it would arrive twice. */
    if (!request_is_wanted(request))
        return error_set(err, STATUS_CLOSED, "the client did not wait for the sealing");
    buf_init(&body, IPC_BODY_MAX);
    queue_store_pack(&body, store);
    enum status st = buf_check(&body, "message for the queue", err);
    if (st == STATUS_OK)
        st = request_pass_on(request, seal->settings->queue_service, QUEUE_STORE, buf_span(&body), &bodies, 1,
                             err);
    buf_free(&body);
    return st;
}

/* Seals what was read and decided. The sealed copies exist only in memory until queue has them all. */
static enum status carry_out(const struct seal *seal, struct request *request, struct seal_job *job,
                             enum submit_outcome *outcome, int64_t started, struct error *err)
{
    struct plan plan = {0};
    struct queue_store store;
    struct copies_count n;
    int bodies = -1;
    enum status st = plan_make(job->recipients, job->envelope.n_recipients, &plan, err);
    if (st != STATUS_OK)
        return st;
    st = copies_build(seal, job, &plan, &store, &bodies, outcome, err);
    plan_free(&plan);
    if (st != STATUS_OK)
        return st;
    copies_count(&store, &n);
    write_reply(&store, &n);
    st = pass_on(seal, request, &store, bodies, err);
    if (st == STATUS_OK)
        log_sealed(seal, &store, &n, job->message.len, started);
    /* The log line of a failure wants the id. */
    job->envelope = store.envelope;
    envelope_init(&store.envelope);
    queue_store_free(&store);
    close(bodies);
    return st;
}

/* A text for the client: one line of printable ASCII. Why something is temporary is not the client's matter,
 * but for lookups. */
static void refusal_text(enum submit_outcome outcome, const struct error *err, struct submit_reply *reply)
{
    const char *text = outcome == SUBMIT_LATER ? later_text : err->text;
    size_t i = 0;
    for (; text[i] && i < sizeof reply->text - 1; i++)
        reply->text[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    reply->text[i] = '\0';
}

/* For the audit trail, which submission asks queue to write. */
static void name_refused(const struct seal_job *job, struct submit_reply *reply)
{
    const struct plan_recipient *r = seal_job_refused(job);
    if (!r)
        return;
    snprintf(reply->recipient, sizeof reply->recipient, "%s", r->address);
    snprintf(reply->rule, sizeof reply->rule, "%s", r->decision.rule ? r->decision.rule->name : "");
}

static void refuse(const struct seal *seal, struct request *request, const struct seal_job *job,
                   enum submit_outcome outcome, const struct error *why)
{
    struct submit_reply reply = {.outcome = outcome};
    struct buf body;
    struct error err;
    if (outcome >= SUBMIT_LATER)
        seal_report(seal->settings->log, LOG_LEVEL_WARNING, "not-sealed", &job->envelope, why);
    else
        seal_report(seal->settings->log, LOG_LEVEL_NOTICE, "refused", &job->envelope, why);
    refusal_text(outcome, why, &reply);
    if (outcome == SUBMIT_REFUSED_POLICY)
        name_refused(job, &reply);
    buf_init(&body, IPC_INLINE_MAX);
    submit_reply_pack(&body, &reply);
    if (request_reply(request, SUBMIT_REPLY, buf_span(&body), NULL, 0, &err) != STATUS_OK)
        seal_report(seal->settings->log, LOG_LEVEL_WARNING, "reply-failed", &job->envelope, &err);
    buf_free(&body);
}

void seal_submit(const struct seal *seal, struct request *request)
{
    int64_t started = clock_mono_ms();
    struct seal_job job = {0};
    enum submit_outcome outcome = SUBMIT_LATER;
    struct error err;
    envelope_init(&job.envelope);
    enum status st = take(seal, request, &job, &outcome, &err);
    if (st == STATUS_OK)
        st = seal_job_read(seal, &job, &outcome, &err);
    if (st == STATUS_OK)
        st = senders_check(&job, &outcome, &err);
    if (st == STATUS_OK)
        st = seal_job_decide(seal, &job, &err);
    if (st == STATUS_OK)
        st = seal_job_verdict(&job, &outcome, &err);
    if (st == STATUS_OK)
        st = carry_out(seal, request, &job, &outcome, started, &err);
    if (st != STATUS_OK)
        refuse(seal, request, &job, outcome, &err);
    memfile_unmap(job.message);
    seal_job_free(&job);
}
