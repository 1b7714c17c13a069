#include "gateway/submission/refused.h"

#include <stdint.h>
#include <stdlib.h>

#include "gateway/jobs/queue_job.h"
#include "gateway/submission/session.h"

#define BODY_MAX 16384
#define TAKEN_MS 10000
#define TOTAL_MS 20000

/* On their way at a time, per process, each with a descriptor: a client that is refused faster than queue
 * writes it down must not take them from all sessions. */
#define ON_THE_WAY_MAX 256

struct refused_call {
    struct refused_call *next, *previous;
    struct server_state *server;
    struct call *call;
};

static void unlink_from(struct refused_call *r)
{
    if (r->next)
        r->next->previous = r->previous;
    if (r->previous)
        r->previous->next = r->next;
    else
        r->server->refused = r->next;
    r->server->n_refused--;
}

static void on_recorded(void *arg, enum status status, struct ipc_msg *reply, const struct error *err)
{
    (void)reply;
    struct refused_call *r = arg;
    struct server_state *server = r->server;
    if (status != STATUS_OK)
        log_error(server->settings->log, LOG_LEVEL_ERROR, "audit-failed", "a refused recipient", err);
    unlink_from(r);
    free(r);
    server_check_empty(server);
}

static void pack(struct buf *body, struct session *s, const char *recipient, const char *rule,
                 const char *reply)
{
    /* Borrowed strings: packed, not freed. */
    struct queue_refused refused = {.envelope = s->transaction.envelope,
                                    .recipient = (char *)(uintptr_t)recipient,
                                    .rule = rule[0] ? (char *)(uintptr_t)rule : NULL,
                                    .reply = (char *)(uintptr_t)reply};
    refused.envelope.recipients = NULL;
    refused.envelope.n_recipients = 0;
    refused.envelope.send_as = NULL;
    refused.envelope.n_send_as = 0;
    queue_refused_pack(body, &refused);
}

void refused_record(struct session *s, const char *recipient, const char *rule, const char *reply)
{
    struct server_state *server = s->server;
    struct call_limits limits = {.taken_ms = TAKEN_MS, .total_ms = TOTAL_MS};
    struct error err = {0};
    struct buf body;
    struct refused_call *r = calloc(1, sizeof *r);
    buf_init(&body, BODY_MAX);
    pack(&body, s, recipient, rule, reply);
    if (!r)
        error_set(&err, STATUS_TEMPORARY, "out of memory");
    else if (server->n_refused >= ON_THE_WAY_MAX)
        error_set(&err, STATUS_BUSY, "queue takes no more records now");
    else if (buf_check(&body, "audit record", &err) == STATUS_OK)
        r->call = call_start(server->base, server->settings->queue_service, QUEUE_REFUSED, buf_span(&body),
                             NULL, 0, limits, on_recorded, r, &err);
    buf_free(&body);
    if (!r || !r->call) {
        session_log_error(s, LOG_LEVEL_ERROR, "audit-failed", &err);
        free(r);
        return;
    }
    r->server = server;
    r->next = server->refused;
    if (r->next)
        r->next->previous = r;
    server->refused = r;
    server->n_refused++;
}

void refused_cancel_all(struct server_state *server)
{
    while (server->refused) {
        struct refused_call *r = server->refused;
        call_cancel(r->call);
        unlink_from(r);
        free(r);
    }
}
