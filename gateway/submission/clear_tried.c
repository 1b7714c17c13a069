#include "gateway/submission/clear_tried.h"

#include <string.h>

#include "gateway/jobs/allow_job.h"
#include "gateway/submission/session.h"
#include "gateway/submission/verbs.h"

#define BODY_MAX 4096
#define TAKEN_MS 5000

/* On their way to auth at a time, per process: who floods is counted as far as auth keeps up. */
#define ON_THE_WAY_MAX 64

/* Taken and, having no reply, closed; or not taken: that is not worth a word. */
static void on_told(void *arg, enum status status, struct ipc_msg *reply, const struct error *why)
{
    (void)status, (void)reply, (void)why;
    struct server_state *server = arg;
    server->clear_tries--;
}

static void tell(struct session *s)
{
    struct server_state *server = s->server;
    struct call_limits limits = {.taken_ms = TAKEN_MS, .total_ms = TAKEN_MS};
    /* Borrowed strings: packed, not freed. */
    struct clear_tried tried = {.client_address = (char *)(uintptr_t)conn_peer(s->conn),
                                .verb = (char *)(uintptr_t)s->verb->name,
                                .helo = s->helo};
    struct error err;
    struct buf body;
    buf_init(&body, BODY_MAX);
    clear_tried_pack(&body, &tried);
    if (!body.failed && call_start(server->base, server->settings->auth_service, CLEAR_TRIED, buf_span(&body),
                                   NULL, 0, limits, on_told, server, &err))
        server->clear_tries++;
    buf_free(&body);
}

void clear_tried(struct session *s)
{
    if (s->tried_in_clear || (strcmp(s->verb->name, "AUTH") != 0 && strcmp(s->verb->name, "MAIL") != 0))
        return;
    s->tried_in_clear = true;
    if (s->server->clear_tries < ON_THE_WAY_MAX)
        tell(s);
}
