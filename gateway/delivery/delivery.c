/* The delivery role: its parts put together, and its process. */
#include "gateway/delivery/delivery.h"

#include <event2/event.h>
#include <openssl/crypto.h>
#include <signal.h>
#include <stdlib.h>

#include "gateway/delivery/control.h"
#include "gateway/delivery/role.h"
#include "gateway/delivery/task.h"
#include "gateway/net/https.h"
#include "gateway/tlsrpt/tlsrpt.h"

/* How often it is looked whether a drain is over. */
#define DRAIN_STEP_MS 20

struct delivery_role {
    struct event_base *base;
    struct resolver *resolver;
    struct resolver_query *root_query; /* at the start, where DANE is asked for */
    struct sts_settings sts_settings;
    struct sts *sts; /* NULL: not looked for */
    bool has_https;
    struct tlsrpt_settings report_settings;
    struct tlsrpt *reports; /* NULL: TLS is not reported */
    struct destination_settings destination_settings;
    struct destinations *destinations;
    struct task_settings task_settings;
    struct tasks *tasks;
    struct attach_settings attach_settings;
    struct attach *attach;
    struct delivery_control *control;
};

static void on_lease(void *arg, struct queue_lease *lease, int body_fd)
{
    struct delivery_role *role = arg;
    tasks_lease(role->tasks, lease, body_fd);
}

static void split_settings(struct delivery_role *role, const struct delivery_settings *s)
{
    role->destination_settings = (struct destination_settings){
        .log = s->log,
        .route = {.route = s->route, .mx_port = s->mx_port, .hostname = s->hostname},
        .tls = s->tls,
        .client = {.hostname = s->hostname,
                   .tls_context = s->tls_context,
                   .timeouts = s->timeouts,
                   .credentials = s->credentials,
                   .sources = s->sources},
        .per_destination = s->per_destination,
        .deliveries_per_connection = s->deliveries_per_connection,
        .idle_ms = s->idle_ms};
    role->sts_settings = (struct sts_settings){.log = s->log,
                                               .path = s->sts_path,
                                               .fetch = {.base = role->base,
                                                         .trust = s->tls_context,
                                                         .port = s->sts_port,
                                                         .timeout_ms = s->sts_timeout_ms,
                                                         .networks = s->sts_networks,
                                                         .n_networks = s->n_sts_networks}};
    role->task_settings = (struct task_settings){.log = s->log,
                                                 .hostname = s->hostname,
                                                 .delay_warning_ms = s->delay_warning_ms,
                                                 .spool_key = s->spool_key};
    role->attach_settings =
        (struct attach_settings){.log = s->log, .queue_service = s->queue_service, .window = s->window};
}

static enum status check_route(const char *route, struct error *err)
{
    struct hop hop;
    return route_is_fixed(route) ? route_fixed_hop(route, &hop, err) : STATUS_OK;
}

/* Told at once; and each delivery that wants DANE looks again (host.c). */
static void on_root_keys(void *arg, const struct resolver_answer *answer)
{
    struct delivery_role *role = arg;
    struct error err;
    role->root_query = NULL;
    if (answer->state == RESOLVER_FOUND && answer->secure)
        return;
    error_set(
        &err, STATUS_TEMPORARY,
        "DANE is asked for, but the root's keys do not come back secure by DNSSEC (%s); mail that needs "
        "DANE waits; see trust-anchor and resolvers of delivery",
        answer->state == RESOLVER_FAILED ? answer->why : "the trust anchor is not the root's");
    log_error(role->destination_settings.log, LOG_LEVEL_ERROR, "dane-waits", NULL, &err);
}

static enum status check_anchor(struct delivery_role *role, struct error *err)
{
    if (!tls_level_uses_dane(&role->destination_settings.tls))
        return STATUS_OK;
    role->root_query = resolver_root_keys(role->resolver, on_root_keys, role, err);
    return role->root_query ? STATUS_OK : err->status;
}

static enum status prepare_https(struct delivery_role *role, struct error *err)
{
    enum status st = role->has_https ? STATUS_OK : https_prepare(err);
    role->has_https = st == STATUS_OK;
    return st;
}

/* Mail goes on without it. */
static void start_reports(struct delivery_role *role, const struct delivery_settings *settings)
{
    struct error err;
    if (!settings->reports || route_is_fixed(role->destination_settings.route.route))
        return;
    role->report_settings = *settings->reports;
    role->report_settings.log = settings->log;
    role->report_settings.hostname = settings->hostname;
    role->report_settings.post.base = role->base;
    role->report_settings.post.resolver = role->resolver;
    role->report_settings.post.trust = settings->tls_context;
    role->report_settings.enqueue = (struct enqueue_settings){.base = role->base,
                                                              .queue_service = settings->store_service,
                                                              .spool_key = &role->task_settings.spool_key};
    if (prepare_https(role, &err) == STATUS_OK)
        role->reports = tlsrpt_open(&role->report_settings, &err);
    if (!role->reports)
        log_error(settings->log, LOG_LEVEL_ERROR, "tls-reports-off", settings->reports->path, &err);
    role->destination_settings.reports = role->reports;
}

static enum status start_sts(struct delivery_role *role, struct error *err)
{
    if (!role->destination_settings.tls.mta_sts || route_is_fixed(role->destination_settings.route.route))
        return STATUS_OK;
    role->sts_settings.fetch.resolver = role->resolver;
    enum status st = prepare_https(role, err);
    return st == STATUS_OK ? sts_open(&role->sts_settings, &role->sts, err) : st;
}

static enum status put_together(struct delivery_role *role, const struct delivery_settings *settings,
                                struct error *err)
{
    enum status st = check_route(settings->route, err);
    if (st == STATUS_OK)
        st = resolver_open(role->base, &settings->resolver, &role->resolver, err);
    if (st == STATUS_OK)
        st = check_anchor(role, err);
    if (st == STATUS_OK)
        st = start_sts(role, err);
    if (st != STATUS_OK)
        return st;
    start_reports(role, settings);
    role->destinations =
        destinations_new(role->base, role->resolver, role->sts, &role->destination_settings, err);
    if (!role->destinations)
        return err->status;
    role->tasks = tasks_new(role->base, &role->task_settings, role->destinations, err);
    if (!role->tasks)
        return err->status;
    role->attach = attach_start(role->base, &role->attach_settings, on_lease, role, err);
    if (!role->attach)
        return err->status;
    tasks_set_attach(role->tasks, role->attach);
    const struct survey_settings surveys = {.base = role->base,
                                            .resolver = role->resolver,
                                            .sts = role->sts,
                                            .destinations = &role->destination_settings};
    role->control =
        delivery_control_start(&surveys, role->tasks, role->reports, settings->control_service, err);
    return role->control ? STATUS_OK : err->status;
}

struct delivery_role *delivery_start(struct event_base *base, const struct delivery_settings *settings,
                                     struct error *err)
{
    struct delivery_role *role = calloc(1, sizeof *role);
    if (!role) {
        error_set(err, STATUS_TEMPORARY, "out of memory for delivery");
        return NULL;
    }
    role->base = base;
    split_settings(role, settings);
    if (put_together(role, settings, err) == STATUS_OK)
        return role;
    delivery_stop(role);
    return NULL;
}

void delivery_drain(struct delivery_role *role)
{
    delivery_control_drain(role->control);
    tasks_drain(role->tasks);
    destinations_drain(role->destinations);
}

bool delivery_is_settled(const struct delivery_role *role)
{
    return tasks_is_idle(role->tasks) && attach_is_settled(role->attach);
}

void delivery_stop(struct delivery_role *role)
{
    if (role->control)
        delivery_control_stop(role->control);
    if (role->destinations)
        destinations_free(role->destinations);
    if (role->tasks)
        tasks_free(role->tasks);
    if (role->attach)
        attach_stop(role->attach);
    if (role->reports)
        tlsrpt_close(role->reports);
    if (role->sts)
        sts_close(role->sts);
    if (role->has_https)
        https_clean_up();
    if (role->root_query)
        resolver_cancel(role->root_query);
    if (role->resolver)
        resolver_close(role->resolver);
    OPENSSL_cleanse(&role->task_settings.spool_key, sizeof role->task_settings.spool_key);
    free(role);
}

/* ---- the process ---- */

struct process {
    struct event_base *base;
    const struct delivery_settings *settings;
    struct delivery_role *role;
    struct event *term;
    struct event *step;
    int64_t left_ms; /* of the drain */
};

static void on_step(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct process *p = arg;
    p->left_ms -= DRAIN_STEP_MS;
    if (delivery_is_settled(p->role) || p->left_ms <= 0)
        event_base_loopexit(p->base, NULL);
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct process *p = arg;
    struct timeval tv = {.tv_usec = DRAIN_STEP_MS * 1000};
    if (p->left_ms > 0)
        return;
    p->left_ms = p->settings->drain_ms;
    delivery_drain(p->role);
    event_add(p->step, &tv);
}

static bool prepare(struct process *p, struct error *err)
{
    p->base = event_base_new();
    if (p->base) {
        p->term = evsignal_new(p->base, SIGTERM, on_term, p);
        p->step = event_new(p->base, -1, EV_PERSIST, on_step, p);
    }
    if (!p->term || !p->step || event_add(p->term, NULL) < 0) {
        error_set(err, STATUS_TEMPORARY, "out of memory for the event loop");
        return false;
    }
    p->role = delivery_start(p->base, p->settings, err);
    return p->role != NULL;
}

int delivery_run(const struct delivery_settings *settings)
{
    struct process p = {.settings = settings};
    struct error err = {0};
    bool ok = prepare(&p, &err);
    if (ok)
        event_base_dispatch(p.base);
    else
        log_error(settings->log, LOG_LEVEL_ERROR, "start-failed", NULL, &err);
    if (p.role)
        delivery_stop(p.role);
    if (p.term)
        event_free(p.term);
    if (p.step)
        event_free(p.step);
    if (p.base)
        event_base_free(p.base);
    return ok ? 0 : 1;
}
