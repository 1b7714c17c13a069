/* The verbs of sealctl: what they answer, what they change, what they refuse. */
#include "tests/unit/queue/world.h"

static void assert_class(json_t *answer, const char *class)
{
    if (is_ok(answer) || strcmp(str(answer, "class"), class) != 0 || !*str(answer, "error"))
        fail_msg("not %s: %s %s", class, str(answer, "class"), str(answer, "error"));
    json_decref(answer);
}

static void assert_done(json_t *answer, const char *name, int64_t n)
{
    if (!is_ok(answer) || json_integer_value(json_object_get(answer, name)) != n)
        fail_msg("not %s=%lld: %s", name, (long long)n, str(answer, "error"));
    json_decref(answer);
}

static void test_what_is_no_request_is_refused(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "{'verb': 'queue.explode'}",
        "{'verb': 'queue.show'}",
        "{'verb': 'queue.show', 'id': 7}",
        "{'verb': 'queue.show', 'id': '../../etc/passwd'}",
        "{'verb': 'queue.show', 'id': '%2e%2e%2f'}",
        "{'verb': 'queue.remove', 'id': 'all'}",
        "{'verb': 'queue.retry'}",
        "{'verb': 'queue.retry', 'all': 'yes'}",
        "{'verb': 'queue.hold', 'id': ''}",
        "{'verb': 'held.return', 'id': null}",
        "{'verb': 'held.release', 'id': '0000'}",
        "{'verb': 'queue.list', 'state': 'x\\' OR 1=1'}",
        "{'verb': 'queue.list', 'limit': -1}",
        "{'verb': 'queue.list', 'limit': 'many'}",
        "{'verb': 'audit.list', 'limit': 1000000}",
        "{'verb': 'audit.list', 'id': '..'}",
        "{'verb': 7}",
        "[]",
        "garbage",
        "",
    };
    struct world w;
    world_make(&w);
    world_start(&w);
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
        assert_class(world_ask(&w, requests[i]), "invalid");
    static const char *const verbs[] = {"queue.show",   "held.show",    "queue.hold",  "queue.release",
                                        "queue.remove", "held.release", "held.return", "queue.retry"};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        assert_class(world_ask_id(&w, verbs[i], "0123456789abcdefghij"), "not-found");
    world_end(&w);
}

static void test_list_and_show(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct sample held;
    world_make(&w);
    world_start(&w);
    sample_start(&s);
    struct store_copy *copy = sample_copy(&s, COPY_QUEUED, FORMAT_SMIME, "sealed");
    sample_recipient(&s, copy, "bob@example.com");
    sample_recipient(&s, copy, "carol\xff@example.net"); /* no UTF-8 */
    sample_recipient(&s, sample_copy(&s, COPY_RETURN, FORMAT_CLEAR, "locked"), "dave@example.com");
    s.store.envelope.user = text("");
    s.store.envelope.client = text("scanner");
    s.store.envelope.envid = text("QQ314159");
    s.store.envelope.ret = text("HDRS");
    s.store.envelope.requiretls = true;
    assert_int_equal(world_send(&w, &s), SUBMIT_QUEUED);
    world_send_held(&w, &held, "erin@example.com");

    json_t *answer = world_ask(&w, "{'verb': 'queue.list'}");
    json_t *messages = json_object_get(answer, "messages");
    assert_int_equal(json_array_size(messages), 2);
    json_t *first = json_array_get(messages, 0);
    assert_string_equal(str(first, "id"), s.store.envelope.id);
    assert_string_equal(str(first, "received"), "2027-01-15T08:00:00Z");
    assert_string_equal(str(first, "user"), "client:scanner");
    assert_string_equal(str(json_array_get(messages, 1), "user"), "alice");
    json_t *recipients = json_object_get(first, "recipients");
    assert_int_equal(json_array_size(recipients), 3);
    assert_string_equal(str(json_array_get(recipients, 0), "state"), "queued");
    assert_string_equal(str(json_array_get(recipients, 1), "address"), "carol\\xff@example.net");
    assert_string_equal(str(json_array_get(recipients, 2), "state"), "returning");
    assert_false(json_is_true(json_object_get(answer, "more")));
    json_decref(answer);

    static const struct {
        const char *request;
        size_t messages;
        bool more;
    } table[] = {
        {"{'verb': 'queue.list', 'state': 'queued'}", 1, false},
        {"{'verb': 'queue.list', 'state': 'held'}", 1, false},
        {"{'verb': 'queue.list', 'state': 'returning'}", 1, false},
        {"{'verb': 'queue.list', 'state': 'deferred'}", 0, false},
        {"{'verb': 'queue.list', 'limit': 2}", 1, true},
        {"{'verb': 'queue.list', 'limit': 4}", 2, false},
        {"{'verb': 'queue.list', 'limit': 0}", 0, true},
        {"{'verb': 'held.list'}", 1, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        answer = world_ask(&w, table[i].request);
        assert_true(is_ok(answer));
        if (json_array_size(json_object_get(answer, "messages")) != table[i].messages ||
            json_is_true(json_object_get(answer, "more")) != table[i].more)
            fail_msg("%s", table[i].request);
        json_decref(answer);
    }

    answer = world_ask_id(&w, "queue.show", s.store.envelope.id);
    json_t *message = json_object_get(answer, "message");
    assert_string_equal(str(message, "from"), "alice@example.org");
    assert_string_equal(str(message, "tls_version"), "TLSv1.3");
    assert_string_equal(str(message, "user"), "client:scanner");
    assert_string_equal(str(message, "client"), "scanner");
    assert_string_equal(str(message, "envid"), "QQ314159");
    assert_string_equal(str(message, "ret"), "HDRS");
    assert_true(json_is_true(json_object_get(message, "requiretls")));
    json_t *bob = json_array_get(json_object_get(message, "recipients"), 0);
    assert_string_equal(str(bob, "fingerprint"), "0123456789ABCDEF");
    assert_string_equal(str(bob, "format"), "smime");
    json_decref(answer);
    answer = world_ask_id(&w, "held.show", held.store.envelope.id);
    json_t *erin = json_array_get(json_object_get(json_object_get(answer, "message"), "recipients"), 0);
    assert_string_equal(str(erin, "hold"), "key");
    assert_string_equal(str(erin, "reason"), "none found");
    assert_int_equal(strlen(str(erin, "held_until")), 20);
    json_decref(answer);
    world_end(&w);
}

static void test_hold_and_release_by_the_administrator(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct sample key;
    struct queue_lease lease;
    world_make(&w);
    world_start(&w);
    world_send_simple(&w, &s, "bob@example.com");
    world_send_held(&w, &key, "carol@example.net");
    assert_done(world_ask_id(&w, "queue.hold", s.store.envelope.id), "held", 1);
    assert_class(world_ask_id(&w, "queue.hold", s.store.envelope.id), "invalid");
    int channel = world_attach(&w, DELIVERY_1, 10);
    assert_int_equal(world_state(&w, "held"), 2);
    channel_is_quiet(channel);
    /* Each hold has its own way out. */
    assert_class(world_ask_id(&w, "held.release", s.store.envelope.id), "not-found");
    assert_class(world_ask_id(&w, "queue.release", key.store.envelope.id), "invalid");
    assert_class(world_ask_id(&w, "queue.retry", key.store.envelope.id), "invalid");
    assert_int_equal(world_count(&w, "{'verb': 'queue.retry', 'all': true}", "recipients"), 0);
    assert_done(world_ask_id(&w, "queue.release", s.store.envelope.id), "released", 1);
    channel_take_lease(channel, &lease, NULL);
    assert_string_equal(lease.message_id, s.store.envelope.id);
    /* In delivery: neither held nor removed under its feet. */
    assert_class(world_ask_id(&w, "queue.hold", s.store.envelope.id), "busy");
    assert_class(world_ask_id(&w, "queue.remove", s.store.envelope.id), "busy");
    assert_class(world_ask_id(&w, "queue.retry", s.store.envelope.id), "busy");
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

/* A million must not hold up the mail that comes meanwhile, so it is done in parts. */
static void test_all_are_retried_in_parts(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    char request[100];
    int64_t n = 0, next = 0, parts = 0;
    world_make(&w);
    world_start(&w);
    world_send_simple(&w, &s, "bob@example.com");
    world_change(&w,
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 11999) "
                 "INSERT INTO recipient (copy_id, address, state, next_ms, domain, sender, expires_ms) "
                 "SELECT copy_id, 'bob' || i || '@example.com', 'deferred', 4000000000000, domain, sender, "
                 "expires_ms FROM recipient, n");
    world_start(&w);
    do {
        snprintf(request, sizeof request, "{'verb': 'queue.retry', 'all': true, 'after': %lld}",
                 (long long)next);
        json_t *answer = world_ask(&w, request);
        assert_true(is_ok(answer));
        n += json_integer_value(json_object_get(answer, "recipients"));
        next = json_integer_value(json_object_get(answer, "next"));
        json_decref(answer);
        parts++;
    } while (next > 0);
    assert_int_equal(n, 11999);
    assert_int_equal(parts, 4); /* the last finds nothing more, and wakes what waits for its destination */
    assert_class(world_ask(&w, "{'verb': 'queue.retry', 'all': true, 'after': -1}"), "invalid");
    world_end(&w);
}

/* However long it was held. */
static void test_the_life_of_what_was_held_begins_when_it_is_released(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    static const struct retry_policy policy = {
        .domain = "example.net", .first_retry_ms = MINUTE, .last_retry_ms = HOUR, .lifetime_ms = DAY};
    world_make(&w);
    w.d.settings.retry_policies = &policy;
    w.d.settings.n_retry_policies = 1;
    world_start(&w);
    world_send_simple(&w, &s, "bob@example.net");
    assert_done(world_ask_id(&w, "queue.hold", s.store.envelope.id), "held", 1);
    world_change(&w, "UPDATE recipient SET expires_ms = 1");
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    assert_done(world_ask_id(&w, "queue.release", s.store.envelope.id), "released", 1);
    channel_take_lease(channel, &lease, NULL);
    assert_in_range(lease.recipients[0].expires_ms, clock_wall_ms() + DAY - MINUTE, clock_wall_ms() + DAY);
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

static void test_remove_leaves_only_audit_lines(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    world_make(&w);
    world_start(&w);
    world_send_held(&w, &s, "bob@example.com");
    assert_done(world_ask_id(&w, "queue.remove", s.store.envelope.id), "removed", 1);
    assert_class(world_ask_id(&w, "queue.show", s.store.envelope.id), "not-found");
    json_t *answer = world_ask_id(&w, "audit.list", s.store.envelope.id);
    json_t *lines = json_object_get(answer, "lines");
    assert_int_equal(json_array_size(lines), 3);
    assert_string_equal(str(json_array_get(lines, 2), "event"), "removed");
    json_decref(answer);
    world_end(&w);
}

static void test_return_sends_it_back(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    world_send_held(&w, &s, "bob@example.com");
    assert_done(world_ask_id(&w, "held.return", s.store.envelope.id), "returning", 1);
    channel_take_lease(channel, &lease, NULL);
    assert_int_equal(lease.state, COPY_RETURN);
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

/* What a rule said of it is not why. */
static void test_what_the_administrator_held_is_returned_with_that_reason(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    world_make(&w);
    world_start(&w);
    world_send_simple(&w, &s, "bob@example.com");
    assert_done(world_ask_id(&w, "queue.hold", s.store.envelope.id), "held", 1);
    assert_done(world_ask_id(&w, "held.return", s.store.envelope.id), "returning", 1);
    int channel = world_attach(&w, DELIVERY_1, 10);
    channel_take_lease(channel, &lease, NULL);
    assert_int_equal(lease.state, COPY_RETURN);
    assert_string_equal(lease.recipients[0].reason, "the administrator gives it back");
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

static void test_retry_at_once(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    world_send_simple(&w, &s, "bob@example.com");
    for (int i = 0; i < 3; i++) {
        channel_take_lease(channel, &lease, NULL);
        channel_settle(channel, &lease, OUTCOME_DEFERRED);
        queue_lease_free(&lease);
        assert_int_equal(world_state(&w, "deferred"), 1);
        if (i == 0)
            assert_done(world_ask_id(&w, "queue.retry", s.store.envelope.id), "recipients", 1);
        else
            assert_int_equal(world_count(&w, "{'verb': 'queue.retry', 'all': true}", "recipients"), 1);
    }
    close(channel);
    world_end(&w);
}

/* The next lease must be of the message ID; nobody is reached. */
static void expect_probe(int channel, const char *id)
{
    struct queue_lease lease;
    channel_take_lease(channel, &lease, NULL);
    assert_string_equal(lease.message_id, id);
    struct outcome_recipient r = {.id = lease.recipients[0].id,
                                  .outcome = OUTCOME_DEFERRED,
                                  .reach = REACH_NO_HOST,
                                  .reply = text("nobody answers")};
    struct queue_outcome outcome = {.copy_id = lease.copy_id, .recipients = &r, .n_recipients = 1};
    channel_send_outcome(channel, &outcome, -1);
    channel_take_stored(channel, lease.copy_id);
    queue_lease_free(&lease);
}

static void test_the_message_that_is_retried_is_the_probe(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    char ids[3][ID_SIZE];
    static const char *const users[] = {"bert", "alice", "carol"};
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    for (int i = 0; i < 3; i++) {
        sample_simple(&s, "bob@dead.example");
        s.store.envelope.user = text(users[i]);
        memcpy(ids[i], s.store.envelope.id, ID_SIZE);
        assert_int_equal(world_send(&w, &s), SUBMIT_QUEUED);
        if (i == 0)
            expect_probe(channel, ids[0]);
    }
    for (int i = 0; i < 6; i++) {
        assert_done(world_ask_id(&w, "queue.retry", ids[i / 2]), "recipients", 1);
        expect_probe(channel, ids[i / 2]);
    }
    channel_is_quiet(channel);
    close(channel);
    world_end(&w);
}

static void test_audit_verbs(void **state)
{
    (void)state;
    enum { N = 30 };
    struct world w;
    world_make(&w);
    world_start(&w);
    for (int i = 0; i < N; i++) {
        struct sample s;
        world_send_simple(&w, &s, "bob@example.com");
    }
    json_t *answer = world_ask(&w, "{'verb': 'audit.verify'}");
    assert_true(json_is_true(json_object_get(answer, "intact")));
    assert_int_equal(json_integer_value(json_object_get(answer, "lines")), 2 * N);
    json_decref(answer);
    answer = world_ask(&w, "{'verb': 'audit.list', 'limit': 3}");
    json_t *lines = json_object_get(answer, "lines");
    assert_int_equal(json_array_size(lines), 3);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, 2), "seq")), 2 * N);
    json_decref(answer);
    /* Export in pages gives every line once. */
    int64_t after = 0;
    int64_t seen = 0;
    char request[100];
    for (bool more = true; more;) {
        snprintf(request, sizeof request, "{'verb': 'audit.export', 'limit': 7, 'after': %lld}",
                 (long long)after);
        answer = world_ask(&w, request);
        lines = json_object_get(answer, "lines");
        for (size_t i = 0; i < json_array_size(lines); i++) {
            assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, i), "seq")), ++seen);
            assert_int_equal(strlen(str(json_array_get(lines, i), "hash")), 64);
        }
        more = json_is_integer(json_object_get(answer, "next"));
        after = json_integer_value(json_object_get(answer, "next"));
        json_decref(answer);
    }
    assert_int_equal(seen, 2 * N);

    world_change(&w, "UPDATE audit SET recipient = 'mallory@example.com' WHERE seq = 17");
    world_start(&w);
    answer = world_ask(&w, "{'verb': 'audit.verify'}");
    assert_true(is_ok(answer));
    assert_false(json_is_true(json_object_get(answer, "intact")));
    assert_int_equal(json_integer_value(json_object_get(answer, "seq")), 17);
    json_decref(answer);
    world_change(&w, "UPDATE audit SET recipient = 'bob@example.com' WHERE seq = 17");
    world_end(&w);
}

static void test_status(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    world_make(&w);
    world_start(&w);
    sample_simple(&s, "bob@example.com");
    s.store.envelope.received_ms = clock_wall_ms() - 3600 * 1000;
    assert_int_equal(world_send(&w, &s), SUBMIT_QUEUED);
    json_t *answer = world_ask(&w, "{'verb': 'queue.status'}");
    assert_int_equal(json_integer_value(json_object_get(answer, "messages")), 1);
    assert_in_range(json_integer_value(json_object_get(answer, "oldest_seconds")), 3600, 3700);
    assert_true(json_integer_value(json_object_get(answer, "database_bytes")) > 4096);
    assert_false(json_is_true(json_object_get(answer, "delivery_attached")));
    json_decref(answer);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_request_is_refused),
        cmocka_unit_test(test_list_and_show),
        cmocka_unit_test(test_hold_and_release_by_the_administrator),
        cmocka_unit_test(test_all_are_retried_in_parts),
        cmocka_unit_test(test_the_life_of_what_was_held_begins_when_it_is_released),
        cmocka_unit_test(test_remove_leaves_only_audit_lines),
        cmocka_unit_test(test_return_sends_it_back),
        cmocka_unit_test(test_what_the_administrator_held_is_returned_with_that_reason),
        cmocka_unit_test(test_retry_at_once),
        cmocka_unit_test(test_the_message_that_is_retried_is_the_probe),
        cmocka_unit_test(test_audit_verbs),
        cmocka_unit_test(test_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
