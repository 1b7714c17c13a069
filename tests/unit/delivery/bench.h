/* The delivery role between a queue and a host that both belong to the test. */
#ifndef SEALGATE_TESTS_DELIVERY_BENCH_H
#define SEALGATE_TESTS_DELIVERY_BENCH_H

#include "tests/unit/delivery/smtpd.h"

#include "base/call.h"
#include "base/clock.h"
#include "base/memfile.h"
#include "gateway/delivery/role.h"
#include "gateway/jobs/queue_job.h"

#define BENCH_OUTCOMES 1000

struct bench {
    struct event_base *base;
    SSL_CTX *server_tls, *client_tls;
    char dir[64], ca[128];
    struct smtpd smtpd;
    char route[64];
    struct delivery_settings settings;
    struct delivery_role *role;
    /* the queue */
    int service[2], control[2];
    struct server *server;
    int channel;
    struct event *readable;
    unsigned attached;
    char instance[QUEUE_INSTANCE_SIZE];
    bool keep_unstored; /* do not say "stored" */
    struct queue_outcome outcomes[BENCH_OUTCOMES];
    struct buf dsns[BENCH_OUTCOMES]; /* opened */
    size_t n_outcomes;
    size_t n_recipients; /* in all outcomes */
    size_t wanted;
    bool done;
};

static inline void bench_open_dsn(struct bench *b, const struct queue_outcome *o, int fd, struct buf *out)
{
    struct span locked;
    struct error err;
    buf_init(out, 1 << 20);
    assert_int_equal(memfile_map(fd, 1 << 20, &locked, &err), STATUS_OK);
    assert_int_equal(spool_unlock(&b->settings.spool_key, o->dsn_id, locked, out, &err), STATUS_OK);
    memfile_unmap(locked);
}

static inline void bench_stored(struct bench *b, int64_t number)
{
    struct buf body;
    struct error err;
    buf_init(&body, 16);
    pack_i64(&body, number);
    assert_int_equal(ipc_send(b->channel, QUEUE_OUTCOME_STORED, buf_span(&body), NULL, 0, &err), STATUS_OK);
    buf_free(&body);
}

static inline void bench_close_channel(struct bench *b)
{
    if (b->readable)
        event_free(b->readable);
    if (b->channel >= 0)
        close(b->channel);
    b->readable = NULL;
    b->channel = -1;
}

static inline void bench_on_message(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct bench *b = arg;
    struct ipc_msg msg;
    struct error err;
    enum status st = ipc_recv(fd, &msg, &err);
    if (st == STATUS_CLOSED)
        bench_close_channel(b);
    if (st != STATUS_OK)
        return;
    assert_int_equal(msg.type, QUEUE_OUTCOME);
    assert_true(b->n_outcomes < BENCH_OUTCOMES);
    struct queue_outcome *o = &b->outcomes[b->n_outcomes];
    assert_int_equal(queue_outcome_unpack(buf_span(&msg.body), o, &err), STATUS_OK);
    assert_int_equal(msg.nfds, o->has_dsn);
    if (o->has_dsn)
        bench_open_dsn(b, o, msg.fds[0], &b->dsns[b->n_outcomes]);
    b->n_outcomes++;
    b->n_recipients += o->n_recipients;
    b->done = b->n_recipients >= b->wanted;
    int64_t number = o->number;
    ipc_msg_free(&msg);
    if (!b->keep_unstored)
        bench_stored(b, number);
}

static inline void bench_on_attach(void *arg, struct request *request)
{
    struct bench *b = arg;
    struct queue_attach attach;
    struct error err;
    assert_int_equal(request->msg.type, QUEUE_ATTACH);
    assert_int_equal(queue_attach_unpack(buf_span(&request->msg.body), &attach, &err), STATUS_OK);
    bench_close_channel(b);
    b->channel = request->reply_fd;
    request->reply_fd = -1;
    assert_int_equal(ipc_nonblocking(b->channel, &err), STATUS_OK);
    b->readable = event_new(b->base, b->channel, EV_READ | EV_PERSIST, bench_on_message, b);
    event_add(b->readable, NULL);
    b->attached++;
    memcpy(b->instance, attach.instance, sizeof b->instance);
    request_free(request);
    free(request);
}

static inline void bench_forget(struct bench *b)
{
    for (size_t i = 0; i < b->n_outcomes; i++) {
        queue_outcome_free(&b->outcomes[i]);
        buf_free(&b->dsns[i]);
    }
    memset(b->outcomes, 0, sizeof b->outcomes);
    memset(b->dsns, 0, sizeof b->dsns);
    b->n_outcomes = b->n_recipients = 0;
    b->done = false;
}

static inline void bench_prepare(struct bench *b)
{
    char cert[128], key[128];
    struct error err;
    signal(SIGPIPE, SIG_IGN);
    *b = (struct bench){.channel = -1};
    b->base = event_base_new();
    strcpy(b->dir, "/tmp/sgdelXXXXXX");
    assert_non_null(mkdtemp(b->dir));
    fixture_certificate(b->dir);
    snprintf(cert, sizeof cert, "%s/cert.pem", b->dir);
    snprintf(key, sizeof key, "%s/key.pem", b->dir);
    memcpy(b->ca, cert, sizeof cert);
    struct tls_server_settings server = {cert, key};
    struct tls_client_settings client = {cert};
    assert_int_equal(tls_server_context(&server, &b->server_tls, &err), STATUS_OK);
    assert_int_equal(tls_client_context(&client, &b->client_tls, &err), STATUS_OK);
    smtpd_start(&b->smtpd, b->base, b->server_tls);
    snprintf(b->route, sizeof b->route, "[127.0.0.1]:%d", b->smtpd.port);
    assert_int_equal(ipc_pair(b->service, &err), STATUS_OK);
    assert_int_equal(ipc_pair(b->control, &err), STATUS_OK);
    b->server = server_start(b->base, b->service[1], true, bench_on_attach, b, &err);
    assert_non_null(b->server);
    b->settings = (struct delivery_settings){
        .hostname = "gw.example.net",
        .route = b->route,
        .mx_port = (uint16_t)b->smtpd.port,
        .tls = {.level = TLS_LEVEL_ENCRYPT},
        .tls_context = b->client_tls,
        .window = 100,
        .per_destination = 3,
        .deliveries_per_connection = 100,
        .idle_ms = 10000,
        .timeouts = {5000, 5000, 5000, 5000, 5000, 5000},
        .drain_ms = 5000,
        .queue_service = b->service[0],
        .control_service = b->control[1],
    };
    memset(b->settings.spool_key.bytes, 7, sizeof b->settings.spool_key.bytes);
}

/* Runs the loop until COUNT recipients have an outcome. */
static inline void bench_wait(struct bench *b, size_t count)
{
    b->wanted = count;
    b->done = b->n_recipients >= count;
    if (!b->done)
        fixture_run(b->base, &b->done);
}

static inline void bench_start(struct bench *b)
{
    struct error err;
    unsigned before = b->attached;
    b->role = delivery_start(b->base, &b->settings, &err);
    assert_non_null(b->role);
    alarm(20);
    while (b->attached == before)
        event_base_loop(b->base, EVLOOP_ONCE);
    alarm(0);
}

static inline void bench_stop(struct bench *b)
{
    delivery_stop(b->role);
    b->role = NULL;
    /* The host's sessions see their connections end. */
    alarm(20);
    while (b->smtpd.open > 0)
        event_base_loop(b->base, EVLOOP_ONCE);
    alarm(0);
}

static inline void bench_clean(struct bench *b)
{
    bench_close_channel(b);
    bench_forget(b);
    server_stop(b->server);
    close(b->service[0]);
    close(b->service[1]);
    close(b->control[0]);
    close(b->control[1]);
    smtpd_stop(&b->smtpd);
    for (int i = 0; i < 10; i++)
        event_base_loop(b->base, EVLOOP_NONBLOCK);
    SSL_CTX_free(b->server_tls);
    SSL_CTX_free(b->client_tls);
    event_base_free(b->base);
    fixture_remove(b->dir);
}

struct bench_lease {
    int64_t copy_id;
    enum copy_state state; /* 0: queued */
    bool locked, smtputf8, expired, requiretls, delay_told;
    const char *reverse_path; /* NULL: alice@example.org */
    const char *header;       /* for a DSN */
    const char *reason;
    struct span body;
    const char *recipients[8];
    const char *notify, *orcpt, *envid, *ret;
};

#define BENCH_ID "0123456789abcdefghij"

/* A body that a DSN must not show. */
static const char mail[] = "From: alice@example.org\r\nSubject: s\r\n\r\ncanary\r\n";

static inline void bench_send(struct bench *b, const struct bench_lease *l)
{
    struct lease_recipient recipients[8] = {0};
    struct queue_lease lease = {
        .copy_id = l->copy_id,
        .message_id = BENCH_ID,
        .state = l->state ? l->state : COPY_QUEUED,
        .format = FORMAT_CLEAR,
        .locked = l->locked,
        .smtputf8 = l->smtputf8,
        .requiretls = l->requiretls,
        .envid = (char *)(uintptr_t)l->envid,
        .ret = (char *)(uintptr_t)l->ret,
        .received_ms = 1700000000000,
        .reverse_path = (char *)(uintptr_t)(l->reverse_path ? l->reverse_path : "alice@example.org"),
        .recipients = recipients,
    };
    struct buf packed, locked;
    struct error err;
    int fd;
    buf_init(&lease.dsn_header, 100000);
    if (l->header)
        buf_append_str(&lease.dsn_header, l->header);
    for (; l->recipients[lease.n_recipients]; lease.n_recipients++)
        recipients[lease.n_recipients] =
            (struct lease_recipient){.id = l->copy_id * 100 + (int64_t)lease.n_recipients,
                                     .address = (char *)(uintptr_t)l->recipients[lease.n_recipients],
                                     .delay_told = l->delay_told,
                                     .expires_ms = l->expired ? 1700000000001 : INT64_MAX,
                                     .reason = (char *)(uintptr_t)l->reason,
                                     .notify = (char *)(uintptr_t)l->notify,
                                     .orcpt = (char *)(uintptr_t)l->orcpt};
    buf_init(&packed, 1 << 20);
    buf_init(&locked, 64 << 20);
    queue_lease_pack(&packed, &lease);
    if (l->locked)
        assert_int_equal(spool_lock_bytes(&b->settings.spool_key, BENCH_ID, l->body, &locked, &err),
                         STATUS_OK);
    assert_int_equal(memfile_from("body", l->locked ? buf_span(&locked) : l->body, &fd, &err), STATUS_OK);
    assert_int_equal(ipc_send(b->channel, QUEUE_LEASE, buf_span(&packed), &fd, 1, &err), STATUS_OK);
    close(fd);
    buf_free(&packed);
    buf_free(&locked);
    buf_free(&lease.dsn_header);
}

/* Starts the role, hands it LEASE, and waits until COUNT recipients have an outcome. */
static inline void bench_deliver(struct bench *b, const struct bench_lease *lease, size_t count)
{
    bench_start(b);
    bench_send(b, lease);
    bench_wait(b, count);
}

/* Of the recipient with this id. */
static inline const struct outcome_recipient *bench_result(const struct bench *b, int64_t id)
{
    for (size_t i = 0; i < b->n_outcomes; i++)
        for (size_t j = 0; j < b->outcomes[i].n_recipients; j++)
            if (b->outcomes[i].recipients[j].id == id)
                return &b->outcomes[i].recipients[j];
    fail_msg("no outcome for %d", (int)id);
    return NULL;
}

/* The first DSN; NULL: none. */
static inline const char *bench_dsn(struct bench *b)
{
    for (size_t i = 0; i < b->n_outcomes; i++)
        if (b->outcomes[i].has_dsn)
            return buf_str(&b->dsns[i]);
    return NULL;
}

/* ---- a bench for each test: its state is the struct bench ---- */

static inline int bench_set_up(void **state)
{
    bench_prepare(*state);
    return 0;
}

static inline int bench_tear_down(void **state)
{
    struct bench *b = *state;
    if (b->role)
        bench_stop(b);
    bench_clean(b);
    return 0;
}

#define BENCH_TEST(name, bench)                                                                              \
    cmocka_unit_test_prestate_setup_teardown(name, bench_set_up, bench_tear_down, bench)

#endif
