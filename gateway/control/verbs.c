#include "gateway/control/verbs.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/jobs/control_job.h"

static const struct call_limits limits = {.taken_ms = 10000, .total_ms = 60000};
/* What reads the whole database. */
static const struct call_limits long_limits = {.taken_ms = 10000, .total_ms = 3600000};

/* One verb under way, or several in a row (status; key.add or key.pin and then held.recheck). */
struct task {
    struct session *session;
    json_t *first; /* the answer of the first role */
    void (*then)(struct task *task);
};

static void task_free(struct task *task)
{
    json_decref(task->first);
    free(task);
}

static bool takes_long(const json_t *request)
{
    const char *verb = json_string_value(json_object_get(request, "verb"));
    return verb && (strcmp(verb, "queue.backup") == 0 || strcmp(verb, "audit.verify") == 0);
}

static bool ask(struct session *session, int service, json_t *request, call_done_fn *done, void *arg)
{
    char *text = json_dumps(request, JSON_COMPACT);
    struct error err;
    struct call *call = NULL;
    if (text)
        call = call_start(control_session_base(session), service, CONTROL_REQUEST, span_str(text), NULL, 0,
                          takes_long(request) ? long_limits : limits, done, arg, &err);
    else
        error_set(&err, STATUS_TEMPORARY, "out of memory for the request");
    free(text);
    if (!call)
        control_session_answer_error(session, &err);
    return call != NULL;
}

/* Asks a further role for TASK. */
static void then_ask(struct task *task, int service, const char *verb, call_done_fn *done)
{
    json_t *request = json_pack("{s:s}", "verb", verb);
    if (!ask(task->session, service, request, done, task))
        task_free(task);
    json_decref(request);
}

/* The reply as an object; NULL: ERR says why. */
static json_t *parse_reply(enum status status, struct ipc_msg *reply, const struct error *why,
                           struct error *err)
{
    if (status != STATUS_OK) {
        *err = *why;
        error_prefix(err, "the role that knows did not answer");
        return NULL;
    }
    json_t *object = json_loadb((const char *)reply->body.data, reply->body.len, 0, NULL);
    if (!object)
        error_set(err, STATUS_INTERNAL, "a role's reply is no JSON");
    return object;
}

static void on_first(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    struct task *task = arg;
    struct error err;
    task->first = parse_reply(status, reply, why, &err);
    if (!task->first) {
        control_session_answer_error(task->session, &err);
        task_free(task);
        return;
    }
    if (task->then && json_is_true(json_object_get(task->first, "ok"))) {
        task->then(task);
        return;
    }
    control_session_answer(task->session, json_incref(task->first));
    task_free(task);
}

/* ---- status: the supervisor's processes, then the queue's counts, then who is blocked or in clear, then how
 * mail was delivered ---- */

/* What a second role says, as member KEY of the answer: a role that does not answer is part of the status. */
static void add_to_status(struct task *task, const char *key, enum status status, struct ipc_msg *reply,
                          const struct error *why)
{
    struct error err;
    json_t *object = parse_reply(status, reply, why, &err);
    if (!object)
        object = json_pack("{s:b, s:o}", "ok", 0, "error", control_text(err.text));
    json_object_set_new(task->first, key, object);
}

static void on_delivery_status(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    struct task *task = arg;
    add_to_status(task, "delivery", status, reply, why);
    control_session_answer(task->session, json_incref(task->first));
    task_free(task);
}

static void on_guard_status(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    struct task *task = arg;
    add_to_status(task, "guard", status, reply, why);
    then_ask(task, control_session_settings(task->session)->delivery_service, "delivery.status",
             on_delivery_status);
}

static void on_queue_status(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    struct task *task = arg;
    add_to_status(task, "queue", status, reply, why);
    then_ask(task, control_session_settings(task->session)->auth_service, "guard.status", on_guard_status);
}

static void then_queue_status(struct task *task)
{
    then_ask(task, control_session_settings(task->session)->queue_service, "queue.status", on_queue_status);
}

/* ---- a new certificate, or one that is trusted now, may free what was held for it ---- */

static void on_recheck(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    (void)status, (void)reply, (void)why;
    /* The certificate is stored either way; queue also looks by itself from time to time. */
    struct task *task = arg;
    control_session_answer(task->session, json_incref(task->first));
    task_free(task);
}

static void then_recheck(struct task *task)
{
    then_ask(task, control_session_settings(task->session)->queue_service, "held.recheck", on_recheck);
}

static bool starts(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

void verbs_do(struct session *session, json_t *request)
{
    const struct control_settings *settings = control_session_settings(session);
    const char *verb = json_string_value(json_object_get(request, "verb"));
    struct error err;
    json_t *status_request = NULL;
    int service;
    if (strcmp(verb, "explain") == 0) {
        explain_do(session, request);
        return;
    }
    struct task *task = calloc(1, sizeof *task);
    if (!task) {
        error_set(&err, STATUS_TEMPORARY, "out of memory for the request");
        control_session_answer_error(session, &err);
        return;
    }
    task->session = session;
    if (strcmp(verb, "status") == 0) {
        service = settings->supervisor_service;
        request = status_request = json_pack("{s:s}", "verb", "supervisor.status");
        task->then = then_queue_status;
    } else if (starts(verb, "key.")) {
        service = settings->keys_control_service;
        task->then = strcmp(verb, "key.add") == 0 || strcmp(verb, "key.pin") == 0 ? then_recheck : NULL;
    } else if (starts(verb, "queue.") || starts(verb, "held.") || starts(verb, "audit.")) {
        service = settings->queue_service;
    } else if (starts(verb, "guard.")) {
        service = settings->auth_service;
    } else if (starts(verb, "delivery.")) {
        service = settings->delivery_service;
    } else {
        error_set(&err, STATUS_INVALID, "there is no verb %s", verb);
        control_session_answer_error(session, &err);
        task_free(task);
        return;
    }
    if (!ask(session, service, request, on_first, task))
        task_free(task);
    json_decref(status_request);
}
