/* One client at the control socket: what it may send, and that bad input harms nobody else. */
#include "tests/unit/control/world.h"

#include <signal.h>
#include <stdio.h>
#include <sys/un.h>
#include <sys/wait.h>

static const char list[] = "{\"verb\": \"queue.list\"}";

/* Still served, whatever others did. */
static void expect_served(struct world *w, struct client *c)
{
    w->fakes[FAKE_QUEUE].reply = "{\"ok\":true,\"n\":1}";
    json_t *answer = client_ask(w, c, list);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
}

static void a25_garbage_is_answered_and_harms_nobody(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } garbage[] = {
        {"\n", 1},
        {"hello\n", 6},
        {"{\n", 2},
        {"[]\n", 3},
        {"{}\n", 3},
        {"{\"verb\": 1}\n", 12},
        {"{\"verb\": \"\"}\n", 13},
        {"{\"verb\": \"queue.list\"} x\n", 25},
        {"{\"verb\": \"q\xff\"}\n", 15},
        {"\0\n", 2},
        {"{\"verb\": \"a\0b\"}\n", 16},
        {"EHLO mail\r\n", 11},
        {"\x16\x03\x01\x02\0\x01\n", 7},
    };
    struct world *w = *state;
    struct client bystander = client_open(w);
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        struct client c = client_open(w);
        client_send(w, &c, garbage[i].bytes, garbage[i].len);
        json_t *answer = client_answer(w, &c);
        assert_non_null(answer);
        expect_error(answer, "invalid", "");
        client_close(&c);
        expect_served(w, &bystander);
    }
    assert_int_equal(w->fakes[FAKE_QUEUE].n_seen, sizeof garbage / sizeof garbage[0]);
    client_close(&bystander);
}

static void a25_a_line_without_end_is_dropped_at_the_limit(void **state)
{
    enum { LINE = 5 << 20 };
    struct world *w = *state;
    struct client bystander = client_open(w), c = client_open(w);
    char *line = malloc(LINE);
    memset(line, 'a', LINE);
    client_send(w, &c, line, LINE);
    json_t *answer = client_answer(w, &c);
    if (answer)
        expect_error(answer, "limit", "over the limit");
    else
        fail_msg("no answer");
    while (!c.ended)
        client_read(w, &c);
    expect_served(w, &bystander);
    client_close(&c);
    client_close(&bystander);
    free(line);
}

static void a_line_of_the_limit_is_taken(void **state)
{
    struct world *w = *state;
    struct client c = client_open(w);
    char *line = malloc(CONTROL_REQUEST_MAX + 1);
    memset(line, ' ', CONTROL_REQUEST_MAX);
    memcpy(line, list, strlen(list));
    line[CONTROL_REQUEST_MAX] = '\n';
    w->fakes[FAKE_QUEUE].reply = "{\"ok\":true}";
    client_send(w, &c, line, CONTROL_REQUEST_MAX + 1);
    json_t *answer = client_answer(w, &c);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
    client_close(&c);
    free(line);
}

static void a25_half_a_line_and_a_close_harm_nobody(void **state)
{
    struct world *w = *state;
    struct client bystander = client_open(w);
    for (size_t len = 0; len < sizeof list - 1; len++) {
        struct client c = client_open(w);
        client_send(w, &c, list, len);
        client_close(&c);
        world_turn(w);
    }
    expect_served(w, &bystander);
    assert_int_equal(w->fakes[FAKE_QUEUE].n_seen, 1);
    client_close(&bystander);
}

/* The answer comes when nobody is there any more. */
static void a_client_that_leaves_before_its_answer_harms_nobody(void **state)
{
    struct world *w = *state;
    struct client bystander = client_open(w);
    w->fakes[FAKE_QUEUE].reply = "{\"ok\":true}";
    struct client c = client_open(w);
    client_send(w, &c, list, sizeof list - 1);
    client_send(w, &c, "\n", 1);
    client_close(&c);
    while (w->fakes[FAKE_QUEUE].n_seen < 1)
        world_turn(w);
    expect_served(w, &bystander);
    client_close(&bystander);
}

static void requests_are_answered_one_by_one_in_order(void **state)
{
    static const char many[] =
        "{\"verb\":\"queue.list\",\"n\":1}\ngarbage\n{\"verb\":\"queue.list\",\"n\":2}\n";
    struct world *w = *state;
    struct client c = client_open(w);
    w->fakes[FAKE_QUEUE].reply = "{\"ok\":true}";
    client_send(w, &c, many, sizeof many - 1);
    for (int i = 0; i < 3; i++) {
        json_t *answer = client_answer(w, &c);
        assert_non_null(answer);
        assert_int_equal(json_is_true(json_object_get(answer, "ok")), i != 1);
        json_decref(answer);
    }
    assert_string_equal(w->fakes[FAKE_QUEUE].seen,
                        "{\"verb\":\"queue.list\",\"n\":1}\n{\"verb\":\"queue.list\",\"n\":2}\n");
    client_close(&c);
}

static void control_run_serves_and_ends_on_term(void **state)
{
    struct world *w = *state;
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof un;
    /* An abstract name of the kernel's choice. */
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&un, sizeof un.sun_family), 0);
    assert_int_equal(listen(listening, 8), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&un, &len), 0);
    w->settings.socket_fd = listening;
    pid_t pid = fork();
    if (pid == 0)
        _exit(control_run(&w->settings));
    struct client c = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    buf_init(&c.in, 1u << 22);
    assert_int_equal(connect(c.fd, (struct sockaddr *)&un, len), 0);
    struct error err;
    assert_int_equal(ipc_nonblocking(c.fd, &err), STATUS_OK);
    expect_served(w, &c); /* it runs, and has its signal handler */
    int status;
    kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    client_close(&c);
    close(listening);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a25_garbage_is_answered_and_harms_nobody),
        TEST(a25_a_line_without_end_is_dropped_at_the_limit),
        TEST(a_line_of_the_limit_is_taken),
        TEST(a25_half_a_line_and_a_close_harm_nobody),
        TEST(a_client_that_leaves_before_its_answer_harms_nobody),
        TEST(requests_are_answered_one_by_one_in_order),
        TEST(control_run_serves_and_ends_on_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
