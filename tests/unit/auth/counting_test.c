/* What submission asks of the guard and sealctl of the role, over their services. */
#include "tests/unit/auth/world.h"

#include "gateway/jobs/allow_job.h"
#include "gateway/jobs/control_job.h"

static const struct call_limits patience = {60000, 60000};

static struct allow_result ask(const struct world *w, const char *user, const char *client)
{
    struct allow_ask question = {.what = ALLOW_MESSAGE,
                                 .user = (char *)(uintptr_t)user,
                                 .client = (char *)(uintptr_t)client,
                                 .client_address = (char *)(uintptr_t) "192.0.2.1"};
    struct allow_result result;
    struct ipc_msg reply;
    struct error err;
    struct buf body;
    buf_init(&body, 1000);
    allow_ask_pack(&body, &question);
    assert_int_equal(call_wait(w->service[0], ALLOW_ASK, buf_span(&body), NULL, 0, patience, &reply, &err),
                     STATUS_OK);
    assert_int_equal(reply.type, ALLOW_RESULT);
    assert_int_equal(allow_result_unpack(buf_span(&reply.body), &result, &err), STATUS_OK);
    ipc_msg_free(&reply);
    buf_free(&body);
    return result;
}

/* No reply: the pair closes. */
static void send_one_way(const struct world *w, uint32_t type, struct span body)
{
    struct ipc_msg reply;
    struct error err;
    assert_int_equal(call_wait(w->service[0], type, body, NULL, 0, patience, &reply, &err), STATUS_CLOSED);
}

static void try_in_clear(const struct world *w, const char *address, const char *helo)
{
    struct clear_tried tried = {.client_address = (char *)(uintptr_t)address,
                                .verb = (char *)(uintptr_t) "AUTH",
                                .helo = (char *)(uintptr_t)helo};
    struct buf body;
    buf_init(&body, 1000);
    clear_tried_pack(&body, &tried);
    send_one_way(w, CLEAR_TRIED, buf_span(&body));
    buf_free(&body);
}

static json_t *control(const struct world *w, const char *request)
{
    struct ipc_msg reply;
    struct error err;
    assert_int_equal(
        call_wait(w->control[0], CONTROL_REQUEST, span_str(request), NULL, 0, patience, &reply, &err),
        STATUS_OK);
    json_t *object = json_loadb((const char *)reply.body.data, reply.body.len, 0, NULL);
    assert_non_null(object);
    ipc_msg_free(&reply);
    return object;
}

static const char *text_in(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "(none)";
}

static void expect_class(const struct world *w, const char *request, const char *class)
{
    json_t *object = control(w, request);
    assert_string_equal(text_in(object, "class"), class);
    json_decref(object);
}

static void rates_are_counted(void **state)
{
    struct world *w = *state;
    static const struct guard_client scanner = {.name = "scanner", .messages = {1, 3600000}};
    w->settings.guard.user_messages = (struct guard_rate){2, 3600000};
    w->settings.guard.clients = &scanner;
    w->settings.guard.n_clients = 1;
    add_user(w->folder, "alice", "secret");
    start_role(w);
    assert_true(ask(w, "alice", NULL).allowed);
    assert_true(ask(w, "alice", NULL).allowed);
    struct allow_result over = ask(w, "alice", NULL);
    assert_false(over.allowed);
    assert_memory_equal(over.text, "2 messages in 1h are the limit for alice: try again in ", 55);
    assert_true(ask(w, NULL, "scanner").allowed);
    assert_false(ask(w, NULL, "scanner").allowed);
    await_log(w, "event=over-rate user=alice client=192.0.2.1");
    /* The last write is that of the end. */
    assert_int_equal(stop_role(w), 0);
    start_role(w);
    assert_false(ask(w, "alice", NULL).allowed);
    assert_true(ask(w, "bob", NULL).allowed);
}

/* A question that makes no sense is not answered, so that the caller's 451 stands; the role goes on. */
static void junk_is_not_answered(void **state)
{
    struct world *w = *state;
    add_user(w->folder, "alice", "secret");
    start_role(w);
    send_one_way(w, ALLOW_ASK, span_str("junk"));
    send_one_way(w, CLEAR_TRIED, span_str("junk"));
    send_one_way(w, CONTROL_REQUEST, span_str("{\"verb\":\"guard.list\"}"));
    assert_true(ask(w, "alice", NULL).allowed);
}

static void sealctl_sees_and_forgets(void **state)
{
    struct world *w = *state;
    w->settings.guard.failures_address = (struct guard_rate){1, 3600000};
    w->settings.guard.block_ms = 3600000;
    add_user(w->folder, "alice", "secret");
    start_role(w);
    start_worker(w);
    assert_int_equal(plain_verdict(w, "alice", "wrong"), SASL_WRONG);
    assert_int_equal(plain_verdict(w, "alice", "right"), SASL_BLOCKED);
    try_in_clear(w, "192.0.2.9", "printer \xff");
    try_in_clear(w, "192.0.2.9", NULL);
    json_t *status = control(w, "{\"verb\":\"guard.status\"}");
    json_t *blocked = json_object_get(status, "blocked"), *clear = json_object_get(status, "clear");
    assert_int_equal(json_array_size(blocked), 1);
    assert_string_equal(text_in(json_array_get(blocked, 0), "kind"), "address");
    assert_string_equal(text_in(json_array_get(blocked, 0), "name"), "192.0.2.1");
    assert_int_equal(strlen(text_in(json_array_get(blocked, 0), "blocked-until")), 20);
    assert_int_equal(json_array_size(clear), 1);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(clear, 0), "count")), 2);
    assert_string_equal(text_in(json_array_get(clear, 0), "verb"), "AUTH");
    assert_true(json_is_null(json_object_get(json_array_get(clear, 0), "helo")));
    json_decref(status);
    json_t *list = control(w, "{\"verb\":\"guard.list\",\"select\":\"clear\"}");
    assert_int_equal(json_array_size(json_object_get(list, "rows")), 1);
    json_decref(list);
    list = control(w, "{\"verb\":\"guard.list\"}");
    assert_int_equal(json_array_size(json_object_get(list, "rows")), 2);
    json_decref(list);
    json_decref(control(w, "{\"verb\":\"guard.forget\",\"kind\":\"address\",\"name\":\"192.0.2.1\"}"));
    assert_int_equal(plain_verdict(w, "alice", "right"), SASL_OK);
    list = control(w, "{\"verb\":\"guard.list\"}");
    json_t *known = json_array_get(json_object_get(list, "rows"), 0);
    assert_string_equal(text_in(known, "kind"), "known");
    assert_string_equal(text_in(known, "addresses"), "192.0.2.1");
    json_decref(list);
}

static void sealctl_is_told_what_is_wrong(void **state)
{
    struct world *w = *state;
    add_user(w->folder, "alice", "secret");
    start_role(w);
    expect_class(w, "{\"verb\":\"guard.forget\",\"kind\":\"address\",\"name\":\"192.0.2.1\"}", "not-found");
    expect_class(w, "{\"verb\":\"guard.forget\",\"kind\":\"weather\",\"name\":\"x\"}", "invalid");
    expect_class(w, "{\"verb\":\"guard.forget\",\"kind\":\"user\"}", "invalid");
    expect_class(w, "{\"verb\":\"guard.list\",\"select\":\"some\"}", "invalid");
    expect_class(w, "{\"verb\":\"guard.lists\"}", "invalid");
    expect_class(w, "junk", "invalid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(rates_are_counted),
        WORLD_TEST(junk_is_not_answered),
        WORLD_TEST(sealctl_sees_and_forgets),
        WORLD_TEST(sealctl_is_told_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
