/* Held copies and a seal of the test's own: recheck, release by an administrator, expiry, every way it can
 * fail. */
#include "tests/unit/queue/world.h"

/* Asks control without waiting for the answer. */
static int ask_later(const struct world *w, const char *verb, const char *id)
{
    struct error err;
    char json[200];
    int pair[2];
    OK(ipc_pair(pair, &err));
    snprintf(json, sizeof json, "{\"verb\": \"%s\", \"id\": \"%s\"}", verb, id);
    OK(ipc_send(w->services[CONTROL][0], CONTROL_REQUEST, span_str(json), &pair[1], 1, &err));
    close(pair[1]);
    return pair[0];
}

static json_t *answer_of(int fd)
{
    struct ipc_msg msg;
    json_error_t why;
    if (!channel_next(fd, PATIENCE_MS, &msg))
        fail_msg("no answer in time");
    json_t *answer = json_loadb((const char *)msg.body.data, msg.body.len, 0, &why);
    assert_non_null(answer);
    ipc_msg_free(&msg);
    close(fd);
    return answer;
}

static const char *word(const json_t *answer, size_t i, const char *name)
{
    return str(json_array_get(json_object_get(answer, "copies"), i), name);
}

static void assert_still_held(json_t *answer)
{
    assert_string_equal(word(answer, 0, "result"), "still held");
    json_decref(answer);
}

/* A held message that an administrator releases, and seal is asked about; the answer to the administrator
 * comes over the descriptor returned. */
static int release_one(const struct world *w, struct sample *s, struct request *request,
                       struct queue_release *release)
{
    world_send_held(w, s, "bob@example.com");
    int fd = ask_later(w, "held.release", s->store.envelope.id);
    seal_take(w, request, release);
    return fd;
}

static void test_a_recheck_that_finds_the_key_sends_it(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct request request;
    struct queue_release release;
    struct queue_lease lease;
    world_make(&w);
    w.d.settings.recheck_ms = 100;
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    world_send_held(&w, &s, "bob@example.com");
    /* Not yet: it stays, and is asked about again. */
    seal_take(&w, &request, &release);
    assert_string_equal(release.envelope.recipients[0].address, "bob@example.com");
    seal_answer(&request, &release, NULL, "none found");
    seal_take(&w, &request, &release);
    seal_seals(&request, &release, "bob@example.com");
    channel_take_lease(channel, &lease, NULL);
    assert_int_equal(lease.format, FORMAT_OPENPGP);
    assert_string_equal(lease.message_id, s.store.envelope.id);
    channel_settle(channel, &lease, OUTCOME_DELIVERED);
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

static void test_recheck_by_address_after_a_key_was_added(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int64_t n;
    } table[] = {
        {"{'verb': 'held.recheck', 'address': 'carol@example.net'}", 0},
        {"{'verb': 'held.recheck', 'address': 'bo@example.com'}", 0},
        {"{'verb': 'held.recheck', 'address': 'Bob@EXAMPLE.com'}", 1},
        {"{'verb': 'held.recheck', 'address': 'alias@example.com'}", 1},
        {"{'verb': 'held.recheck'}", 2},
    };
    struct world w;
    struct sample s;
    struct request request;
    struct queue_release release;
    world_make(&w);
    world_start(&w);
    world_send_held(&w, &s, "bob@example.com");
    world_send_held(&w, &s, "alias+tag@example.com");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(world_count(&w, table[i].request, "recipients"), table[i].n);
        for (int64_t n = 0; n < table[i].n; n++) {
            seal_take(&w, &request, &release);
            seal_answer(&request, &release, NULL, "none found");
        }
        /* Each was postponed again before the next question. */
        while (world_state(&w, "held") != 2)
            ;
    }
    json_t *answer = world_ask(&w, "{'verb': 'held.recheck', 'address': 7}");
    assert_false(is_ok(answer));
    json_decref(answer);
    world_end(&w);
}

static void test_release_says_what_became_of_each_copy(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct request request;
    struct queue_release release;
    world_make(&w);
    world_start(&w);
    sample_held(&s, "bob@example.com");
    sample_recipient(&s, sample_copy(&s, COPY_HELD, FORMAT_CLEAR, "locked too"), "carol@example.net");
    assert_int_equal(world_send(&w, &s), SUBMIT_QUEUED);
    int fd = ask_later(&w, "held.release", s.store.envelope.id);
    for (int i = 0; i < 2; i++) {
        seal_take(&w, &request, &release);
        if (strcmp(release.envelope.recipients[0].address, "bob@example.com") == 0) {
            seal_seals(&request, &release, "bob@example.com");
        } else {
            seal_answer(&request, &release, NULL, "expired on 2026-01-01");
        }
    }
    json_t *answer = answer_of(fd);
    assert_true(is_ok(answer));
    assert_int_equal(json_integer_value(json_object_get(answer, "released")), 1);
    bool first = strcmp(word(answer, 0, "result"), "queued") == 0;
    assert_string_equal(word(answer, first ? 1 : 0, "result"), "still held");
    assert_string_equal(word(answer, first ? 1 : 0, "why"), "expired on 2026-01-01");
    json_decref(answer);
    assert_int_equal(world_state(&w, "queued"), 1);
    assert_int_equal(world_state(&w, "held"), 1);
    world_end(&w);
}

/* A33: whatever goes wrong at seal, the copy stays held. */
static void fail_silent(struct request *request, struct queue_release *release)
{
    request_free(request); /* the worker died */
    queue_release_free(release);
}
static void fail_type(struct request *request, struct queue_release *release)
{
    struct error err;
    OK(request_reply(request, 4711, span_str("x"), NULL, 0, &err));
    fail_silent(request, release);
}
static void fail_garbage(struct request *request, struct queue_release *release)
{
    struct error err;
    OK(request_reply(request, QUEUE_RELEASED, span_str("garbage"), NULL, 0, &err));
    fail_silent(request, release);
}
static void fail_without_bodies(struct request *request, struct queue_release *release)
{
    struct sample sealed;
    struct error err;
    struct buf body;
    sample_simple(&sealed, "bob@example.com");
    struct queue_released released = {.verdict = RELEASE_SEALED, .store = sealed.store};
    buf_init(&body, IPC_BODY_MAX);
    queue_released_pack(&body, &released);
    OK(request_reply(request, QUEUE_RELEASED, buf_span(&body), NULL, 0, &err));
    buf_free(&body);
    fail_silent(request, release);
}
static void fail_clear(struct request *request, struct queue_release *release)
{
    struct sample clear;
    sample_simple(&clear, "bob@example.com");
    clear.copies[0].format = FORMAT_CLEAR;
    clear.copies[0].locked = true;
    seal_answer(request, release, &clear, NULL);
}
static void fail_other_recipient(struct request *request, struct queue_release *release)
{
    seal_seals(request, release, "mallory@example.com");
}

static void test_a33_whatever_fails_at_seal_it_stays_held(void **state)
{
    (void)state;
    static void (*const failures[])(struct request *, struct queue_release *) = {
        fail_silent, fail_type, fail_garbage, fail_without_bodies, fail_clear, fail_other_recipient,
    };
    struct world w;
    struct sample s;
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    world_send_held(&w, &s, "bob@example.com");
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        struct request request;
        struct queue_release release;
        int fd = ask_later(&w, "held.release", s.store.envelope.id);
        seal_take(&w, &request, &release);
        failures[i](&request, &release);
        json_t *answer = answer_of(fd);
        assert_true(is_ok(answer));
        assert_string_equal(word(answer, 0, "result"), "still held");
        assert_int_not_equal(strlen(word(answer, 0, "why")), 0);
        json_decref(answer);
        assert_int_equal(world_state(&w, "held"), 1);
    }
    channel_is_quiet(channel);
    close(channel);
    world_end(&w);
}

/* ---- notices ---- */

/* A message that bounces, with a DSN for alice. */
static void bounce(const struct world *w, int channel, char dsn_id[ID_SIZE])
{
    struct sample s;
    struct queue_lease lease;
    world_send_simple(w, &s, "bob@example.com");
    channel_take_lease(channel, &lease, NULL);
    channel_bounce(channel, &lease, dsn_id);
    channel_take_stored(channel, lease.copy_id);
    queue_lease_free(&lease);
}

static void take_notice(const struct world *w, const char *dsn_id, struct request *request,
                        struct queue_release *release)
{
    seal_take(w, request, release);
    assert_true(release->notice);
    assert_string_equal(release->envelope.id, dsn_id);
    assert_string_equal(release->envelope.reverse_path, "");
    assert_string_equal(release->envelope.recipients[0].address, "alice@example.org");
}

static void finish_notice(int channel, const char *dsn_id, enum copy_format format)
{
    struct queue_lease lease;
    channel_take_lease(channel, &lease, NULL);
    assert_string_equal(lease.message_id, dsn_id);
    assert_string_equal(lease.reverse_path, "");
    assert_int_equal(lease.state, COPY_QUEUED);
    assert_int_equal(lease.format, format);
    assert_int_equal(lease.locked, format == FORMAT_CLEAR);
    channel_settle(channel, &lease, OUTCOME_DELIVERED);
    queue_lease_free(&lease);
}

/* At once, not at the next recheck; and whatever dies meanwhile, exactly one goes. */
static void test_a_notice_is_offered_to_seal_first(void **state)
{
    (void)state;
    struct world w;
    struct request request;
    struct queue_release release;
    char id[ID_SIZE];
    world_make(&w);
    w.d.settings.seal_notices = true;
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    bounce(&w, channel, id);
    take_notice(&w, id, &request, &release);
    channel_is_quiet(channel);
    seal_seals(&request, &release, "alice@example.org");
    finish_notice(channel, id, FORMAT_OPENPGP);
    /* Queue dies while seal works: it asks again, and the first answer finds nobody. */
    bounce(&w, channel, id);
    take_notice(&w, id, &request, &release);
    world_stop(&w, SIGKILL);
    close(channel);
    world_start(&w);
    channel = world_attach(&w, DELIVERY_1, 10);
    request_free(&request);
    queue_release_free(&release);
    take_notice(&w, id, &request, &release);
    seal_lets_go(&request, &release, "none found");
    finish_notice(channel, id, FORMAT_CLEAR);
    channel_is_quiet(channel);
    assert_int_equal(world_state(&w, "held"), 0);
    close(channel);
    world_end(&w);
}

static void test_a33_whatever_fails_at_seal_a_notice_waits(void **state)
{
    (void)state;
    static void (*const failures[])(struct request *, struct queue_release *) = {
        fail_silent, fail_type, fail_garbage, fail_without_bodies, fail_clear, fail_other_recipient,
    };
    struct world w;
    struct request request;
    struct queue_release release;
    char id[ID_SIZE];
    world_make(&w);
    w.d.settings.seal_notices = true;
    w.d.settings.recheck_ms = 100;
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    bounce(&w, channel, id);
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        take_notice(&w, id, &request, &release);
        failures[i](&request, &release);
    }
    take_notice(&w, id, &request, &release);
    channel_is_quiet(channel);
    seal_answer(&request, &release, NULL, "lookup failed");
    /* Why it waits can be seen. */
    take_notice(&w, id, &request, &release);
    json_t *answer = world_ask(&w, "{'verb': 'held.list'}");
    json_t *message = json_array_get(json_object_get(answer, "messages"), 0);
    json_t *recipient = json_array_get(json_object_get(message, "recipients"), 0);
    assert_string_equal(str(recipient, "hold"), "notice");
    assert_string_equal(str(recipient, "reason"), "lookup failed");
    json_decref(answer);
    seal_lets_go(&request, &release, "none found");
    finish_notice(channel, id, FORMAT_CLEAR);
    close(channel);
    world_end(&w);
}

/* What is no notice never goes as it is. */
static void test_a33_a_held_message_is_not_let_go(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct request request;
    struct queue_release release;
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    int fd = release_one(&w, &s, &request, &release);
    assert_false(release.notice);
    seal_lets_go(&request, &release, "none found");
    assert_still_held(answer_of(fd));
    channel_is_quiet(channel);
    assert_int_equal(world_state(&w, "held"), 1);
    close(channel);
    world_end(&w);
}

static void test_it_is_removed_or_returned_while_seal_works(void **state)
{
    (void)state;
    static const char *const verbs[] = {"queue.remove", "held.return"};
    for (int i = 0; i < 2; i++) {
        struct world w;
        struct sample s;
        struct request request;
        struct queue_release release;
        world_make(&w);
        world_start(&w);
        int fd = release_one(&w, &s, &request, &release);
        json_t *answer = world_ask_id(&w, verbs[i], s.store.envelope.id);
        assert_true(is_ok(answer));
        json_decref(answer);
        seal_seals(&request, &release, "bob@example.com");
        answer = answer_of(fd);
        assert_string_equal(word(answer, 0, "result"), "still held");
        assert_string_equal(word(answer, 0, "why"), "it was removed or returned while seal worked");
        json_decref(answer);
        assert_int_equal(world_state(&w, "queued"), 0);
        assert_int_equal(world_state(&w, "returning"), i == 1);
        world_end(&w);
    }
}

/* More than seal is asked about at a time: the rest follows. */
static void test_a_message_of_many_held_copies_is_released(void **state)
{
    (void)state;
    enum { N = 40 };
    struct world w;
    struct sample s;
    struct request request;
    struct queue_release release;
    world_make(&w);
    world_start(&w);
    world_send_held(&w, &s, "bob@example.com");
    world_stop(&w, SIGTERM);
    database_open(&w.d);
    for (int i = 1; i < N; i++) {
        database_run(&w.d, "INSERT INTO copy (message_id, format, locked, body_len, body_hash, recheck_ms, "
                           "hold_until_ms) SELECT message_id, format, locked, body_len, body_hash, "
                           "recheck_ms, hold_until_ms FROM copy WHERE id = 1");
        database_run(&w.d, "INSERT INTO body SELECT (SELECT MAX(id) FROM copy), part, bytes FROM body WHERE "
                           "copy_id = 1");
        database_run(&w.d, "INSERT INTO recipient (copy_id, address, state, hold) SELECT MAX(id), "
                           "'bob@example.com', 'held', 'key' FROM copy");
    }
    sql_close(w.d.sql);
    world_start(&w);
    int fd = ask_later(&w, "held.release", s.store.envelope.id);
    for (int i = 0; i < N; i++) {
        seal_take(&w, &request, &release);
        seal_seals(&request, &release, "bob@example.com");
    }
    json_t *answer = answer_of(fd);
    assert_int_equal(json_integer_value(json_object_get(answer, "released")), N);
    assert_int_equal(json_array_size(json_object_get(answer, "copies")), N);
    json_decref(answer);
    world_end(&w);
}

static void test_asked_twice_at_once(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct request request;
    struct queue_release release;
    world_make(&w);
    world_start(&w);
    int fd = release_one(&w, &s, &request, &release);
    assert_still_held(world_ask_id(&w, "held.release", s.store.envelope.id));
    seal_answer(&request, &release, NULL, "none found");
    json_decref(answer_of(fd));
    world_end(&w);
}

static void test_a_hold_that_is_over_is_returned(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    struct span body;
    struct error err;
    int fd;
    world_make(&w);
    w.d.settings.hold_ms = 300;
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    world_send_held(&w, &s, "bob@example.com");
    channel_take_lease(channel, &lease, &fd);
    assert_int_equal(lease.state, COPY_RETURN);
    assert_true(span_is(buf_span(&lease.dsn_header), "Subject: [...]\r\n"));
    OK(memfile_map(fd, SIZE_MAX, &body, &err));
    assert_int_equal(body.len, 0);
    close(fd);
    channel_settle(channel, &lease, OUTCOME_BOUNCED);
    queue_lease_free(&lease);
    json_t *answer = world_ask_id(&w, "audit.list", s.store.envelope.id);
    json_t *lines = json_object_get(answer, "lines");
    json_t *last = json_array_get(lines, json_array_size(lines) - 1);
    assert_string_equal(str(last, "event"), "returned");
    json_decref(answer);
    close(channel);
    world_end(&w);
}

static void test_r7_a_damaged_held_body_is_quarantined(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    world_make(&w);
    world_start(&w);
    world_send_held(&w, &s, "bob@example.com");
    world_change(&w, "UPDATE body SET bytes = 'x'");
    world_start(&w);
    json_t *answer = world_ask_id(&w, "held.release", s.store.envelope.id);
    assert_string_equal(word(answer, 0, "result"), "still held");
    assert_non_null(strstr(word(answer, 0, "why"), "damaged"));
    json_decref(answer);
    assert_int_equal(world_count(&w, "{'verb': 'queue.status'}", "damaged"), 1);
    world_end(&w);
}

static void test_a_crash_while_seal_works_leaves_it_held(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct request request;
    struct queue_release release;
    world_make(&w);
    world_start(&w);
    int fd = release_one(&w, &s, &request, &release);
    world_stop(&w, SIGKILL);
    close(fd);
    seal_seals(&request, &release, "bob@example.com");
    world_start(&w);
    assert_int_equal(world_state(&w, "held"), 1);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_recheck_that_finds_the_key_sends_it),
        cmocka_unit_test(test_recheck_by_address_after_a_key_was_added),
        cmocka_unit_test(test_release_says_what_became_of_each_copy),
        cmocka_unit_test(test_a33_whatever_fails_at_seal_it_stays_held),
        cmocka_unit_test(test_a_notice_is_offered_to_seal_first),
        cmocka_unit_test(test_a33_whatever_fails_at_seal_a_notice_waits),
        cmocka_unit_test(test_a33_a_held_message_is_not_let_go),
        cmocka_unit_test(test_it_is_removed_or_returned_while_seal_works),
        cmocka_unit_test(test_a_message_of_many_held_copies_is_released),
        cmocka_unit_test(test_asked_twice_at_once),
        cmocka_unit_test(test_a_hold_that_is_over_is_returned),
        cmocka_unit_test(test_r7_a_damaged_held_body_is_quarantined),
        cmocka_unit_test(test_a_crash_while_seal_works_leaves_it_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
