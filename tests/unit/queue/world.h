/* The queue role in a process of its own, and its neighbours as seen from it: this test. */
#ifndef SEALGATE_TESTS_UNIT_QUEUE_WORLD_H
#define SEALGATE_TESTS_UNIT_QUEUE_WORLD_H

#include "tests/unit/queue/database.h"

#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/call.h"
#include "base/clock.h"
#include "gateway/jobs/control_job.h"

/* Longest wait for anything that must happen; generous for sanitised builds. */
#define PATIENCE_MS 20000

enum { STORE, REFUSED, DELIVERY, CONTROL, SEAL, KEYS, SERVICES };

struct world {
    struct database d; /* opened by the role alone while it runs */
    int services[SERVICES][2];
    struct log log;
    pid_t pid;
};

/* The role must not hold ends that belong to its neighbours, or it would never see them close. */
static inline void close_others(const struct world *w)
{
    for (int fd = 3; fd < 1024; fd++) {
        bool own = false;
        for (int i = 0; i < SERVICES; i++)
            own = own || fd == w->services[i][i >= SEAL ? 0 : 1];
        if (!own)
            close(fd);
    }
}

static inline void world_start(struct world *w)
{
    fflush(NULL);
    w->pid = fork();
    assert_true(w->pid >= 0);
    if (w->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* when a test fails */
        struct queue_settings s = w->d.settings;
        s.log = &w->log;
        s.store_service = w->services[STORE][1];
        s.refused_service = w->services[REFUSED][1];
        s.delivery_service = w->services[DELIVERY][1];
        s.control_service = w->services[CONTROL][1];
        s.seal_service = w->services[SEAL][0];
        s.keys_service = w->services[KEYS][0];
        close_others(w);
        signal(SIGPIPE, SIG_IGN);
        _exit(queue_run(&s));
    }
}

static inline void world_make(struct world *w)
{
    struct error err;
    *w = (struct world){0};
    database_folder(&w->d);
    w->log = (struct log){.fd = 2, .level = LOG_LEVEL_NOTICE, .role = "queue"};
    for (int i = 0; i < SERVICES; i++)
        OK(ipc_pair(w->services[i], &err));
    signal(SIGPIPE, SIG_IGN);
}

/* Returns the wait status. */
static inline int world_stop(struct world *w, int signum)
{
    int status = 0;
    assert_int_equal(kill(w->pid, signum), 0);
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    w->pid = 0;
    return status;
}

static inline void world_end(struct world *w)
{
    if (w->pid) {
        int status = world_stop(w, SIGTERM);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    database_open(&w->d);
    database_verify(&w->d);
    database_remove(&w->d);
    for (int i = 0; i < SERVICES; i++) {
        close(w->services[i][0]);
        close(w->services[i][1]);
    }
}

/* Stops it, and does to its database what SQL says. */
static inline void world_change(struct world *w, const char *sql)
{
    world_stop(w, SIGTERM);
    database_open(&w->d);
    database_run(&w->d, sql);
    sql_close(w->d.sql);
}

static inline bool wait_for(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) > 0;
}

/* ---- as submission and seal ---- */

/* Sends a message as seal does; the answer comes over the descriptor returned. */
static inline int world_submit_fd(const struct world *w, const struct queue_store *store, int bodies)
{
    struct error err;
    struct buf body;
    int reply[2];
    OK(ipc_pair(reply, &err));
    buf_init(&body, IPC_BODY_MAX);
    queue_store_pack(&body, store);
    int fds[] = {reply[1], bodies};
    OK(ipc_send(w->services[STORE][0], QUEUE_STORE, buf_span(&body), fds, 2, &err));
    buf_free(&body);
    close(reply[1]);
    return reply[0];
}

static inline int world_submit(const struct world *w, const struct sample *s)
{
    struct error err;
    int bodies;
    OK(memfile_from("bodies", sample_bodies(s), &bodies, &err));
    int fd = world_submit_fd(w, &s->store, bodies);
    close(bodies);
    return fd;
}

/* The outcome told to the client; 0: the pair closed without a reply. Closes FD. */
static inline enum submit_outcome world_reply(int fd)
{
    struct ipc_msg msg;
    struct submit_reply reply;
    struct error err;
    if (!wait_for(fd, PATIENCE_MS))
        fail_msg("no reply in time");
    enum status st = ipc_recv(fd, &msg, &err);
    close(fd);
    if (st != STATUS_OK)
        return 0;
    assert_int_equal(msg.type, SUBMIT_REPLY);
    OK(submit_reply_unpack(buf_span(&msg.body), &reply, &err));
    ipc_msg_free(&msg);
    return reply.outcome;
}

static inline enum submit_outcome world_send(const struct world *w, const struct sample *s)
{
    return world_reply(world_submit(w, s));
}

/* A sample_simple for ADDRESS, which must be stored. */
static inline void world_send_simple(const struct world *w, struct sample *s, const char *address)
{
    sample_simple(s, address);
    assert_int_equal(world_send(w, s), SUBMIT_QUEUED);
}

/* A sample_held for ADDRESS, which must be stored. */
static inline void world_send_held(const struct world *w, struct sample *s, const char *address)
{
    sample_held(s, address);
    assert_int_equal(world_send(w, s), SUBMIT_QUEUED);
}

/* ---- as delivery ---- */

static inline int world_attach(const struct world *w, const char *instance, uint32_t window)
{
    struct error err;
    struct buf body;
    struct queue_attach attach = {.window = window};
    int pair[2];
    snprintf(attach.instance, sizeof attach.instance, "%s", instance);
    OK(ipc_pair(pair, &err));
    buf_init(&body, 1000);
    queue_attach_pack(&body, &attach);
    OK(ipc_send(w->services[DELIVERY][0], QUEUE_ATTACH, buf_span(&body), &pair[1], 1, &err));
    buf_free(&body);
    close(pair[1]);
    return pair[0];
}

/* The next message on the channel, CALL_TAKEN left out; false: closed, or nothing within MS. */
static inline bool channel_next(int fd, int ms, struct ipc_msg *msg_out)
{
    struct error err;
    for (;;) {
        if (!wait_for(fd, ms) || ipc_recv(fd, msg_out, &err) != STATUS_OK)
            return false;
        if (msg_out->type != CALL_TAKEN)
            return true;
        ipc_msg_free(msg_out);
    }
}

/* The next message must be a lease; free it. BODY_OUT (may be NULL) gets the memory file. */
static inline void channel_take_lease(int fd, struct queue_lease *lease_out, int *body_out)
{
    struct ipc_msg msg;
    struct error err;
    if (!channel_next(fd, PATIENCE_MS, &msg))
        fail_msg("no lease in time");
    assert_int_equal(msg.type, QUEUE_LEASE);
    OK(queue_lease_unpack(buf_span(&msg.body), lease_out, &err));
    assert_int_equal(msg.nfds, 1);
    if (body_out)
        *body_out = ipc_take_fd(&msg, 0);
    ipc_msg_free(&msg);
}

/* Nothing comes: asked for only after something that is behind it in order was seen. */
static inline void channel_is_quiet(int fd)
{
    struct ipc_msg msg;
    if (channel_next(fd, 100, &msg))
        fail_msg("a message of type %u came", msg.type);
}

/* Of the only outcome that the tests send of a copy: no id of anything. */
static inline int64_t outcome_number(int64_t copy_id)
{
    return 1000000 + copy_id;
}

static inline void channel_send_outcome(int fd, const struct queue_outcome *outcome, int dsn)
{
    struct error err;
    struct buf body;
    buf_init(&body, IPC_BODY_MAX);
    struct queue_outcome numbered = *outcome;
    numbered.number = outcome_number(outcome->copy_id);
    queue_outcome_pack(&body, &numbered);
    OK(ipc_send(fd, QUEUE_OUTCOME, buf_span(&body), &dsn, dsn >= 0 ? 1 : 0, &err));
    buf_free(&body);
}

/* One outcome for all recipients of a lease. */
static inline void channel_finish(int fd, const struct queue_lease *lease, enum delivery_outcome what)
{
    struct queue_outcome outcome = {.copy_id = lease->copy_id, .n_recipients = lease->n_recipients};
    outcome.recipients = calloc(lease->n_recipients, sizeof *outcome.recipients);
    for (size_t i = 0; i < lease->n_recipients; i++)
        outcome.recipients[i] = (struct outcome_recipient){
            .id = lease->recipients[i].id, .outcome = what, .reply = text("said the next hop")};
    channel_send_outcome(fd, &outcome, -1);
    free(outcome.recipients);
}

static inline void channel_take_stored(int fd, int64_t copy_id)
{
    struct ipc_msg msg;
    struct unpack u;
    if (!channel_next(fd, PATIENCE_MS, &msg))
        fail_msg("no acknowledgement in time");
    assert_int_equal(msg.type, QUEUE_OUTCOME_STORED);
    unpack_init(&u, buf_span(&msg.body));
    assert_int_equal(unpack_i64(&u), outcome_number(copy_id));
    ipc_msg_free(&msg);
}

/* One outcome for all recipients of a lease, until it is stored. */
static inline void channel_settle(int fd, const struct queue_lease *lease, enum delivery_outcome what)
{
    channel_finish(fd, lease, what);
    channel_take_stored(fd, lease->copy_id);
}

/* The only recipient of a lease is bounced, with a DSN for alice; its id comes out. */
static inline void channel_bounce(int fd, const struct queue_lease *lease, char dsn_id_out[ID_SIZE])
{
    struct outcome_recipient r = {.id = lease->recipients[0].id, .outcome = OUTCOME_BOUNCED};
    struct queue_outcome outcome = {.copy_id = lease->copy_id,
                                    .recipients = &r,
                                    .n_recipients = 1,
                                    .has_dsn = true,
                                    .dsn_recipient = text("alice@example.org")};
    struct error err;
    int dsn;
    id_make(outcome.dsn_id);
    memcpy(dsn_id_out, outcome.dsn_id, ID_SIZE);
    OK(memfile_from("dsn", span_str("locked dsn"), &dsn, &err));
    channel_send_outcome(fd, &outcome, dsn);
    close(dsn);
}

/* ---- as control ---- */

/* REQUEST as JSON text with ' for "; the reply, to be freed with json_decref. */
static inline json_t *world_ask(const struct world *w, const char *request)
{
    char json[1000];
    struct ipc_msg reply;
    struct error err;
    json_error_t why;
    snprintf(json, sizeof json, "%s", request);
    for (char *p = json; *p; p++)
        if (*p == '\'')
            *p = '"';
    OK(call_wait(w->services[CONTROL][0], CONTROL_REQUEST, span_str(json), NULL, 0,
                 (struct call_limits){PATIENCE_MS, PATIENCE_MS}, &reply, &err));
    json_t *answer = json_loadb((const char *)reply.body.data, reply.body.len, 0, &why);
    assert_non_null(answer);
    ipc_msg_free(&reply);
    return answer;
}

static inline json_t *world_ask_id(const struct world *w, const char *verb, const char *id)
{
    char request[300];
    snprintf(request, sizeof request, "{'verb': '%s', 'id': '%s'}", verb, id);
    return world_ask(w, request);
}

static inline bool is_ok(const json_t *answer)
{
    return json_is_true(json_object_get(answer, "ok"));
}

/* "": there is no such string. */
static inline const char *str(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    return s ? s : "";
}

/* Asks, must be ok, and returns the number NAME of the answer. */
static inline int64_t world_count(const struct world *w, const char *request, const char *name)
{
    json_t *answer = world_ask(w, request);
    if (!is_ok(answer))
        fail_msg("%s: %s", request, json_string_value(json_object_get(answer, "error")));
    int64_t n = json_integer_value(json_object_get(answer, name));
    json_decref(answer);
    return n;
}

/* How many recipients are in this state now. */
static inline int64_t world_state(const struct world *w, const char *state)
{
    json_t *answer = world_ask(w, "{'verb': 'queue.status'}");
    int64_t n = json_integer_value(json_object_get(json_object_get(answer, "recipients"), state));
    json_decref(answer);
    return n;
}

/* ---- as seal ---- */

/* The next request to release a held copy; free RELEASE and answer REQUEST. */
static inline void seal_take(const struct world *w, struct request *request_out,
                             struct queue_release *release_out)
{
    struct ipc_msg msg;
    struct error err;
    if (!wait_for(w->services[SEAL][1], PATIENCE_MS))
        fail_msg("seal was not asked in time");
    OK(ipc_recv(w->services[SEAL][1], &msg, &err));
    OK(request_take(&msg, request_out, &err));
    assert_int_equal(request_out->msg.type, QUEUE_RELEASE);
    OK(queue_release_unpack(buf_span(&request_out->msg.body), release_out, &err));
}

/* Answers that a notice may go as it is. Frees both. */
static inline void seal_lets_go(struct request *request, struct queue_release *release, const char *why)
{
    struct queue_released released = {.verdict = RELEASE_AS_IS};
    struct error err;
    struct buf body;
    snprintf(released.why, sizeof released.why, "%s", why);
    buf_init(&body, IPC_BODY_MAX);
    queue_released_pack(&body, &released);
    OK(request_reply(request, QUEUE_RELEASED, buf_span(&body), NULL, 0, &err));
    buf_free(&body);
    request_free(request);
    queue_release_free(release);
}

/* Answers with SAMPLE (under the id that was asked about), or with why not. Frees both. */
static inline void seal_answer(struct request *request, struct queue_release *release, struct sample *s,
                               const char *why)
{
    struct queue_released released = {.verdict = s ? RELEASE_SEALED : RELEASE_NOT};
    struct error err;
    struct buf body;
    int bodies = -1;
    snprintf(released.why, sizeof released.why, "%s", why ? why : "");
    if (s) {
        memcpy(s->store.envelope.id, release->envelope.id, ID_SIZE);
        released.store = s->store;
        OK(memfile_from("bodies", sample_bodies(s), &bodies, &err));
    }
    buf_init(&body, IPC_BODY_MAX);
    queue_released_pack(&body, &released);
    OK(request_reply(request, QUEUE_RELEASED, buf_span(&body), &bodies, s ? 1 : 0, &err));
    buf_free(&body);
    if (bodies >= 0)
        close(bodies);
    request_free(request);
    queue_release_free(release);
}

/* Answers with a sealed copy for ADDRESS. Frees both. */
static inline void seal_seals(struct request *request, struct queue_release *release, const char *address)
{
    struct sample sealed;
    sample_simple(&sealed, address);
    seal_answer(request, release, &sealed, NULL);
}

#endif
