/* The control role's surroundings in one loop: keys, queue and supervisor answer what a test says; a client
 * talks over a Unix socket. */
#ifndef SEALGATE_TESTS_CONTROL_WORLD_H
#define SEALGATE_TESTS_CONTROL_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/control/session.h"
#include "gateway/jobs/control_job.h"
#include "gateway/jobs/keys_job.h"

enum fake_service {
    FAKE_KEYS_CONTROL,
    FAKE_KEYS_LOOKUP,
    FAKE_QUEUE,
    FAKE_SUPERVISOR,
    FAKE_AUTH,
    FAKE_DELIVERY,
    FAKES
};

struct fake {
    int fds[2];
    struct server *server;
    const char *reply;        /* JSON; NULL: takes the request and drops it */
    struct keys_found *found; /* of keys lookup; NULL: as above */
    char seen[4096];          /* the requests, one line each */
    unsigned n_seen;
};

struct world {
    struct event_base *base;
    struct event *tick;
    struct fake fakes[FAKES];
    struct control_settings settings;
    struct policy_rule rules[5];
    struct policy_settings policy;
};

struct client {
    int fd;
    struct buf in;
    bool ended;
};

static inline void world_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what, (void)arg;
}

static inline void fake_request(void *arg, struct request *request)
{
    struct fake *f = arg;
    struct error err;
    if (request->msg.type == KEYS_LOOKUP && f->found) {
        struct buf body;
        buf_init(&body, IPC_BODY_MAX);
        keys_found_pack(&body, f->found, false);
        assert_int_equal(request_reply(request, KEYS_FOUND, buf_span(&body), NULL, 0, &err), STATUS_OK);
        buf_free(&body);
    } else if (request->msg.type == CONTROL_REQUEST) {
        struct span body = buf_span(&request->msg.body);
        size_t at = strlen(f->seen);
        snprintf(f->seen + at, sizeof f->seen - at, "%.*s\n", (int)(body.len < 1000 ? body.len : 1000),
                 (const char *)body.p);
        if (f->reply)
            assert_int_equal(request_reply(request, CONTROL_REPLY, span_str(f->reply), NULL, 0, &err),
                             STATUS_OK);
    }
    f->n_seen++;
    request_free(request);
    free(request);
}

static inline int world_open(void **state)
{
    static const struct timeval tick = {.tv_usec = 5000};
    struct world *w = calloc(1, sizeof *w);
    struct error err;
    w->base = event_base_new();
    w->tick = event_new(w->base, -1, EV_PERSIST, world_tick, w);
    assert_int_equal(event_add(w->tick, &tick), 0);
    for (int i = 0; i < FAKES; i++) {
        struct fake *f = &w->fakes[i];
        assert_int_equal(ipc_pair(f->fds, &err), STATUS_OK);
        assert_int_equal(ipc_nonblocking(f->fds[0], &err), STATUS_OK);
        f->server = server_start(w->base, f->fds[1], true, fake_request, f, &err);
        assert_non_null(f->server);
    }
    w->rules[0] = (struct policy_rule){.name = "default", .protect = PROTECT_REQUIRE};
    w->policy = (struct policy_settings){.rules = w->rules, .n_rules = 1};
    w->settings = (struct control_settings){.socket_fd = -1,
                                            .policy = &w->policy,
                                            .tls = {.level = TLS_LEVEL_MAY},
                                            .route = "mx",
                                            .keys_control_service = w->fakes[FAKE_KEYS_CONTROL].fds[0],
                                            .keys_lookup_service = w->fakes[FAKE_KEYS_LOOKUP].fds[0],
                                            .queue_service = w->fakes[FAKE_QUEUE].fds[0],
                                            .supervisor_service = w->fakes[FAKE_SUPERVISOR].fds[0],
                                            .auth_service = w->fakes[FAKE_AUTH].fds[0],
                                            .delivery_service = w->fakes[FAKE_DELIVERY].fds[0]};
    *state = w;
    alarm(60);
    return 0;
}

static inline void world_turn(struct world *w)
{
    assert_int_equal(event_base_loop(w->base, EVLOOP_ONCE), 0);
}

static inline int world_close(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < FAKES; i++) {
        server_stop(w->fakes[i].server);
        close(w->fakes[i].fds[0]);
        close(w->fakes[i].fds[1]);
    }
    /* Connections that were closed finish by themselves. */
    event_free(w->tick);
    assert_true(event_base_loop(w->base, 0) >= 0);
    event_base_free(w->base);
    free(w);
    alarm(0);
    return 0;
}

static inline struct client client_open(struct world *w)
{
    struct client c = {0};
    int fds[2];
    struct error err;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(ipc_nonblocking(fds[0], &err), STATUS_OK);
    assert_int_equal(ipc_nonblocking(fds[1], &err), STATUS_OK);
    c.fd = fds[0];
    buf_init(&c.in, 1u << 22);
    control_session_start(w->base, &w->settings, fds[1]);
    return c;
}

static inline void client_close(struct client *c)
{
    close(c->fd);
    buf_free(&c->in);
}

/* Sends all, or until the other side ends it. */
static inline void client_send(struct world *w, struct client *c, const void *bytes, size_t len)
{
    const char *p = bytes;
    while (len > 0) {
        ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EPIPE)
            return;
        assert_true(n >= 0 || errno == EAGAIN);
        p += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
        if (n < 0)
            world_turn(w);
    }
}

static inline void client_read(struct world *w, struct client *c)
{
    char chunk[4096];
    world_turn(w);
    ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
    if (n > 0)
        buf_append(&c->in, chunk, (size_t)n);
    else if (n == 0 || errno != EAGAIN)
        c->ended = true;
}

/* The next line as JSON; NULL: the connection ended without one. */
static inline json_t *client_answer(struct world *w, struct client *c)
{
    const char *end;
    while (!(end = c->in.len ? memchr(c->in.data, '\n', c->in.len) : NULL) && !c->ended)
        client_read(w, c);
    if (!end)
        return NULL;
    size_t len = (size_t)(end - (const char *)c->in.data);
    json_t *answer = json_loadb((const char *)c->in.data, len, 0, NULL);
    assert_non_null(answer);
    buf_consume(&c->in, len + 1);
    return answer;
}

static inline json_t *client_ask(struct world *w, struct client *c, const char *line)
{
    client_send(w, c, line, strlen(line));
    client_send(w, c, "\n", 1);
    json_t *answer = client_answer(w, c);
    assert_non_null(answer);
    return answer;
}

/* One request over a connection of its own. */
static inline json_t *ask(struct world *w, const char *line)
{
    struct client c = client_open(w);
    json_t *answer = client_ask(w, &c, line);
    client_close(&c);
    return answer;
}

static inline const char *text_in(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "(none)";
}

/* Frees ANSWER. */
static inline void expect_error(json_t *answer, const char *status_class, const char *text)
{
    assert_true(json_is_false(json_object_get(answer, "ok")));
    assert_string_equal(text_in(answer, "class"), status_class);
    if (!strstr(text_in(answer, "error"), text))
        fail_msg("%s: not in: %s", text, text_in(answer, "error"));
    json_decref(answer);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_open, world_close)

#endif
