/*
 * Every order of five commands, from each stage of a session, against the model: 15^5 orders, three times.
 * The session and the verbs are the real ones; the connection and the calls to other roles are doubles,
 * defined here and so taken before those of the libraries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/call.h"
#include "gateway/jobs/allow_job.h"
#include "gateway/jobs/sasl_job.h"
#include "gateway/jobs/sasl_mechanism.h"
#include "gateway/submission/session.h"
#include "tests/unit/submission/model.h"

#ifdef __SANITIZE_ADDRESS__
#define LENGTH 4 /* it would take minutes */
#else
#define LENGTH 5
#endif

/* ---- the connection ---- */

struct conn {
    const struct conn_handler *handler;
    void *session;
    struct span input;
    char output[4096];
    size_t output_len;
    bool tls, starts_tls, closed;
};

static struct conn the_conn;

struct conn *conn_accepted(struct event_base *base, int fd, SSL_CTX *tls, const struct conn_handler *handler,
                           void *arg, struct conn_limits limits, struct error *err)
{
    (void)base, (void)fd, (void)limits, (void)err;
    the_conn = (struct conn){.handler = handler, .session = arg, .starts_tls = tls != NULL};
    return &the_conn;
}

enum status conn_start_tls(struct conn *c, SSL_CTX *tls, const char *sni, conn_tls_setup_fn *setup,
                           struct error *err)
{
    (void)tls, (void)sni, (void)setup, (void)err;
    c->starts_tls = true;
    return STATUS_OK;
}

bool conn_has_pipelined(const struct conn *c)
{
    return c->input.len > 0;
}

struct span conn_input(struct conn *c)
{
    return c->input;
}

void conn_consume(struct conn *c, size_t len)
{
    c->input = span_of(c->input.p + len, c->input.len - len);
}

void conn_write(struct conn *c, struct span bytes)
{
    assert_true(c->output_len + bytes.len < sizeof c->output);
    if (bytes.len > 0)
        memcpy(c->output + c->output_len, bytes.p, bytes.len);
    c->output_len += bytes.len;
    c->output[c->output_len] = '\0';
}

void conn_close(struct conn *c)
{
    c->closed = true;
    c->handler->on_gone(c->session);
}

void conn_abort(struct conn *c)
{
    c->closed = true;
}

bool conn_is_tls(const struct conn *c)
{
    return c->tls;
}

void conn_deadline(struct conn *c, int64_t in_ms)
{
    (void)c, (void)in_ms;
}

const char *conn_peer(const struct conn *c)
{
    (void)c;
    return "192.0.2.1";
}

const char *conn_tls_version(const struct conn *c)
{
    return c->tls ? "TLSv1.3" : "";
}

const char *conn_tls_cipher(const struct conn *c)
{
    return c->tls ? "TLS_AES_256_GCM_SHA384" : "";
}

void conn_expect_proxy(struct conn *c)
{
    fail_msg("no proxy is near %s", conn_peer(c));
}

SSL *conn_ssl(const struct conn *c)
{
    (void)c;
    return NULL;
}

bool conn_tls_exporter(const struct conn *c, unsigned char exporter_out[CONN_EXPORTER_SIZE])
{
    memset(exporter_out, 'x', CONN_EXPORTER_SIZE);
    return c->tls;
}

/* ---- the other roles: they say yes ---- */

struct call {
    call_done_fn *done;
    void *arg;
    uint32_t type;
    bool pending;
};

/* One that the session waits for, and one of which it only tells auth. */
static struct call calls[2];

struct call *call_start(struct event_base *base, int service_fd, uint32_t type, struct span body,
                        const int *fds, size_t nfds, struct call_limits limits, call_done_fn *done, void *arg,
                        struct error *err)
{
    (void)base, (void)body, (void)fds, (void)nfds, (void)limits, (void)err;
    struct call *call = &calls[type == CLEAR_TRIED];
    assert_false(call->pending);
    *call =
        (struct call){.done = done, .arg = arg, .type = (uint32_t)service_fd << 16 | type, .pending = true};
    return call;
}

void call_cancel(struct call *call)
{
    call->pending = false;
}

enum { SERVICE_AUTH = 1, SERVICE_SEAL };

static char *anybody[] = {(char *)(uintptr_t) "*"};

static void pack_yes(uint32_t type, struct ipc_msg *msg)
{
    switch (type) {
    case SERVICE_AUTH << 16 | SASL_START:
        msg->type = SASL_RESULT;
        sasl_result_pack(
            &msg->body,
            &(struct sasl_result){.verdict = SASL_OK, .user = "alice", .send_as = anybody, .n_send_as = 1});
        break;
    case SERVICE_AUTH << 16 | CLEAR_TRIED:
        break;
    case SERVICE_SEAL << 16 | SUBMIT_MESSAGE:
        msg->type = SUBMIT_REPLY;
        submit_reply_pack(&msg->body, &(struct submit_reply){.outcome = SUBMIT_QUEUED, .text = "queued"});
        break;
    default:
        fail_msg("a call of type %u to service %u, which this test does not know", type & 0xffff, type >> 16);
    }
}

static void answer(struct call *pending)
{
    while (pending->pending) {
        struct call call = *pending;
        struct ipc_msg msg = {0};
        buf_init(&msg.body, 4096);
        pack_yes(call.type, &msg);
        pending->pending = false;
        call.done(call.arg, STATUS_OK, &msg, NULL);
        buf_free(&msg.body);
    }
}

static void answer_calls(void)
{
    answer(&calls[1]);
    answer(&calls[0]);
}

/* ---- the walk ---- */

static const struct submission_listener in_clear = {.name = "[::]:587", .fd = -1},
                                        implicit = {.name = "[::]:465", .fd = -1, .implicit_tls = true};

static void settle_tls(struct conn *c)
{
    if (!c->starts_tls)
        return;
    c->starts_tls = false;
    c->tls = true;
    c->handler->on_open(c->session, c);
}

/* Takes the one reply that must be there; its code. */
static int take_reply(struct conn *c)
{
    const char *line = c->output;
    int code = 0;
    while (c->output_len > 0) {
        const char *end = strstr(line, "\r\n");
        assert_non_null(end);
        code = atoi(line);
        bool last = line[3] == ' ';
        line = end + 2;
        if (last)
            break;
    }
    if (*line != '\0' && c->output_len > 0)
        fail_msg("a second reply: %s", line);
    c->output_len = 0;
    return code;
}

static int say(struct conn *c, const char *text)
{
    c->input = span_str(text);
    c->handler->on_data(c->session, c);
    answer_calls();
    assert_int_equal(c->input.len, 0);
    return take_reply(c);
}

static void hang_up(struct conn *c)
{
    const struct error gone = {.status = STATUS_CLOSED};
    if (!c->closed)
        c->handler->on_end(c->session, c, &gone);
}

static struct conn *open_at(struct server_state *server, enum model_stage stage, struct model *m)
{
    struct conn *c = &the_conn;
    *m = (struct model){.tls = stage != STAGE_CLEAR};
    session_accept(server, stage == STAGE_CLEAR ? &in_clear : &implicit, -1);
    settle_tls(c);
    assert_int_equal(take_reply(c), 220);
    if (stage == STAGE_LOGIN) {
        assert_int_equal(say(c, "EHLO client.example.org\r\n"), 250);
        assert_int_equal(say(c, MODEL_LOGIN "\r\n"), 235);
        m->hello = m->esmtp = m->auth = true;
    }
    return c;
}

static void explain(enum model_stage stage, size_t order, int length, int expected, int got)
{
    print_message("stage %d:", stage);
    for (int i = 0; i < length; i++, order /= N_COMMANDS)
        print_message(" %.6s", model_commands[order % N_COMMANDS].text);
    fail_msg("expected %d, got %d", expected, got);
}

/* How many commands were said. */
static int walk(struct server_state *server, enum model_stage stage, size_t order)
{
    struct model m;
    struct conn *c = open_at(server, stage, &m);
    size_t rest = order;
    int n = 0;
    while (n < LENGTH && !m.over) {
        const struct model_command *command = &model_commands[rest % N_COMMANDS];
        rest /= N_COMMANDS;
        n++;
        int expected = command->step(&m);
        int got = say(c, command->text);
        if (got == expected && got == 354)
            got = say(c, MODEL_MESSAGE) == 250 ? 354 : 0;
        if (got != expected)
            explain(stage, order, n, expected, got);
        settle_tls(c);
        assert_int_equal(c->closed, m.over);
    }
    hang_up(c);
    return n;
}

static void walk_all(enum model_stage stage)
{
    static const struct policy_rule rule = {.name = "default", .protect = PROTECT_PREFER};
    const struct submission_settings settings = {.hostname = "mail.example.org",
                                                 .policy =
                                                     &(struct policy_settings){.rules = &rule, .n_rules = 1},
                                                 .limits = {.message_max = 100000,
                                                            .recipients_max = 100,
                                                            .sessions_max = 10,
                                                            .sessions_per_client_max = 10,
                                                            .transactions_max = 100,
                                                            .bad_commands_max = 100,
                                                            .auth_failures_max = 100,
                                                            .command_ms = 1000000,
                                                            .data_ms = 1000000,
                                                            .before_auth_ms = 1000000},
                                                 .tls = (SSL_CTX *)&the_conn, /* not looked into */
                                                 .mechanisms = SASL_ALL_MECHANISMS,
                                                 .auth_service = SERVICE_AUTH,
                                                 .seal_service = SERVICE_SEAL};
    struct server_state server = {.settings = &settings};
    struct error err = {0};
    size_t said = 0;
    assert_int_equal(limits_init(&server.limits, 10, 10, &err), STATUS_OK);
    assert_int_equal(limits_init(&server.users, 10, 10, &err), STATUS_OK);
    for (size_t order = 0; order < model_orders(LENGTH); order++)
        said += (size_t)walk(&server, stage, order);
    print_message("%zu orders, %zu commands\n", model_orders(LENGTH), said);
    assert_null(server.sessions);
    assert_int_equal(server.in_hand, 0);
    assert_int_equal(server.users.sessions, 0);
    limits_free(&server.limits);
    limits_free(&server.users);
}

static void test_A4_A5_orders_in_clear(void **state)
{
    (void)state;
    walk_all(STAGE_CLEAR);
}

static void test_A7_orders_over_tls(void **state)
{
    (void)state;
    walk_all(STAGE_TLS);
}

static void test_orders_after_login(void **state)
{
    (void)state;
    walk_all(STAGE_LOGIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A4_A5_orders_in_clear),
        cmocka_unit_test(test_A7_orders_over_tls),
        cmocka_unit_test(test_orders_after_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
