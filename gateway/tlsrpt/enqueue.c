#include "gateway/tlsrpt/enqueue.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memfile.h"
#include "gateway/jobs/queue_job.h"

/* Nobody says "taken": what comes is the answer. */
static const struct call_limits limits = {.taken_ms = 60000, .total_ms = 60000};

static void put(const struct own_mail *mail, uint64_t body_len, struct buf *out)
{
    char *to = (char *)mail->to;
    struct envelope_recipient recipient = {.address = to};
    struct copy_recipient copied = {.address = to, .rule = (char *)mail->rule};
    struct store_copy copy = {.state = COPY_QUEUED,
                              .format = FORMAT_CLEAR,
                              .locked = true,
                              .body_len = body_len,
                              .tls_optional = mail->tls_optional,
                              .recipients = &copied,
                              .n_recipients = 1};
    struct queue_store store = {.envelope = {.received_ms = clock_wall_ms(),
                                             .reverse_path = (char *)mail->reverse_path,
                                             .recipients = &recipient,
                                             .n_recipients = 1},
                                .reply = {.outcome = SUBMIT_QUEUED},
                                .copies = &copy,
                                .n_copies = 1};
    memcpy(store.envelope.id, mail->id, ID_SIZE);
    queue_store_pack(out, &store);
}

static struct call *hand_over(const struct enqueue_settings *settings, const struct own_mail *mail,
                              struct span locked, call_done_fn *done, void *arg, struct error *err)
{
    struct call *call = NULL;
    struct buf body;
    int fd = -1;
    buf_init(&body, IPC_BODY_MAX);
    put(mail, locked.len, &body);
    enum status st = buf_check(&body, "message to be queued", err);
    if (st == STATUS_OK)
        st = memfile_from(mail->rule, locked, &fd, err);
    if (st == STATUS_OK) {
        call = call_start(settings->base, settings->queue_service, QUEUE_STORE, buf_span(&body), &fd, 1,
                          limits, done, arg, err);
        close(fd);
    }
    buf_free(&body);
    return call;
}

struct call *enqueue_start(const struct enqueue_settings *settings, const struct own_mail *mail,
                           call_done_fn *done, void *arg, struct error *err)
{
    struct call *call = NULL;
    struct buf locked;
    buf_init(&locked, spans_len(mail->message) + SPOOL_OVERHEAD);
    const struct sink sink = sink_to_buf(&locked);
    enum status st = spool_lock(settings->spool_key, mail->id, mail->message, &sink, err);
    if (st == STATUS_OK)
        st = buf_check(&locked, "message to be queued", err);
    if (st == STATUS_OK)
        call = hand_over(settings, mail, buf_span(&locked), done, arg, err);
    buf_free(&locked);
    return call;
}

enum status enqueue_result(enum status status, struct ipc_msg *reply, const struct error *why,
                           struct error *err)
{
    struct submit_reply answer;
    if (status != STATUS_OK) {
        *err = *why;
        return error_prefix(err, "queue did not answer");
    }
    if (reply->type != SUBMIT_REPLY)
        return error_set(err, STATUS_INTERNAL, "queue answered with a message of type %u", reply->type);
    enum status st = submit_reply_unpack(buf_span(&reply->body), &answer, err);
    if (st == STATUS_OK && answer.outcome != SUBMIT_QUEUED)
        st = error_set(err, STATUS_TEMPORARY, "%s", answer.text);
    return st;
}
