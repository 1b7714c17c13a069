/* Start, loop and end of the queue role. */
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>

#include "gateway/queue/audit.h"
#include "gateway/queue/role.h"
#include "gateway/queue/schema.h"
#include "gateway/queue/worked.h"

#define SERVERS 4

struct role {
    struct queue queue;
    struct server *servers[SERVERS];
    struct event *terminate;
};

/* Anchors of the audit trail outside the database: who cuts or rewrites it cannot change the journal. */
static void log_head(const struct queue *queue, const char *event)
{
    struct audit_head head;
    struct error err;
    struct log_line line;

    if (audit_head(queue->sql, &head, &err) != STATUS_OK) {
        log_error(queue->settings->log, LOG_LEVEL_ERROR, "audit-head-unreadable", NULL, &err);
        return;
    }
    log_start(&line, queue->settings->log, LOG_LEVEL_NOTICE, event);
    log_int(&line, "audit_seq", head.seq);
    log_str(&line, "audit_hash", head.hash);
    log_end(&line);
}

static void stop_servers(struct role *role)
{
    for (int i = 0; i < SERVERS; i++) {
        if (role->servers[i])
            server_stop(role->servers[i]);
        role->servers[i] = NULL;
    }
}

/* What was taken is finished; what was not waits in the services for the next process. */
static void on_terminate(evutil_socket_t signum, short what, void *arg)
{
    (void)signum, (void)what;
    struct role *role = arg;

    stop_servers(role);
    group_run(role->queue.group);
    link_stop(role->queue.link);
    event_base_loopexit(role->queue.base, NULL);
}

static enum status start_servers(struct role *role, struct error *err)
{
    struct queue *queue = &role->queue;
    const struct queue_settings *s = queue->settings;
    const struct {
        int fd;
        bool announces;
        server_request_fn *handler;
    } services[SERVERS] = {
        {s->store_service, false, intake_store},
        {s->refused_service, true, intake_refused},
        {s->delivery_service, true, link_attach},
        {s->control_service, true, control_request},
    };

    for (int i = 0; i < SERVERS; i++) {
        role->servers[i] =
            server_start(queue->base, services[i].fd, services[i].announces, services[i].handler, queue, err);
        if (!role->servers[i])
            return err->status;
    }
    return STATUS_OK;
}

static enum status start(struct role *role, struct error *err)
{
    struct queue *queue = &role->queue;

    queue->base = event_base_new();
    if (!queue->base || event_base_priority_init(queue->base, 3) < 0)
        return error_set(err, STATUS_TEMPORARY, "out of memory for an event loop");
    enum status st = sql_open(queue->settings->path, queue_schema, &queue->sql, err);
    if (st != STATUS_OK)
        return st;
    queue->group = group_new(queue->base, queue->sql, queue->settings->log, err);
    queue->link = queue->group ? link_new(queue, err) : NULL;
    queue->releases = queue->link ? releases_new(queue, err) : NULL;
    queue->tick = queue->releases ? tick_new(queue, err) : NULL;
    queue->worked = queue->tick ? worked_new(queue, err) : NULL;
    if (!queue->worked)
        return err->status;
    role->terminate = evsignal_new(queue->base, SIGTERM, on_terminate, role);
    if (!role->terminate || event_add(role->terminate, NULL) < 0)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a signal");
    return start_servers(role, err);
}

static void end(struct role *role)
{
    struct queue *queue = &role->queue;

    stop_servers(role);
    /* The end of one work may have added another. */
    if (queue->worked) {
        for (int i = 0; i < 3; i++)
            group_run(queue->group);
        worked_stop(queue->worked);
    }
    if (role->terminate)
        event_free(role->terminate);
    backup_stop(queue);
    worked_free(queue->worked);
    tick_free(queue->tick);
    releases_free(queue->releases);
    link_free(queue->link);
    group_free(queue->group);
    sql_close(queue->sql);
    if (queue->base)
        event_base_free(queue->base);
}

int queue_run(const struct queue_settings *settings)
{
    struct role role = {.queue = {.settings = settings}};
    struct error err = {0};

    if (start(&role, &err) != STATUS_OK) {
        log_error(settings->log, LOG_LEVEL_ERROR, "queue-start-failed", settings->path, &err);
        end(&role);
        return EX_UNAVAILABLE;
    }
    log_head(&role.queue, "queue-started");
    tick_set(role.queue.tick, true);
    event_base_dispatch(role.queue.base);
    log_head(&role.queue, "queue-stopped");
    end(&role);
    return EX_OK;
}
