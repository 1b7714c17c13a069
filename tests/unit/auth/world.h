/*
 * The auth role as a process of its own, asked as submission asks it, with the passwords role played by
 * another process: "dave" has the password "right", "away" has no backend, "dies" kills the worker, and
 * "slow" makes the file "taken", and is answered once the file "go" is there.
 */
#ifndef SEALGATE_TESTS_AUTH_WORLD_H
#define SEALGATE_TESTS_AUTH_WORLD_H

#include "tests/unit/auth/sasl_client.h"
#include "tests/unit/users/fixture.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/call.h"
#include "base/memfile.h"
#include "gateway/auth/auth.h"
#include "gateway/jobs/password_job.h"
#include "gateway/jobs/sasl_job.h"
#include "gateway/jobs/sasl_mechanism.h"

struct world {
    struct folder *folder;
    char secret[300], guard[300], taken[300], go[300];
    struct auth_settings settings;
    struct log log;
    int log_fd;
    int service[2], control[2], passwords[2];
    pid_t role, worker;
};

static const char certificate[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static const unsigned char world_exporter[32] = "exporter of this TLS connection";

/* ---- the passwords role ---- */

static inline void world_check(void *arg, struct request *request)
{
    const struct world *w = arg;
    struct password_check check;
    struct password_result result = {.verdict = PASSWORD_WRONG};
    struct error err;
    struct buf body;
    char one[] = "dave@ldap.example", two[] = "*@evil.example";
    char *addresses[] = {one, two};
    assert_int_equal(password_check_unpack(buf_span(&request->msg.body), &check, &err), STATUS_OK);
    if (strcmp(check.user, "dies") == 0)
        _exit(1);
    if (strcmp(check.user, "slow") == 0)
        fclose(fopen(w->taken, "w"));
    while (strcmp(check.user, "slow") == 0 && access(w->go, F_OK) < 0)
        poll(NULL, 0, 10);
    if (strcmp(check.user, "away") == 0) {
        result.verdict = PASSWORD_UNAVAILABLE;
        strcpy(result.why, "the directory is down");
    } else if (strcmp(check.password, "right") == 0) {
        result.verdict = PASSWORD_OK;
        snprintf(result.user, sizeof result.user, "%s", check.user);
        result.addresses = addresses;
        result.n_addresses = strcmp(check.user, "dave") == 0 ? 2 : 0;
    }
    buf_init(&body, 10000);
    password_result_pack(&body, &result);
    assert_int_equal(request_reply(request, PASSWORD_RESULT, buf_span(&body), NULL, 0, &err), STATUS_OK);
    buf_free(&body);
    password_check_wipe(&check);
}

static inline void start_worker(struct world *w)
{
    fflush(NULL);
    w->worker = fork();
    assert_true(w->worker >= 0);
    if (w->worker != 0)
        return;
    const struct worker_settings settings = {
        .service_fd = w->passwords[1], .deadline_ms = 60000, .cpu_ms = 60000, .jobs_max = 100000};
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves nothing behind */
    _exit(worker_run(&settings, world_check, w));
}

/* ---- the role ---- */

static inline void start_role(struct world *w)
{
    fflush(NULL);
    w->role = fork();
    assert_true(w->role >= 0);
    if (w->role != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    exit(auth_run(&w->settings)); /* with the leak check of a sanitized build */
}

static inline int stop_role(struct world *w)
{
    int status = 0;
    kill(w->role, SIGTERM);
    assert_int_equal(waitpid(w->role, &status, 0), w->role);
    w->role = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline int world_make(void **state)
{
    static const char *const send_as[] = {"sales@example.org", "*@list.example.org"};
    static const char *const certificates[] = {
        "sha256:00112233445566778899aabbccddeeff00112233445566778899aabb"
        "ccddeeff",
        "subject:CN=carol,O=Example"};
    static const struct auth_account accounts[] = {
        {.pattern = "carol", .certificates = certificates, .n_certificates = 2},
        {.pattern = "d*", .send_as = send_as, .n_send_as = 2},
        {.pattern = "dave", .send_as = certificates, .n_send_as = 2}, /* not the first that matches */
    };
    static const char *const domains[] = {"example.org", "example.com"};
    struct world *w = calloc(1, sizeof *w);
    void *folder;
    struct error err;
    if (!w || folder_make(&folder) != 0)
        return -1;
    w->folder = folder;
    snprintf(w->secret, sizeof w->secret, "%s/secret", w->folder->dir);
    snprintf(w->guard, sizeof w->guard, "%s/guard.db", w->folder->dir);
    snprintf(w->taken, sizeof w->taken, "%s/taken", w->folder->dir);
    snprintf(w->go, sizeof w->go, "%s/go", w->folder->dir);
    if (ipc_pair(w->service, &err) != STATUS_OK || ipc_pair(w->control, &err) != STATUS_OK ||
        ipc_pair(w->passwords, &err) != STATUS_OK || ipc_nonblocking(w->passwords[0], &err) != STATUS_OK ||
        memfile_create("log", &w->log_fd, &err) != STATUS_OK)
        return -1;
    w->log = (struct log){.fd = w->log_fd, .level = LOG_LEVEL_DEBUG, .role = "auth"};
    w->settings = (struct auth_settings){
        .log = &w->log,
        .users_path = w->folder->users,
        .secret_path = w->secret,
        .mechanisms = SASL_ALL_MECHANISMS,
        .domains = domains,
        .n_domains = 2,
        .accounts = accounts,
        .n_accounts = 3,
        .exchanges_max = 100,
        .exchanges_per_client_max = 50,
        .exchange_ms = 30000,
        .password_taken_ms = 30000,
        .password_total_ms = 60000,
        .guard = {.log = &w->log, .path = w->guard},
        .auth_service = w->service[1],
        .control_service = w->control[1],
        .passwords_service = w->passwords[0],
    };
    *state = w;
    return 0;
}

static inline int world_remove(void **state)
{
    struct world *w = *state;
    if (w->role > 0 && stop_role(w) != 0)
        return -1;
    if (w->worker > 0) {
        kill(w->worker, SIGKILL);
        waitpid(w->worker, NULL, 0);
    }
    for (int i = 0; i < 2; i++) {
        close(w->service[i]);
        close(w->control[i]);
        close(w->passwords[i]);
    }
    close(w->log_fd);
    unlink(w->secret);
    unlink(w->taken);
    unlink(w->go);
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (int i = 0; i < 3; i++) {
        char path[400];
        snprintf(path, sizeof path, "%s%s", w->guard, ends[i]);
        unlink(path);
    }
    void *folder = w->folder;
    free(w);
    return folder_remove(&folder);
}

/* Everything the role logged; the caller frees. */
static inline char *world_log(const struct world *w)
{
    off_t size = lseek(w->log_fd, 0, SEEK_END);
    char *text = calloc(1, (size_t)size + 1);
    assert_int_equal(pread(w->log_fd, text, (size_t)size, 0), size);
    return text;
}

/* Waits until the check of "slow" is in hand. */
static inline void await_slow(const struct world *w)
{
    for (int i = 0; i < 2000 && access(w->taken, F_OK) < 0; i++)
        poll(NULL, 0, 10);
    assert_int_equal(access(w->taken, F_OK), 0);
}

/* Waits until the log has TEXT. */
static inline void await_log(const struct world *w, const char *text)
{
    for (int i = 0; i < 2000; i++) {
        char *log = world_log(w);
        bool found = strstr(log, text) != NULL;
        free(log);
        if (found)
            return;
        poll(NULL, 0, 10);
    }
    fail_msg("never logged: %s", text);
}

/* ---- submission ---- */

/* What the connection is; more than a mechanism and an initial response only where a test wants it. */
static inline struct sasl_start connection(const char *mechanism)
{
    struct sasl_start start = {.client_address = strdup("192.0.2.1"), .listener = strdup("[::]:465")};
    snprintf(start.mechanism, sizeof start.mechanism, "%s", mechanism);
    buf_init(&start.initial, SASL_RESPONSE_MAX);
    return start;
}

static inline void from_address(struct sasl_start *start, const char *address)
{
    free(start->client_address);
    start->client_address = strdup(address);
}

static inline void with_initial(struct sasl_start *start, const void *bytes, size_t len)
{
    start->has_initial = true;
    buf_append(&start->initial, bytes, len);
}

static inline enum status call_role(const struct world *w, uint32_t type, struct buf *body,
                                    struct sasl_result *result)
{
    struct ipc_msg reply;
    struct error err = {0};
    enum status st = call_wait(w->service[0], type, buf_span(body), NULL, 0,
                               (struct call_limits){60000, 60000}, &reply, &err);
    buf_free(body);
    *result = (struct sasl_result){.verdict = SASL_LATER};
    if (st != STATUS_OK)
        return st;
    assert_int_equal(reply.type, SASL_RESULT);
    assert_int_equal(sasl_result_unpack(buf_span(&reply.body), result, &err), STATUS_OK);
    ipc_msg_free(&reply);
    return STATUS_OK;
}

/* Frees START. */
static inline struct sasl_result ask_start(const struct world *w, struct sasl_start *start)
{
    struct sasl_result result;
    struct buf body;
    buf_init(&body, 20000);
    sasl_start_pack(&body, start);
    sasl_start_free(start);
    assert_int_equal(call_role(w, SASL_START, &body, &result), STATUS_OK);
    return result;
}

static inline struct sasl_result ask_step(const struct world *w, uint64_t exchange, const void *bytes,
                                          size_t len)
{
    struct sasl_step step = {.exchange = exchange};
    struct sasl_result result;
    struct buf body;
    buf_init(&step.response, SASL_RESPONSE_MAX);
    buf_append(&step.response, bytes, len);
    buf_init(&body, 20000);
    sasl_step_pack(&body, &step);
    sasl_step_free(&step);
    assert_int_equal(call_role(w, SASL_STEP, &body, &result), STATUS_OK);
    return result;
}

static inline void tell_abort(const struct world *w, uint64_t exchange)
{
    struct sasl_result result;
    struct buf body;
    buf_init(&body, 100);
    sasl_abort_pack(&body, exchange);
    assert_int_equal(call_role(w, SASL_ABORT, &body, &result), STATUS_CLOSED);
}

static inline struct sasl_start plain(const char *user, const char *password)
{
    struct sasl_start start = connection("PLAIN");
    char text[600];
    int len = snprintf(text, sizeof text, "%c%s%c%s", 0, user, 0, password);
    with_initial(&start, text, (size_t)len);
    return start;
}

/* The verdict on a password; the result is freed. */
static inline enum sasl_verdict plain_verdict(const struct world *w, const char *user, const char *password)
{
    struct sasl_start start = plain(user, password);
    struct sasl_result result = ask_start(w, &start);
    enum sasl_verdict verdict = result.verdict;
    sasl_result_free(&result);
    return verdict;
}

/* An exchange with SCRAM from START, which is freed, by client C, which is closed. */
static inline struct sasl_result scram(const struct world *w, struct sasl_client *c, struct sasl_start *start)
{
    struct buf response;
    sasl_client_open(c);
    sasl_client_step(c, span_of(NULL, 0), &response);
    with_initial(start, response.data, response.len);
    buf_free(&response);
    struct sasl_result result = ask_start(w, start);
    while (result.verdict == SASL_GO_ON) {
        uint64_t exchange = result.exchange;
        sasl_client_step(c, buf_span(&result.challenge), &response);
        sasl_result_free(&result);
        result = ask_step(w, exchange, response.data, response.len);
        buf_free(&response);
    }
    if (result.verdict == SASL_OK) {
        sasl_client_step(c, buf_span(&result.challenge), &response);
        buf_free(&response);
    }
    sasl_client_close(c);
    return result;
}

static inline enum sasl_verdict scram_verdict(const struct world *w, const char *user, const char *password)
{
    struct sasl_start start = connection("SCRAM-SHA-256");
    struct sasl_client c = {.mechanism = "SCRAM-SHA-256", .user = user, .password = password};
    struct sasl_result result = scram(w, &c, &start);
    enum sasl_verdict verdict = result.verdict;
    sasl_result_free(&result);
    return verdict;
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_make, world_remove)

#endif
