/* Start, loop and end of the keys role. */
#include <event2/event.h>
#include <signal.h>
#include <sys/time.h>
#include <sysexits.h>

#include "gateway/keys/role.h"

struct loop {
    struct event_base *base;
    struct server *lookups;
    struct server *controls;
    struct event *terminate;
};

/* Each request is answered before the next is taken: what was not taken waits for the next process. */
static void on_terminate(evutil_socket_t signum, short what, void *arg)
{
    (void)signum, (void)what;
    event_base_loopexit(arg, NULL);
}

static void set_alarm(int64_t ms)
{
    struct itimerval it = {.it_value = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000}};
    setitimer(ITIMER_REAL, &it, NULL);
}

/*
 * An inspection waits for gpg. When gpg hangs, the kernel ends this process, the supervisor its gpg, and the
 * next one takes the requests that wait: callers see a failed lookup, never "none".
 */
static void on_lookup(void *arg, struct request *request)
{
    struct keys_role *role = arg;
    set_alarm(role->settings->request_ms);
    keys_lookup_request(role, request);
    set_alarm(0);
}

static void on_control(void *arg, struct request *request)
{
    struct keys_role *role = arg;
    set_alarm(role->settings->request_ms);
    keys_control_request(role, request);
    set_alarm(0);
}

static enum status start(struct keys_role *role, struct loop *loop, struct error *err)
{
    const struct keys_settings *s = role->settings;

    loop->base = event_base_new();
    if (loop->base)
        loop->terminate = evsignal_new(loop->base, SIGTERM, on_terminate, loop->base);
    if (!loop->terminate || event_add(loop->terminate, NULL) < 0)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the event loop");
    enum status st = keystore_open(&s->keystore, &role->keystore, err);
    if (st != STATUS_OK)
        return st;
    loop->lookups = server_start(loop->base, s->lookup_service, false, on_lookup, role, err);
    if (!loop->lookups)
        return err->status;
    loop->controls = server_start(loop->base, s->control_service, true, on_control, role, err);
    return loop->controls ? STATUS_OK : err->status;
}

static void stop(struct keys_role *role, struct loop *loop)
{
    if (loop->lookups)
        server_stop(loop->lookups);
    if (loop->controls)
        server_stop(loop->controls);
    if (loop->terminate)
        event_free(loop->terminate);
    if (loop->base)
        event_base_free(loop->base);
    keystore_close(role->keystore);
}

/* What will be the same at the next start is the administrator's to mend. */
static int exit_code(enum status st)
{
    return st == STATUS_INVALID || st == STATUS_DENIED ? EX_CONFIG : EX_TEMPFAIL;
}

int keys_run(const struct keys_settings *settings)
{
    struct keys_role role = {.settings = settings};
    struct loop loop = {0};
    struct error err;
    enum status st = start(&role, &loop, &err);
    int code = EX_OK;

    if (st != STATUS_OK) {
        log_error(settings->log, LOG_LEVEL_ERROR, "keys-not-started", settings->keystore.path, &err);
        code = exit_code(st);
    } else if (event_base_dispatch(loop.base) < 0) {
        error_set(&err, STATUS_INTERNAL, "the event loop failed");
        log_error(settings->log, LOG_LEVEL_ERROR, "keys-ended", NULL, &err);
        code = EX_SOFTWARE;
    }
    stop(&role, &loop);
    return code;
}
