/* Requests and replies of the control socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/jobs/control_job.h"

static void a_request_has_a_verb(void **state)
{
    (void)state;
    struct error err;
    json_t *request = control_request_parse(span_str("{\"verb\": \"queue.list\", \"held\": true}"), &err);
    assert_non_null(request);
    assert_string_equal(json_string_value(json_object_get(request, "verb")), "queue.list");
    json_decref(request);
}

/* A25 */
static void a25_garbage_is_refused(void **state)
{
    (void)state;
    static const char *const garbage[] = {"",
                                          "{",
                                          "[]",
                                          "\"verb\"",
                                          "{\"verb\": 1}",
                                          "{\"verb\": \"\"}",
                                          "{\"verb\": \"a\"} x",
                                          "{\"verb\": \"a\", \"verb\": \"b\"}",
                                          "{\"verb\": \"\xff\"}",
                                          "{\"verb\": \"a\\u0000b\"}"};
    struct error err;
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
        if (control_request_parse(span_str(garbage[i]), &err))
            fail_msg("taken: %s", garbage[i]);
        assert_int_equal(err.status, STATUS_INVALID);
    }
    assert_null(control_request_parse(span_of(NULL, 0), &err));

    char *deep = malloc(100000);
    assert_non_null(deep);
    memset(deep, '[', 100000);
    assert_null(control_request_parse(span_of(deep, 100000), &err));
    assert_null(control_request_parse(span_of(deep, CONTROL_REQUEST_MAX + 1), &err));
    assert_int_equal(err.status, STATUS_LIMIT);
    free(deep);
}

struct talk {
    struct request request;
    int caller_fd;
};

static struct talk start_talk(void)
{
    int fds[2];
    struct error err;
    assert_int_equal(ipc_pair(fds, &err), STATUS_OK);
    return (struct talk){.request = {.reply_fd = fds[0]}, .caller_fd = fds[1]};
}

/* The reply as the caller reads it; ends the talk. */
static json_t *end_talk(struct talk *talk)
{
    struct ipc_msg msg;
    struct error err;
    assert_int_equal(ipc_recv(talk->caller_fd, &msg, &err), STATUS_OK);
    assert_int_equal(msg.type, CONTROL_REPLY);
    json_t *reply = json_loadb((const char *)msg.body.data, msg.body.len, 0, NULL);
    assert_non_null(reply);
    ipc_msg_free(&msg);
    request_free(&talk->request);
    close(talk->caller_fd);
    return reply;
}

static void json_is_answered_with_ok(void **state)
{
    (void)state;
    struct talk talk = start_talk();
    control_reply_json(&talk.request, json_pack("{s:i}", "queued", 3));
    json_t *reply = end_talk(&talk);
    assert_true(json_is_true(json_object_get(reply, "ok")));
    assert_int_equal(json_integer_value(json_object_get(reply, "queued")), 3);
    json_decref(reply);
}

static void no_memory_is_no_success(void **state)
{
    (void)state;
    struct talk talk = start_talk();
    control_reply_json(&talk.request, NULL);
    json_t *reply = end_talk(&talk);
    assert_true(json_is_false(json_object_get(reply, "ok")));
    assert_string_equal(json_string_value(json_object_get(reply, "class")), "temporary");
    json_decref(reply);
}

static void an_error_tells_class_and_text(void **state)
{
    (void)state;
    struct talk talk = start_talk();
    struct error err;
    error_set(&err, STATUS_NOT_FOUND, "no message b\xff\"\n");
    control_reply_error(&talk.request, &err);
    json_t *reply = end_talk(&talk);
    assert_true(json_is_false(json_object_get(reply, "ok")));
    assert_string_equal(json_string_value(json_object_get(reply, "class")), "not-found");
    assert_string_equal(json_string_value(json_object_get(reply, "error")), "no message b?\"?");
    json_decref(reply);
}

static void a_caller_that_went_away_is_no_harm(void **state)
{
    (void)state;
    struct talk talk = start_talk();
    close(talk.caller_fd);
    control_reply_json(&talk.request, json_object());
    request_free(&talk.request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_has_a_verb),          cmocka_unit_test(a25_garbage_is_refused),
        cmocka_unit_test(json_is_answered_with_ok),      cmocka_unit_test(no_memory_is_no_success),
        cmocka_unit_test(an_error_tells_class_and_text), cmocka_unit_test(a_caller_that_went_away_is_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
