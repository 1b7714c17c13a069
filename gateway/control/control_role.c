#include <event2/event.h>
#include <signal.h>
#include <sysexits.h>

#include "gateway/control/control.h"
#include "gateway/control/session.h"
#include "gateway/net/listener.h"

struct control {
    const struct control_settings *settings;
    struct event_base *base;
};

static void on_accept(void *arg, int fd)
{
    struct control *c = arg;
    control_session_start(c->base, c->settings, fd);
}

/* Nothing to drain: a sealctl whose answer is cut off says so and is run again. */
static void on_term(evutil_socket_t signum, short what, void *arg)
{
    (void)signum, (void)what;
    struct control *c = arg;
    event_base_loopexit(c->base, NULL);
}

int control_run(const struct control_settings *settings)
{
    struct control c = {.settings = settings, .base = event_base_new()};
    struct error err = {0};
    if (!c.base)
        return EX_OSERR;
    struct event *term = evsignal_new(c.base, SIGTERM, on_term, &c);
    struct listener *listener = listener_start(c.base, settings->socket_fd, on_accept, &c, &err);
    int code = EX_OSERR;
    if (term && event_add(term, NULL) == 0 && listener)
        code = event_base_dispatch(c.base) < 0 ? EX_OSERR : EX_OK;
    else
        log_error(settings->log, LOG_LEVEL_ERROR, "role-failed", "control", &err);
    if (listener)
        listener_stop(listener);
    if (term)
        event_free(term);
    event_base_free(c.base);
    return code;
}
