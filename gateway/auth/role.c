/* Start, loop and end of the auth role, and which handler each request goes to. */
#include "gateway/auth/role.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/clock.h"
#include "gateway/auth/mechanism.h"
#include "gateway/jobs/allow_job.h"
#include "gateway/jobs/sasl_job.h"

/* What the guard has not written by then is lost with the process. */
#define TICK_SECONDS 5

struct loop {
    struct server *requests, *control;
    struct event *terminate, *tick;
};

static const struct {
    uint32_t type;
    void (*take)(struct auth_role *role, struct request *request);
} handlers[] = {
    {SASL_START, exchange_on_start}, {SASL_STEP, exchange_on_step},    {SASL_ABORT, exchange_on_abort},
    {ALLOW_ASK, counting_on_ask},    {CLEAR_TRIED, counting_on_clear},
};

static void on_request(void *arg, struct request *request)
{
    struct auth_role *role = arg;
    struct error err;
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++) {
        if (handlers[i].type == request->msg.type) {
            handlers[i].take(role, request);
            return;
        }
    }
    error_set(&err, STATUS_INVALID, "a request of type %u", (unsigned)request->msg.type);
    log_error(role->settings->log, LOG_LEVEL_ERROR, "bad-request", NULL, &err);
    request_free(request);
    free(request);
}

void auth_check_end(struct auth_role *role)
{
    if (role->draining && role->in_hand == 0)
        event_base_loopexit(role->base, NULL);
}

struct ending {
    struct auth_role *role;
    struct loop *loop;
};

/* What was not taken waits for the next process; an exchange that waits for its client ends here. */
static void on_terminate(evutil_socket_t signum, short what, void *arg)
{
    (void)signum, (void)what;
    struct ending *ending = arg;
    if (ending->loop->requests)
        server_stop(ending->loop->requests);
    ending->loop->requests = NULL;
    ending->role->draining = true;
    auth_check_end(ending->role);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct auth_role *role = arg;
    guard_tick(role->guard, clock_wall_ms());
}

static enum status open_files(struct auth_role *role, struct error *err)
{
    const struct auth_settings *s = role->settings;
    enum status st = STATUS_OK;
    if (s->users_path)
        st = users_watch_open(s->users_path, &role->users, err);
    if (st == STATUS_OK)
        st = fake_secret_open(s->secret_path, &role->secret, err);
    return st == STATUS_OK ? guard_open(&s->guard, clock_wall_ms(), &role->guard, err) : st;
}

static enum status start_loop(struct auth_role *role, struct loop *loop, struct ending *ending,
                              struct error *err)
{
    const struct timeval seconds = {.tv_sec = TICK_SECONDS};
    role->base = event_base_new();
    if (role->base) {
        loop->terminate = evsignal_new(role->base, SIGTERM, on_terminate, ending);
        loop->tick = event_new(role->base, -1, EV_PERSIST, on_tick, role);
    }
    if (!loop->terminate || !loop->tick || event_add(loop->terminate, NULL) < 0 ||
        event_add(loop->tick, &seconds) < 0)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the event loop");
    loop->requests = server_start(role->base, role->settings->auth_service, true, on_request, role, err);
    if (!loop->requests)
        return err->status;
    loop->control =
        server_start(role->base, role->settings->control_service, true, auth_control_request, role, err);
    return loop->control ? STATUS_OK : err->status;
}

static enum status start(struct auth_role *role, struct loop *loop, struct ending *ending, struct error *err)
{
    const struct auth_settings *s = role->settings;
    enum status st = open_files(role, err);
    if (st == STATUS_OK)
        st = table_open(&role->exchanges, s->exchanges_max, s->exchanges_per_client_max, err);
    if (st == STATUS_OK)
        st = mechanisms_open(&role->library, err);
    return st == STATUS_OK ? start_loop(role, loop, ending, err) : st;
}

static void stop(struct auth_role *role, struct loop *loop)
{
    if (loop->requests)
        server_stop(loop->requests);
    if (loop->control)
        server_stop(loop->control);
    if (role->exchanges.size > 0)
        exchange_end_all(role);
    table_close(&role->exchanges);
    if (role->guard)
        guard_tick(role->guard, clock_wall_ms());
    guard_close(role->guard);
    if (loop->terminate)
        event_free(loop->terminate);
    if (loop->tick)
        event_free(loop->tick);
    if (role->base)
        event_base_free(role->base);
    if (role->library)
        mechanisms_close(role->library);
    if (role->settings->users_path)
        users_watch_close(&role->users);
    explicit_bzero(&role->secret, sizeof role->secret);
}

/* What will be the same at the next start is the administrator's to mend. */
static int exit_code(enum status st)
{
    return st == STATUS_TEMPORARY ? EX_TEMPFAIL : EX_CONFIG;
}

int auth_run(const struct auth_settings *settings)
{
    struct auth_role role = {.settings = settings};
    struct loop loop = {0};
    struct ending ending = {.role = &role, .loop = &loop};
    struct error err;
    enum status st = start(&role, &loop, &ending, &err);
    int code = EX_OK;
    if (st != STATUS_OK) {
        log_error(settings->log, LOG_LEVEL_ERROR, "cannot-start", NULL, &err);
        code = exit_code(st);
    } else if (event_base_dispatch(role.base) < 0) {
        error_set(&err, STATUS_INTERNAL, "the event loop failed");
        log_error(settings->log, LOG_LEVEL_ERROR, "auth-ended", NULL, &err);
        code = EX_SOFTWARE;
    }
    stop(&role, &loop);
    return code;
}
