/* Requests to store: messages from seal, refused recipients from submission. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memfile.h"
#include "gateway/jobs/queue_job.h"
#include "gateway/queue/audit.h"
#include "gateway/queue/role.h"
#include "gateway/queue/schema.h"
#include "gateway/queue/store.h"

struct store_work {
    struct work work;
    struct queue *queue;
    struct request *request;
    struct queue_store store;
};

static void answer_store(struct queue *queue, struct request *request, const struct submit_reply *reply)
{
    struct error err;
    struct buf body;

    buf_init(&body, IPC_INLINE_MAX);
    submit_reply_pack(&body, reply);
    if (request_reply(request, SUBMIT_REPLY, buf_span(&body), NULL, 0, &err) != STATUS_OK)
        log_error(queue->settings->log, LOG_LEVEL_WARNING, "reply-failed", NULL, &err);
    buf_free(&body);
    request_free(request);
    free(request);
}

static void answer_later(struct queue *queue, struct request *request, enum status st)
{
    /* A full or failing disk is STATUS_TEMPORARY (base/sql.h). */
    struct submit_reply reply = {.outcome = st == STATUS_TEMPORARY ? SUBMIT_LATER_DISK : SUBMIT_LATER};

    snprintf(reply.text, sizeof reply.text, "the message cannot be queued now, try again later");
    answer_store(queue, request, &reply);
}

static void log_store(const struct store_work *w, enum status st, const struct error *err)
{
    const struct envelope *e = &w->store.envelope;
    struct log_line line;

    log_start(&line, w->queue->settings->log, st == STATUS_OK ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR,
              st == STATUS_OK ? "queued" : "not-queued");
    log_str(&line, "id", e->id);
    log_str(&line, "from", e->reverse_path);
    log_int(&line, "copies", (int64_t)w->store.n_copies);
    log_int(&line, "recipients", (int64_t)e->n_recipients);
    log_int(&line, "size", (int64_t)w->work.bytes);
    if (st != STATUS_OK)
        log_str(&line, "error", err->text);
    log_end(&line);
}

static enum status apply_store(struct work *work, struct sql *sql, int64_t now_ms, struct error *err)
{
    struct store_work *w = (struct store_work *)work;
    struct span bodies;

    if (!request_is_wanted(w->request))
        return error_set(err, STATUS_CLOSED, "the client gave up before the message was queued");
    if (w->request->msg.nfds < 1)
        return error_set(err, STATUS_INVALID, "a message came without its bodies");
    enum status st = memfile_map(w->request->msg.fds[0], SIZE_MAX, &bodies, err);
    if (st != STATUS_OK)
        return st;
    st = store_insert(sql, w->queue->settings, &w->store, bodies, now_ms, err);
    memfile_unmap(bodies);
    return st;
}

static void stored(struct work *work, enum status st, const struct error *err)
{
    struct store_work *w = (struct store_work *)work;

    log_store(w, st, err);
    if (st == STATUS_OK)
        answer_store(w->queue, w->request, &w->store.reply);
    else
        answer_later(w->queue, w->request, st);
    queue_store_free(&w->store);
    free(w);
}

static size_t bodies_size(const struct request *request)
{
    struct stat st;
    return request->msg.nfds > 0 && fstat(request->msg.fds[0], &st) == 0 ? (size_t)st.st_size : 0;
}

void intake_store(void *arg, struct request *request)
{
    struct queue *queue = arg;
    struct error err = {0};
    struct store_work *w = calloc(1, sizeof *w);
    enum status st = w ? STATUS_OK : error_set(&err, STATUS_TEMPORARY, "out of memory for a message");

    if (st == STATUS_OK && request->msg.type != QUEUE_STORE)
        st = error_set(&err, STATUS_INVALID, "a request of type %u is none to store", request->msg.type);
    if (st == STATUS_OK)
        st = queue_store_unpack(buf_span(&request->msg.body), &w->store, &err);
    if (st != STATUS_OK) {
        log_error(queue->settings->log, LOG_LEVEL_ERROR, "not-queued", NULL, &err);
        answer_later(queue, request, STATUS_INTERNAL);
        free(w);
        return;
    }
    w->work = (struct work){.apply = apply_store, .done = stored, .bytes = bodies_size(request)};
    w->queue = queue;
    w->request = request;
    group_add(queue->group, &w->work);
}

/* ---- refused recipients ---- */

/* Bytes of "client:NAME"; a longer one is cut in the trail. */
#define CLIENT_MAX 300

struct refused_work {
    struct work work;
    struct queue *queue;
    struct request *request;
    struct queue_refused refused;
};

/* As SQL_USER has it for messages that are stored. */
static const char *user_of(const struct envelope *e, char *client, size_t size)
{
    if (!e->client || !*e->client)
        return e->user;
    snprintf(client, size, CLIENT_PREFIX "%s", e->client);
    return client;
}

static enum status apply_refused(struct work *work, struct sql *sql, int64_t now_ms, struct error *err)
{
    const struct queue_refused *r = &((struct refused_work *)work)->refused;
    const struct envelope *e = &r->envelope;
    char client[CLIENT_MAX];
    /* Whole messages are refused too: then there is no recipient. */
    struct audit_row row = {.time_ms = now_ms,
                            .text = {[AUDIT_EVENT] = "refused",
                                     [AUDIT_MESSAGE] = *e->id ? e->id : NULL,
                                     [AUDIT_USER] = user_of(e, client, sizeof client),
                                     [AUDIT_REVERSE_PATH] = e->reverse_path,
                                     [AUDIT_RECIPIENT] = *r->recipient ? r->recipient : NULL,
                                     [AUDIT_RULE] = r->rule,
                                     [AUDIT_CLIENT_ADDRESS] = e->client_address,
                                     [AUDIT_IN_TLS_VERSION] = e->tls_version,
                                     [AUDIT_IN_TLS_CIPHER] = e->tls_cipher,
                                     [AUDIT_REPLY] = r->reply}};
    return audit_append(sql, &row, err);
}

/* Without a reply the caller sees the descriptor close, which tells that it was not written. */
static void refused_stored(struct work *work, enum status st, const struct error *err)
{
    struct refused_work *w = (struct refused_work *)work;
    struct error reply_err;

    if (st != STATUS_OK)
        log_error(w->queue->settings->log, LOG_LEVEL_ERROR, "audit-failed", w->refused.recipient, err);
    else if (request_reply(w->request, QUEUE_DONE, span_of(NULL, 0), NULL, 0, &reply_err) != STATUS_OK)
        log_error(w->queue->settings->log, LOG_LEVEL_WARNING, "reply-failed", NULL, &reply_err);
    request_free(w->request);
    free(w->request);
    queue_refused_free(&w->refused);
    free(w);
}

void intake_refused(void *arg, struct request *request)
{
    struct queue *queue = arg;
    struct error err = {0};
    struct refused_work *w = calloc(1, sizeof *w);
    enum status st = w ? STATUS_OK : error_set(&err, STATUS_TEMPORARY, "out of memory for an audit line");

    if (st == STATUS_OK && request->msg.type != QUEUE_REFUSED)
        st = error_set(&err, STATUS_INVALID, "a request of type %u is no refused recipient",
                       request->msg.type);
    if (st == STATUS_OK)
        st = queue_refused_unpack(buf_span(&request->msg.body), &w->refused, &err);
    if (st != STATUS_OK) {
        log_error(queue->settings->log, LOG_LEVEL_ERROR, "audit-failed", NULL, &err);
        request_free(request);
        free(request);
        free(w);
        return;
    }
    w->work = (struct work){.apply = apply_refused, .done = refused_stored};
    w->queue = queue;
    w->request = request;
    group_add(queue->group, &w->work);
}
