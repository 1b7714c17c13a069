/* The table of verbs, and how each kind is run. */
#include <stdlib.h>
#include <string.h>

#include "gateway/jobs/control_job.h"
#include "gateway/queue/verbs.h"

struct verb {
    const char *name;
    /* exactly one of them */
    verb_read_fn *read;
    verb_change_fn *change;
    verb_async_fn *async;
};

static const struct verb verbs[] = {
    {.name = "queue.list", .read = verb_queue_list},
    {.name = "queue.show", .read = verb_queue_show},
    {.name = "queue.status", .read = verb_queue_status},
    {.name = "queue.retry", .change = verb_queue_retry},
    {.name = "queue.hold", .change = verb_queue_hold},
    {.name = "queue.release", .change = verb_queue_release},
    {.name = "queue.remove", .change = verb_queue_remove},
    {.name = "queue.backup", .async = verb_queue_backup},
    {.name = "held.list", .read = verb_held_list},
    {.name = "held.show", .read = verb_queue_show},
    {.name = "held.release", .async = verb_held_release},
    {.name = "held.recheck", .change = verb_held_recheck},
    {.name = "held.return", .change = verb_held_return},
    {.name = "audit.list", .read = verb_audit_list},
    {.name = "audit.export", .read = verb_audit_export},
    {.name = "audit.verify", .async = verb_audit_verify},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static void end_request(struct request *request)
{
    request_free(request);
    free(request);
}

/* REPLY is stolen. */
static void answer(struct request *request, enum status st, json_t *reply, const struct error *err)
{
    if (st == STATUS_OK) {
        control_reply_json(request, reply);
    } else {
        json_decref(reply);
        control_reply_error(request, err);
    }
    end_request(request);
}

/* ---- changes ---- */

struct change {
    struct work work;
    struct queue *queue;
    struct request *request;
    json_t *args;
    verb_change_fn *verb;
    json_t *reply;
};

static enum status apply_change(struct work *work, struct sql *sql, int64_t now_ms, struct error *err)
{
    struct change *c = (struct change *)work;
    (void)sql;
    return c->verb(c->queue, c->args, now_ms, &c->reply, err);
}

static void changed(struct work *work, enum status st, const struct error *err)
{
    struct change *c = (struct change *)work;
    struct queue *queue = c->queue;

    answer(c->request, st, c->reply, err);
    json_decref(c->args);
    free(c);
    /* It may have been a recheck; due recipients are leased with every commit. */
    if (st == STATUS_OK) {
        releases_recheck(queue->releases);
        group_kick(queue->group);
    }
}

static void start_change(struct queue *queue, struct request *request, json_t *args, verb_change_fn *verb)
{
    struct change *c = calloc(1, sizeof *c);
    if (!c) {
        struct error err;
        error_set(&err, STATUS_TEMPORARY, "out of memory for the request");
        answer(request, err.status, NULL, &err);
        return;
    }
    *c = (struct change){.work = {.apply = apply_change, .done = changed},
                         .queue = queue,
                         .request = request,
                         .args = json_incref(args),
                         .verb = verb};
    group_add(queue->group, &c->work);
}

/* ---- all ---- */

static void run_read(struct queue *queue, struct request *request, const json_t *args, verb_read_fn *verb)
{
    struct error err = {0};
    json_t *reply = NULL;
    enum status st = verb(queue, args, &reply, &err);
    answer(request, st, reply, &err);
}

void control_request(void *arg, struct request *request)
{
    struct queue *queue = arg;
    struct error err = {0};
    const struct verb *verb = NULL;
    json_t *args = NULL;

    if (request->msg.type == CONTROL_REQUEST)
        args = control_request_parse(buf_span(&request->msg.body), &err);
    else
        error_set(&err, STATUS_INVALID, "a message of type %u is no control request", request->msg.type);
    if (args) {
        const char *name = json_string_value(json_object_get(args, "verb"));
        verb = find_verb(name);
        if (!verb)
            error_set(&err, STATUS_INVALID, "the queue knows no verb \"%.60s\"", name);
    }
    if (!verb)
        answer(request, err.status, NULL, &err);
    else if (verb->read)
        run_read(queue, request, args, verb->read);
    else if (verb->change)
        start_change(queue, request, args, verb->change);
    else
        verb->async(queue, args, request);
    json_decref(args);
}
