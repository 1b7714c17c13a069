/*
 * The submission role as a process of its own, with TLS on loopback ports, and the other roles played by a
 * thread of the test: what they answer is chosen by addresses and by the fields of struct roles.
 */
#ifndef SEALGATE_TESTS_SUBMISSION_FIXTURE_H
#define SEALGATE_TESTS_SUBMISSION_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/call.h"
#include "base/memfile.h"
#include "gateway/jobs/allow_job.h"
#include "gateway/jobs/keys_job.h"
#include "gateway/jobs/queue_job.h"
#include "gateway/jobs/sasl_job.h"
#include "gateway/jobs/sasl_mechanism.h"
#include "gateway/submission/submission.h"

#define HELD_MAX 64
#define MESSAGE_MAX 200000

enum { SERVICE_AUTH, SERVICE_SEAL, SERVICE_KEYS, SERVICE_QUEUE, N_SERVICES };

/* How a role behaves. */
enum manner {
    MANNER_ANSWERS,
    MANNER_DROPS,   /* takes the request and dies */
    MANNER_HANGS,   /* takes the request and never answers */
    MANNER_IS_BUSY, /* takes nothing */
    MANNER_LIES,    /* answers with junk */
};

#define EXCHANGES_MAX 256 /* at a time */

struct played_exchange {
    enum sasl_mechanism mechanism;
    unsigned steps;
    char user[SASL_USER_MAX];
};

struct roles {
    int service[N_SERVICES]; /* server ends */
    int client[N_SERVICES];
    pthread_t thread;
    int stop[2];
    pthread_mutex_t lock; /* for all below */
    enum manner manner[N_SERVICES];
    unsigned calls[N_SERVICES];
    enum sasl_verdict verdict; /* for alice with the right password */
    char verdict_text[200];
    struct sasl_start start;                         /* of the last SASL_START */
    struct played_exchange exchanges[EXCHANGES_MAX]; /* by id, modulo */
    uint64_t n_exchanges;                            /* the last id */
    unsigned aborts;
    unsigned asked[ALLOW_RECIPIENT + 1]; /* ALLOW_ASK, by what */
    unsigned allowed;                    /* so many more are */
    unsigned clear_tries;
    char tried[200]; /* the last try without TLS: "VERB HELO" */
    struct submit_reply reply;
    struct envelope envelope; /* of the last SUBMIT_MESSAGE */
    char message[MESSAGE_MAX];
    size_t message_len;
    struct queue_refused refused;
    char auth_user[SASL_USER_MAX];
    struct request held[HELD_MAX];
    size_t n_held;
};

struct fixture {
    struct roles roles;
    pid_t pid;
    SSL_CTX *server_tls, *client_tls;
    struct submission_listener listeners[2];
    uint16_t ports[2]; /* [0] implicit TLS, [1] STARTTLS */
    struct submission_settings settings;
    struct log log;
    int log_fd; /* a memory file */
};

/* ---- the other roles ---- */

static inline void answer(struct request *request, uint32_t type, struct buf *body)
{
    struct error err = {0};
    assert_int_equal(request_reply(request, type, buf_span(body), NULL, 0, &err), STATUS_OK);
}

/* Alice's password is "secret". */
static inline void play_password(struct roles *r, const char *user, const char *password,
                                 struct sasl_result *result)
{
    bool right = strcmp(user, "alice") == 0 && strcmp(password, "secret") == 0;
    snprintf(r->auth_user, sizeof r->auth_user, "%s", user);
    result->verdict = right ? r->verdict : SASL_WRONG;
    snprintf(result->user, sizeof result->user, "%s", user);
    snprintf(result->text, sizeof result->text, "%s", r->verdict_text);
    if (result->verdict != SASL_OK)
        return;
    result->send_as = calloc(1, sizeof *result->send_as);
    result->send_as[0] = strdup("@example.org");
    result->n_send_as = 1;
}

static inline void play_challenge(struct sasl_result *result, const char *challenge)
{
    result->verdict = SASL_GO_ON;
    buf_append_str(&result->challenge, challenge);
}

static inline void play_plain(struct roles *r, const char *text, size_t len, struct sasl_result *result)
{
    const char *user = memchr(text, '\0', len);
    const char *password = user ? memchr(user + 1, '\0', len - (size_t)(user + 1 - text)) : NULL;
    if (password && !memchr(password + 1, '\0', len - (size_t)(password + 1 - text)))
        play_password(r, user + 1, password + 1, result);
}

/* A response to exchange X; NULL: none came yet. SCRAM goes through the motions only. */
static inline void play_response(struct roles *r, struct played_exchange *x, struct buf *response,
                                 struct sasl_result *result)
{
    const char *text = response ? buf_str(response) : "";
    result->verdict = SASL_MALFORMED;
    if (x->mechanism == SASL_EXTERNAL && response) {
        result->verdict = r->start.certificate_sha256[0] ? SASL_OK : SASL_WRONG;
        strcpy(result->user, result->verdict == SASL_OK ? "carol" : "");
    } else if (!response) {
        play_challenge(result, x->mechanism == SASL_LOGIN ? "User Name" : "");
    } else if (x->mechanism == SASL_PLAIN) {
        play_plain(r, text, response->len, result);
    } else if (response->len == 0) {
        return;
    } else if (x->mechanism == SASL_LOGIN && x->steps++ == 0) {
        snprintf(x->user, sizeof x->user, "%s", text);
        play_challenge(result, "Password");
    } else if (x->mechanism == SASL_LOGIN) {
        play_password(r, x->user, text, result);
    } else if (x->steps++ == 0) {
        play_challenge(result, "server-first");
    } else {
        play_password(r, "alice", strcmp(text, "proof") == 0 ? "secret" : "", result);
        if (result->verdict == SASL_OK)
            buf_append_str(&result->challenge, "server-final");
    }
}

static inline void play_start(struct roles *r, struct request *request, struct sasl_result *result)
{
    struct error err = {0};
    sasl_start_free(&r->start);
    assert_int_equal(sasl_start_unpack(buf_span(&request->msg.body), &r->start, &err), STATUS_OK);
    struct played_exchange *x = &r->exchanges[++r->n_exchanges % EXCHANGES_MAX];
    *x = (struct played_exchange){.mechanism = sasl_mechanism_find(r->start.mechanism)};
    result->exchange = r->n_exchanges;
    if (x->mechanism == SASL_LOGIN && r->start.has_initial)
        play_response(r, x, &r->start.initial, result);
    else
        play_response(r, x, r->start.has_initial ? &r->start.initial : NULL, result);
}

static inline void play_allow(struct roles *r, struct request *request, struct buf *body)
{
    struct allow_ask ask;
    struct allow_result result = {.allowed = r->allowed > 0, .text = "2 messages in 1h are the limit"};
    struct error err = {0};
    assert_int_equal(allow_ask_unpack(buf_span(&request->msg.body), &ask, &err), STATUS_OK);
    assert_string_equal(ask.user, "alice");
    assert_string_equal(ask.client_address, "127.0.0.1");
    r->asked[ask.what]++;
    if (r->allowed > 0)
        r->allowed--;
    allow_ask_free(&ask);
    allow_result_pack(body, &result);
    answer(request, ALLOW_RESULT, body);
}

static inline void play_clear(struct roles *r, struct request *request)
{
    struct clear_tried tried;
    struct error err = {0};
    assert_int_equal(clear_tried_unpack(buf_span(&request->msg.body), &tried, &err), STATUS_OK);
    assert_string_equal(tried.client_address, "127.0.0.1");
    snprintf(r->tried, sizeof r->tried, "%s %s", tried.verb, tried.helo ? tried.helo : "-");
    r->clear_tries++;
    clear_tried_free(&tried);
}

static inline void play_auth(struct roles *r, struct request *request, struct buf *body)
{
    struct sasl_result result = {0};
    struct sasl_step step;
    struct error err = {0};
    if (request->msg.type == ALLOW_ASK) {
        play_allow(r, request, body);
        return;
    }
    if (request->msg.type == CLEAR_TRIED) {
        play_clear(r, request);
        return;
    }
    buf_init(&result.challenge, SASL_RESPONSE_MAX);
    if (request->msg.type == SASL_ABORT) {
        r->aborts++;
        return;
    }
    if (request->msg.type == SASL_START) {
        play_start(r, request, &result);
    } else {
        assert_int_equal(request->msg.type, SASL_STEP);
        assert_int_equal(sasl_step_unpack(buf_span(&request->msg.body), &step, &err), STATUS_OK);
        assert_in_range(step.exchange, 1, r->n_exchanges);
        result.exchange = step.exchange;
        play_response(r, &r->exchanges[step.exchange % EXCHANGES_MAX], &step.response, &result);
        sasl_step_free(&step);
    }
    sasl_result_pack(body, &result);
    sasl_result_free(&result);
    answer(request, SASL_RESULT, body);
}

static inline void play_seal(struct roles *r, struct request *request, struct buf *body)
{
    struct unpack u;
    struct span bytes;
    struct error err = {0};
    envelope_free(&r->envelope);
    envelope_init(&r->envelope);
    unpack_init(&u, buf_span(&request->msg.body));
    envelope_unpack(&u, &r->envelope);
    assert_int_equal(unpack_done(&u, "envelope", &err), STATUS_OK);
    assert_int_equal(request->msg.nfds, 1);
    assert_int_equal(memfile_map(request->msg.fds[0], MESSAGE_MAX, &bytes, &err), STATUS_OK);
    if (bytes.len > 0)
        memcpy(r->message, bytes.p, bytes.len);
    r->message_len = bytes.len;
    memfile_unmap(bytes);
    submit_reply_pack(body, &r->reply);
    answer(request, SUBMIT_REPLY, body);
}

/* One certificate, if any, by the local part. */
static inline void play_keys(struct roles *r, struct request *request, struct buf *body)
{
    (void)r;
    struct keys_lookup lookup;
    struct certificate certificate = {.format = CERTIFICATE_OPENPGP, .fingerprint = "AB", .source = "local"};
    struct keys_answer one = {.state = LOOKUP_DONE};
    struct keys_found found = {.answers = &one, .n = 1};
    struct error err = {0};
    assert_int_equal(keys_lookup_unpack(buf_span(&request->msg.body), &lookup, &err), STATUS_OK);
    assert_int_equal(lookup.n, 1);
    assert_false(lookup.with_bytes);
    if (strncmp(lookup.addresses[0], "fail", 4) == 0) {
        one.state = LOOKUP_FAILED;
        snprintf(one.why, sizeof one.why, "database is locked");
    } else if (strncmp(lookup.addresses[0], "none", 4) != 0) {
        one.list = (struct certificate_list){.items = &certificate, .n = 1};
        certificate.usable = strncmp(lookup.addresses[0], "expired", 7) != 0;
        snprintf(certificate.reason, sizeof certificate.reason, "%s",
                 certificate.usable ? "" : "expired on 2024-05-01");
    }
    keys_lookup_free(&lookup);
    keys_found_pack(body, &found, false);
    answer(request, KEYS_FOUND, body);
}

static inline void play_queue(struct roles *r, struct request *request, struct buf *body)
{
    struct error err = {0};
    assert_int_equal(request->msg.type, QUEUE_REFUSED);
    queue_refused_free(&r->refused);
    assert_int_equal(queue_refused_unpack(buf_span(&request->msg.body), &r->refused, &err), STATUS_OK);
    answer(request, QUEUE_DONE, body);
}

static inline void play(struct roles *r, int service, struct request *request)
{
    static void (*const parts[])(struct roles *, struct request *, struct buf *) = {play_auth, play_seal,
                                                                                    play_keys, play_queue};
    struct buf body;
    r->calls[service]++;
    buf_init(&body, 100000);
    if (r->manner[service] == MANNER_ANSWERS) {
        parts[service](r, request, &body);
    } else if (r->manner[service] == MANNER_LIES) {
        buf_append_str(&body, "junk");
        /* The right type: SUBMIT_REPLY and KEYS_FOUND are 17. */
        answer(request, service == SERVICE_AUTH ? (uint32_t)SASL_RESULT : 17, &body);
    }
    buf_free(&body);
    if (r->manner[service] == MANNER_HANGS && r->n_held < HELD_MAX)
        r->held[r->n_held++] = *request;
    else
        request_free(request);
}

static inline void *roles_run(void *arg)
{
    struct roles *r = arg;
    for (;;) {
        struct pollfd p[N_SERVICES + 1] = {{.fd = r->stop[0], .events = POLLIN}};
        pthread_mutex_lock(&r->lock);
        for (int i = 0; i < N_SERVICES; i++)
            p[i + 1] =
                (struct pollfd){.fd = r->manner[i] == MANNER_IS_BUSY ? -1 : r->service[i], .events = POLLIN};
        pthread_mutex_unlock(&r->lock);
        poll(p, N_SERVICES + 1, 20);
        if (p[0].revents)
            return NULL;
        for (int i = 0; i < N_SERVICES; i++) {
            struct ipc_msg msg;
            struct request request;
            struct error err;
            pthread_mutex_lock(&r->lock);
            bool is_busy = r->manner[i] == MANNER_IS_BUSY; /* maybe since poll began */
            pthread_mutex_unlock(&r->lock);
            if (!p[i + 1].revents || is_busy || ipc_recv(r->service[i], &msg, &err) != STATUS_OK)
                continue;
            if (request_take(&msg, &request, &err) != STATUS_OK)
                continue;
            pthread_mutex_lock(&r->lock);
            play(r, i, &request);
            pthread_mutex_unlock(&r->lock);
        }
    }
}

static inline void roles_set(struct fixture *f, int service, enum manner manner)
{
    pthread_mutex_lock(&f->roles.lock);
    f->roles.manner[service] = manner;
    pthread_mutex_unlock(&f->roles.lock);
}

static inline unsigned roles_calls(struct fixture *f, int service)
{
    pthread_mutex_lock(&f->roles.lock);
    unsigned calls = f->roles.calls[service];
    pthread_mutex_unlock(&f->roles.lock);
    return calls;
}

/* Waits until SERVICE was called N times. */
static inline void roles_await(struct fixture *f, int service, unsigned n)
{
    for (int i = 0; i < 2000 && roles_calls(f, service) < n; i++)
        poll(NULL, 0, 10);
    assert_int_equal(roles_calls(f, service), n);
}

static inline void roles_start(struct roles *r)
{
    struct error err = {0};
    r->verdict = SASL_OK;
    r->reply =
        (struct submit_reply){.outcome = SUBMIT_QUEUED, .text = "ID queued, sealed for 1 of 1 recipients"};
    envelope_init(&r->envelope);
    pthread_mutex_init(&r->lock, NULL);
    assert_int_equal(pipe(r->stop), 0);
    for (int i = 0; i < N_SERVICES; i++) {
        int pair[2];
        assert_int_equal(ipc_pair(pair, &err), STATUS_OK);
        for (int end = 0; end < 2; end++)
            assert_int_equal(ipc_nonblocking(pair[end], &err), STATUS_OK);
        r->client[i] = pair[0];
        r->service[i] = pair[1];
    }
}

static inline void roles_stop(struct roles *r)
{
    assert_int_equal(write(r->stop[1], "x", 1), 1);
    pthread_join(r->thread, NULL);
    for (size_t i = 0; i < r->n_held; i++)
        request_free(&r->held[i]);
    for (int i = 0; i < N_SERVICES; i++) {
        close(r->service[i]);
        close(r->client[i]);
    }
    close(r->stop[0]);
    close(r->stop[1]);
    envelope_free(&r->envelope);
    queue_refused_free(&r->refused);
    sasl_start_free(&r->start);
}

/* ---- the process under test ---- */

static inline SSL_CTX *make_server_tls(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               (const unsigned char *)"mail.example.org", -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    return ctx;
}

/* The first rule needs the content for one domain; the second refuses at once for another. */
static inline const struct policy_settings *test_policy(void)
{
    static const char *const undecided[] = {"@undecided.example"}, *const subject[] = {"[confidential]"};
    static const char *const strict[] = {"@strict.example"}, *const hold[] = {"@hold.example"};
    static const struct policy_rule rules[] = {
        {.name = "content",
         .recipients = undecided,
         .n_recipients = 1,
         .subjects = subject,
         .n_subjects = 1,
         .protect = PROTECT_REQUIRE,
         .on_missing_key = MISSING_REFUSE,
         .formats = {CERTIFICATE_OPENPGP, CERTIFICATE_SMIME},
         .n_formats = 2},
        {.name = "strict",
         .recipients = strict,
         .n_recipients = 1,
         .protect = PROTECT_REQUIRE,
         .on_missing_key = MISSING_REFUSE,
         .formats = {CERTIFICATE_OPENPGP, CERTIFICATE_SMIME},
         .n_formats = 2},
        {.name = "hold",
         .recipients = hold,
         .n_recipients = 1,
         .protect = PROTECT_REQUIRE,
         .on_missing_key = MISSING_HOLD,
         .formats = {CERTIFICATE_OPENPGP, CERTIFICATE_SMIME},
         .n_formats = 2},
        {.name = "default",
         .protect = PROTECT_PREFER,
         .formats = {CERTIFICATE_OPENPGP, CERTIFICATE_SMIME},
         .n_formats = 2},
    };
    static const struct policy_settings policy = {.rules = rules, .n_rules = 4};
    return &policy;
}

/* A limit that a test waits for: what must succeed within it does so on a slow machine too. */
#define A_MOMENT_MS 1500

static inline struct submission_limits test_limits(void)
{
    return (struct submission_limits){.message_max = 100000,
                                      .recipients_max = 5,
                                      .sessions_max = 50,
                                      .sessions_per_client_max = 50,
                                      .sessions_per_user_max = 50,
                                      .transactions_max = 1000,
                                      .bad_commands_max = 20,
                                      .auth_failures_max = 3,
                                      .handshake_ms = 30000,
                                      .command_ms = 30000,
                                      .data_ms = 30000,
                                      .before_auth_ms = 30000,
                                      .keys_ms = 20000,
                                      .auth_ms = 20000,
                                      .auth_total_ms = 20000,
                                      .busy_ms = 20000,
                                      .seal_ms = 20000,
                                      .drain_ms = 20000};
}

static inline uint16_t listen_on_loopback(int *fd_out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    *fd_out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*fd_out, (struct sockaddr *)&in, len), 0);
    assert_int_equal(listen(*fd_out, 100), 0);
    assert_int_equal(getsockname(*fd_out, (struct sockaddr *)&in, &len), 0);
    return ntohs(in.sin_port);
}

/* PREPARE, if any, changes listeners and settings before the process starts. */
static inline struct fixture *start_prepared(struct submission_limits limits, unsigned mechanisms,
                                             void (*prepare)(struct fixture *))
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    signal(SIGPIPE, SIG_IGN);
    f->server_tls = make_server_tls();
    f->client_tls = SSL_CTX_new(TLS_client_method());
    for (int i = 0; i < 2; i++) {
        f->ports[i] = listen_on_loopback(&f->listeners[i].fd);
        f->listeners[i].name = i == 0 ? "[::]:465" : "[::]:587";
        f->listeners[i].implicit_tls = i == 0;
    }
    roles_start(&f->roles);
    assert_int_equal(memfile_create("log", &f->log_fd, NULL), STATUS_OK);
    f->log = (struct log){.fd = f->log_fd, .level = LOG_LEVEL_DEBUG, .role = "submission"};
    f->settings = (struct submission_settings){.log = &f->log,
                                               .hostname = "mail.example.org",
                                               .listeners = f->listeners,
                                               .n_listeners = 2,
                                               .tls = f->server_tls,
                                               .policy = test_policy(),
                                               .mechanisms = mechanisms,
                                               .limits = limits,
                                               .auth_service = f->roles.client[SERVICE_AUTH],
                                               .seal_service = f->roles.client[SERVICE_SEAL],
                                               .keys_service = f->roles.client[SERVICE_KEYS],
                                               .queue_service = f->roles.client[SERVICE_QUEUE]};
    if (prepare)
        prepare(f);
    fflush(NULL);
    f->pid = fork();
    assert_true(f->pid >= 0);
    if (f->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nothing behind */
        int code = submission_run(&f->settings);
        SSL_CTX_free(f->server_tls);
        SSL_CTX_free(f->client_tls);
        exit(code); /* with the leak check of a sanitized build */
    }
    for (int i = 0; i < 2; i++)
        close(f->listeners[i].fd);
    assert_int_equal(pthread_create(&f->roles.thread, NULL, roles_run, &f->roles), 0);
    return f;
}

static inline struct fixture *start_as(struct submission_limits limits, unsigned mechanisms)
{
    return start_prepared(limits, mechanisms, NULL);
}

static inline struct fixture *start_with(struct submission_limits limits)
{
    return start_as(limits, SASL_ALL_MECHANISMS);
}

static inline struct fixture *start_offering(unsigned mechanisms)
{
    return start_as(test_limits(), mechanisms);
}

static inline struct fixture *start(void)
{
    return start_with(test_limits());
}

/* Everything the process logged; the caller frees. */
static inline char *read_log(struct fixture *f)
{
    off_t size = lseek(f->log_fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    assert_int_equal(pread(f->log_fd, text, (size_t)size, 0), size);
    return text;
}

/* Ends the process; it must end well and in time. The log goes to *LOG_OUT, if asked for. */
static inline void finish(struct fixture *f, char **log_out)
{
    int status = 0;
    kill(f->pid, SIGTERM);
    assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
    char *log = read_log(f);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the process ended with %d\n%s", status, log);
    close(f->log_fd);
    roles_stop(&f->roles);
    SSL_CTX_free(f->server_tls);
    SSL_CTX_free(f->client_tls);
    free(f);
    if (log_out)
        *log_out = log;
    else
        free(log);
}

/* ---- a client ---- */

struct client {
    struct fixture *f;
    int fd;
    SSL *ssl;
    char in[8192];
    size_t in_len;
    char reply[8192]; /* the last reply, all lines */
};

static inline void client_tls(struct client *c)
{
    c->ssl = SSL_new(c->f->client_tls);
    SSL_set_fd(c->ssl, c->fd);
    int rc = SSL_connect(c->ssl);
    if (rc != 1)
        fail_msg("TLS handshake failed");
}

static inline int connect_to(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 20};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &(int){1}, sizeof(int));
    return fd;
}

/* Writes as one piece; false when the server has closed. */
static inline bool put(struct client *c, const void *bytes, size_t len)
{
    if (c->ssl)
        return SSL_write(c->ssl, bytes, (int)len) == (int)len;
    return send(c->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static inline void put_str(struct client *c, const char *s)
{
    assert_true(put(c, s, strlen(s)));
}

/* More input; false at the end of the connection. */
static inline bool get_more(struct client *c)
{
    assert_true(c->in_len + 1 < sizeof c->in);
    char *to = c->in + c->in_len;
    size_t room = sizeof c->in - 1 - c->in_len;
    ssize_t n = c->ssl ? SSL_read(c->ssl, to, (int)room) : recv(c->fd, to, room, 0);
    if (n <= 0)
        return false;
    c->in_len += (size_t)n;
    c->in[c->in_len] = '\0';
    return true;
}

/* Reads a whole reply into c->reply; "" when the connection ended. */
static inline const char *get_reply(struct client *c)
{
    size_t len = 0;
    c->reply[0] = '\0';
    for (;;) {
        char *end = c->in_len ? strstr(c->in, "\r\n") : NULL;
        if (!end) {
            if (!get_more(c))
                return "";
            continue;
        }
        size_t line = (size_t)(end - c->in) + 2;
        bool last = line < 6 || c->in[3] != '-';
        assert_true(len + line < sizeof c->reply);
        memcpy(c->reply + len, c->in, line);
        len += line;
        c->reply[len] = '\0';
        memmove(c->in, c->in + line, c->in_len - line + 1);
        c->in_len -= line;
        if (last)
            return c->reply;
    }
}

static inline void expect(struct client *c, const char *prefix)
{
    const char *reply = get_reply(c);
    if (strncmp(reply, prefix, strlen(prefix)) != 0 || (!*prefix && *reply))
        fail_msg("expected \"%s\", got \"%s\"", prefix, reply);
}

/* The connection must end here, in an orderly way over TLS. */
static inline void expect_end(struct client *c)
{
    expect(c, "");
    if (c->ssl)
        assert_int_equal(SSL_get_shutdown(c->ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
}

/* Sends a line and expects a reply that begins with PREFIX. */
static inline void say(struct client *c, const char *line, const char *prefix)
{
    char bytes[16384];
    int len = snprintf(bytes, sizeof bytes, "%s\r\n", line);
    assert_true(put(c, bytes, (size_t)len));
    const char *reply = get_reply(c);
    if (strncmp(reply, prefix, strlen(prefix)) != 0)
        fail_msg("%.100s: expected \"%s\", got \"%s\"", line, prefix, reply);
}

static inline struct client *client_open(struct fixture *f, int port)
{
    struct client *c = calloc(1, sizeof *c);
    c->f = f;
    c->fd = connect_to(f->ports[port]);
    if (port == 0)
        client_tls(c);
    expect(c, "220 mail.example.org ESMTP");
    return c;
}

static inline void client_close(struct client *c)
{
    if (c->ssl)
        SSL_free(c->ssl);
    close(c->fd);
    free(c);
}

#define AUTH_ALICE "AUTH PLAIN AGFsaWNlAHNlY3JldA==" /* \0alice\0secret */

/* Over implicit TLS, after EHLO and AUTH. */
static inline struct client *client_login(struct fixture *f)
{
    struct client *c = client_open(f, 0);
    say(c, "EHLO client.example.org", "250-mail.example.org");
    say(c, AUTH_ALICE, "235 2.7.0");
    return c;
}

static inline void quit(struct client *c)
{
    say(c, "QUIT", "221 2.0.0");
    expect_end(c);
    client_close(c);
}

#endif
