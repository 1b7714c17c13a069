/* ipc, memfile, calls between roles, workers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/call.h"
#include "base/memfile.h"

enum { ECHO = 16, ECHOED, LEAVE, SPIN, DIE, SILENT };

static const struct call_limits quick = {.taken_ms = 1500, .total_ms = 10000};

static void test_ipc_large_body_and_fds(void **state)
{
    (void)state;
    int p[2], fd;
    struct error err;
    struct ipc_msg msg;
    struct buf big;
    buf_init(&big, 1 << 22);
    for (int i = 0; i < 100000; i++)
        buf_printf(&big, "%08d", i);
    assert_int_equal(ipc_pair(p, &err), STATUS_OK);
    assert_int_equal(memfile_from("t", span_str("content"), &fd, &err), STATUS_OK);
    assert_int_equal(ipc_send(p[0], 99, buf_span(&big), &fd, 1, &err), STATUS_OK);
    close(fd);
    assert_int_equal(ipc_recv(p[1], &msg, &err), STATUS_OK);
    assert_int_equal(msg.type, 99);
    assert_true(span_eq(buf_span(&msg.body), buf_span(&big)));
    assert_int_equal(msg.nfds, 1);
    struct span bytes;
    assert_int_equal(memfile_map(msg.fds[0], 100, &bytes, &err), STATUS_OK);
    assert_true(span_eq(bytes, span_str("content")));
    memfile_unmap(bytes);
    assert_true(fcntl(msg.fds[0], F_GETFD) & FD_CLOEXEC);
    ipc_msg_free(&msg);
    close(p[0]);
    assert_int_equal(ipc_recv(p[1], &msg, &err), STATUS_CLOSED);
    assert_int_equal(ipc_send(p[1], 1, span_of(NULL, 0), NULL, 0, &err), STATUS_CLOSED);
    close(p[1]);
    buf_free(&big);
}

static void test_ipc_refuses_damage(void **state)
{
    (void)state;
    int p[2];
    struct error err;
    struct ipc_msg msg;
    uint32_t spilled_without_fd[3] = {1, 5, 1}, wrong_length[3] = {1, 5, 0};
    assert_int_equal(ipc_pair(p, &err), STATUS_OK);
    assert_int_equal(send(p[0], "x", 1, 0), 1);
    assert_int_equal(ipc_recv(p[1], &msg, &err), STATUS_INVALID);
    assert_int_equal(send(p[0], spilled_without_fd, 12, 0), 12);
    assert_int_equal(ipc_recv(p[1], &msg, &err), STATUS_INVALID);
    assert_int_equal(send(p[0], wrong_length, 12, 0), 12);
    assert_int_equal(ipc_recv(p[1], &msg, &err), STATUS_INVALID);
    close(p[0]);
    close(p[1]);
}

static void test_memfile_must_be_sealed(void **state)
{
    (void)state;
    struct error err;
    struct span bytes;
    int fd;
    assert_int_equal(memfile_create("t", &fd, &err), STATUS_OK);
    assert_int_equal(memfile_write(fd, span_str("abc"), &err), STATUS_OK);
    assert_int_equal(memfile_map(fd, 10, &bytes, &err), STATUS_INVALID);
    assert_int_equal(memfile_seal(fd, &err), STATUS_OK);
    assert_int_equal(memfile_map(fd, 2, &bytes, &err), STATUS_LIMIT);
    assert_int_equal(memfile_write(fd, span_str("d"), &err), STATUS_TEMPORARY);
    close(fd);
    int p[2];
    assert_int_equal(pipe(p), 0);
    assert_int_equal(memfile_map(p[0], 10, &bytes, &err), STATUS_INVALID);
    close(p[0]);
    close(p[1]);
}

/* Of a small range it gives a copy, of a large one a mapping that begins anywhere in a page. */
static void test_memfile_ranges(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    static char text[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)(i * 31 + i / 4096);
    static const struct {
        uint64_t at;
        size_t len;
    } ranges[] = {{0, 0},        {0, 1},         {5000, 7},     {4095, 65536},
                  {4095, 65537}, {12288, 65537}, {1, SIZE - 1}, {0, SIZE}};
    struct error err;
    int fd;
    assert_int_equal(memfile_from("t", span_of(text, SIZE), &fd, &err), STATUS_OK);
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        struct span bytes;
        assert_int_equal(memfile_map_range(fd, ranges[i].at, ranges[i].len, &bytes, &err), STATUS_OK);
        assert_int_equal(bytes.len, ranges[i].len);
        assert_true(span_eq(bytes, span_of(text + ranges[i].at, ranges[i].len)));
        memfile_unmap(bytes);
    }
    struct span over;
    assert_int_equal(memfile_map_range(fd, SIZE - 2, 3, &over, &err), STATUS_TEMPORARY);
    close(fd);
}

/* ---- a worker in a child process ---- */

static void job(void *arg, struct request *request)
{
    struct error err;
    (void)arg;
    switch (request->msg.type) {
    case ECHO:
        (void)!request_reply(request, ECHOED, buf_span(&request->msg.body), NULL, 0, &err);
        break;
    case LEAVE:
        kill(getpid(), SIGTERM); /* waits in the worker's descriptor */
        (void)!request_reply(request, ECHOED, span_str("leaving"), NULL, 0, &err);
        break;
    case SPIN:
        for (volatile unsigned i = 0;; i++)
            ;
    case DIE:
        kill(getpid(), SIGKILL);
        break;
    default:
        pause();
    }
}

static pid_t start_worker(int service_fd, unsigned jobs)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct worker_settings s = {
            .service_fd = service_fd, .deadline_ms = 1000, .cpu_ms = 5000, .jobs_max = jobs};
        _exit(worker_run(&s, job, NULL));
    }
    return pid;
}

struct result {
    struct event_base *base;
    int left;
    enum status status;
    char body[64];
};

static void done(void *arg, enum status status, struct ipc_msg *reply, const struct error *err)
{
    (void)err;
    struct result *r = arg;
    r->status = status;
    if (reply)
        strncpy(r->body, buf_str(&reply->body), sizeof r->body - 1);
    if (--r->left == 0)
        event_base_loopexit(r->base, NULL);
}

static enum status call_from_loop(int fd, uint32_t type, const char *body, struct result *r)
{
    struct error err;
    *r = (struct result){.base = event_base_new(), .left = 1};
    assert_non_null(call_start(r->base, fd, type, span_str(body), NULL, 0, quick, done, r, &err));
    event_base_dispatch(r->base);
    event_base_free(r->base);
    return r->status;
}

static void test_worker_answers_and_ends_on_term(void **state)
{
    (void)state;
    int p[2], status;
    struct error err;
    struct result r;
    struct ipc_msg reply;
    assert_int_equal(ipc_pair(p, &err), STATUS_OK);
    pid_t pid = start_worker(p[1], 100);
    assert_int_equal(call_from_loop(p[0], ECHO, "hello", &r), STATUS_OK);
    assert_string_equal(r.body, "hello");
    assert_int_equal(call_wait(p[0], ECHO, span_str("again"), NULL, 0, quick, &reply, &err), STATUS_OK);
    assert_string_equal(buf_str(&reply.body), "again");
    ipc_msg_free(&reply);
    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(p[0]);
    close(p[1]);
}

static void test_dead_late_and_missing_workers(void **state)
{
    (void)state;
    int p[2], status;
    struct error err;
    struct result r;
    struct ipc_msg reply;
    assert_int_equal(ipc_pair(p, &err), STATUS_OK);
    assert_int_equal(call_from_loop(p[0], ECHO, "nobody", &r), STATUS_BUSY);
    assert_int_equal(call_wait(p[0], ECHO, span_str("nobody"), NULL, 0, quick, &reply, &err), STATUS_BUSY);

    /* The two requests above wait in the socket; their callers gave up, so the worker drops them. */
    pid_t pid = start_worker(p[1], 100);
    assert_int_equal(call_from_loop(p[0], ECHO, "alive", &r), STATUS_OK);
    assert_string_equal(r.body, "alive");
    assert_int_equal(call_from_loop(p[0], DIE, "", &r), STATUS_CLOSED);
    assert_int_equal(waitpid(pid, &status, 0), pid);

    pid = start_worker(p[1], 100);
    assert_int_equal(call_from_loop(p[0], SPIN, "", &r), STATUS_CLOSED);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);

    pid = start_worker(p[1], 100);
    assert_int_equal(call_wait(p[0], SILENT, span_str(""), NULL, 0, quick, &reply, &err), STATUS_CLOSED);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(p[0]);
    close(p[1]);
}

static void test_worker_is_recycled(void **state)
{
    (void)state;
    int p[2], status;
    struct error err;
    struct result r;
    assert_int_equal(ipc_pair(p, &err), STATUS_OK);
    pid_t pid = start_worker(p[1], 2);
    assert_int_equal(call_from_loop(p[0], ECHO, "1", &r), STATUS_OK);
    assert_int_equal(call_from_loop(p[0], ECHO, "2", &r), STATUS_OK);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(p[0]);
    close(p[1]);
}

/* The kernel may have woken this worker for the second job, and no other one. */
static void test_a_job_that_comes_with_term_is_done(void **state)
{
    (void)state;
    int p[2], status;
    struct error err;
    struct result r = {.base = event_base_new(), .left = 2};
    assert_int_equal(ipc_pair(p, &err), STATUS_OK);
    assert_non_null(call_start(r.base, p[0], LEAVE, span_str(""), NULL, 0, quick, done, &r, &err));
    assert_non_null(call_start(r.base, p[0], ECHO, span_str("last"), NULL, 0, quick, done, &r, &err));
    pid_t pid = start_worker(p[1], 100);
    event_base_dispatch(r.base);
    assert_int_equal(r.status, STATUS_OK);
    assert_string_equal(r.body, "last");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    event_base_free(r.base);
    close(p[0]);
    close(p[1]);
}

/* The kernel counts how often a process slept; were all workers woken for each job, there were four times as
 * many. */
static void test_a_job_wakes_one_worker(void **state)
{
    (void)state;
    enum { WORKERS = 4, JOBS = 50 };
    int p[2], status;
    struct error err;
    struct ipc_msg reply;
    struct rusage used;
    pid_t pids[WORKERS];
    long slept = 0;
    assert_int_equal(ipc_pair(p, &err), STATUS_OK);
    for (int i = 0; i < WORKERS; i++)
        pids[i] = start_worker(p[1], 1000);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(call_wait(p[0], ECHO, span_str("x"), NULL, 0, quick, &reply, &err), STATUS_OK);
        ipc_msg_free(&reply);
    }
    for (int i = 0; i < WORKERS; i++)
        kill(pids[i], SIGTERM);
    for (int i = 0; i < WORKERS; i++) {
        assert_int_equal(wait4(pids[i], &status, 0, &used), pids[i]);
        slept += used.ru_nvcsw;
    }
    assert_in_range(slept, 1, 2 * JOBS);
    close(p[0]);
    close(p[1]);
}

/* More requests at once than the socket holds: all are answered. */
static void test_full_socket(void **state)
{
    (void)state;
    int p[2], status;
    struct error err;
    enum { CALLS = 300 };
    struct result r = {.base = event_base_new(), .left = CALLS};
    struct call_limits patient = {.taken_ms = 10000, .total_ms = 20000};
    assert_int_equal(ipc_pair(p, &err), STATUS_OK);
    assert_int_equal(ipc_nonblocking(p[0], &err), STATUS_OK);
    for (int i = 0; i < CALLS; i++)
        assert_non_null(call_start(r.base, p[0], ECHO, span_str("x"), NULL, 0, patient, done, &r, &err));
    pid_t pid = start_worker(p[1], 100000);
    event_base_dispatch(r.base);
    assert_int_equal(r.left, 0);
    assert_int_equal(r.status, STATUS_OK);
    kill(pid, SIGTERM);
    waitpid(pid, &status, 0);
    event_base_free(r.base);
    close(p[0]);
    close(p[1]);
}

/* ---- passing a request on: the second holder answers the first caller ---- */

struct chain {
    struct event_base *base;
    int second;
    struct server *first_server, *second_server;
};

static void pass_on(void *arg, struct request *request)
{
    struct chain *c = arg;
    struct error err;
    assert_true(request_is_wanted(request));
    assert_int_equal(request_pass_on(request, c->second, 77, buf_span(&request->msg.body), NULL, 0, &err),
                     STATUS_OK);
    request_free(request);
    free(request);
}

static void answer(void *arg, struct request *request)
{
    (void)arg;
    struct error err;
    assert_int_equal(request->msg.type, 77);
    assert_int_equal(request_reply(request, ECHOED, span_str("from the second"), NULL, 0, &err), STATUS_OK);
    request_free(request);
    free(request);
}

static void test_request_passed_on(void **state)
{
    (void)state;
    int first[2], second[2];
    struct error err;
    struct result r = {.base = event_base_new(), .left = 1};
    assert_int_equal(ipc_pair(first, &err), STATUS_OK);
    assert_int_equal(ipc_pair(second, &err), STATUS_OK);
    struct chain c = {.base = r.base, .second = second[0]};
    c.first_server = server_start(r.base, first[1], true, pass_on, &c, &err);
    c.second_server = server_start(r.base, second[1], false, answer, &c, &err);
    assert_non_null(call_start(r.base, first[0], ECHO, span_str("x"), NULL, 0, quick, done, &r, &err));
    event_base_dispatch(r.base);
    assert_int_equal(r.status, STATUS_OK);
    assert_string_equal(r.body, "from the second");
    server_stop(c.first_server);
    server_stop(c.second_server);
    event_base_free(r.base);
    for (int i = 0; i < 2; i++) {
        close(first[i]);
        close(second[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ipc_large_body_and_fds),
        cmocka_unit_test(test_ipc_refuses_damage),
        cmocka_unit_test(test_memfile_must_be_sealed),
        cmocka_unit_test(test_memfile_ranges),
        cmocka_unit_test(test_worker_answers_and_ends_on_term),
        cmocka_unit_test(test_dead_late_and_missing_workers),
        cmocka_unit_test(test_worker_is_recycled),
        cmocka_unit_test(test_a_job_that_comes_with_term_is_done),
        cmocka_unit_test(test_a_job_wakes_one_worker),
        cmocka_unit_test(test_full_socket),
        cmocka_unit_test(test_request_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
