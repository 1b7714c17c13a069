#include "gateway/main/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/jobs/control_job.h"

struct status_server {
    const struct children *children;
    const char *conf_path;
    int64_t started_ms;
    struct server *server;
};

static void add_process(void *arg, const struct child_info *info)
{
    char started[CLOCK_ISO_SIZE];
    clock_iso(info->started_ms, started);
    json_array_append_new(arg, json_pack("{s:s, s:i, s:i, s:s, s:i}", "role", info->role, "index",
                                         (int)info->index, "pid", (int)info->pid, "started", started,
                                         "restarts", (int)info->restarts));
}

static json_t *describe(const struct status_server *s)
{
    char started[CLOCK_ISO_SIZE];
    json_t *processes = json_array();
    clock_iso(s->started_ms, started);
    children_each(s->children, add_process, processes);
    return json_pack("{s:b, s:s, s:s, s:o}", "ok", 1, "configuration", s->conf_path, "started", started,
                     "processes", processes);
}

static void on_request(void *arg, struct request *request)
{
    struct error err;
    json_t *object = control_request_parse(buf_span(&request->msg.body), &err);
    const char *verb = object ? json_string_value(json_object_get(object, "verb")) : NULL;
    if (verb && strcmp(verb, "supervisor.status") == 0) {
        control_reply_json(request, describe(arg));
    } else {
        if (object)
            error_set(&err, STATUS_INVALID, "the supervisor knows no verb %s", verb);
        control_reply_error(request, &err);
    }
    json_decref(object);
    request_free(request);
    free(request);
}

enum status status_server_start(struct event_base *base, int service_fd, const struct children *children,
                                const char *conf_path, struct status_server **server_out, struct error *err)
{
    struct status_server *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the status service");
    *s = (struct status_server){.children = children, .conf_path = conf_path, .started_ms = clock_wall_ms()};
    s->server = server_start(base, service_fd, true, on_request, s, err);
    if (!s->server) {
        free(s);
        return err->status;
    }
    *server_out = s;
    return STATUS_OK;
}

void status_server_stop(struct status_server *server)
{
    server_stop(server->server);
    free(server);
}
