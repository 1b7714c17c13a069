/* What queue tells keys of certificates that worked; this test is keys, too. */
#include "tests/unit/queue/world.h"

#include "gateway/queue/worked.h"

#define SAMPLE_FINGERPRINT "0123456789ABCDEF" /* of database.h */

/* The next request on keys' service; answered, so that the other side goes on. */
static void take(int fd, struct keys_worked *worked_out)
{
    struct ipc_msg msg;
    struct request request;
    struct error err;

    if (!wait_for(fd, PATIENCE_MS))
        fail_msg("keys was told nothing in time");
    OK(ipc_recv(fd, &msg, &err));
    OK(request_take(&msg, &request, &err));
    assert_int_equal(request.msg.type, KEYS_WORKED);
    OK(keys_worked_unpack(buf_span(&request.msg.body), worked_out, &err));
    OK(request_reply(&request, KEYS_DONE, span_of(NULL, 0), NULL, 0, &err));
    request_free(&request);
}

static void expect(int fd, const char *const *fingerprints, size_t n)
{
    struct keys_worked worked;

    take(fd, &worked);
    assert_int_equal(worked.n, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(worked.fingerprints[i], fingerprints[i]);
    keys_worked_free(&worked);
}

/* ---- the role ---- */

/* Submits S and reports WHAT for its first lease. */
static void deliver(struct world *w, int channel, const struct sample *s, enum delivery_outcome what)
{
    struct queue_lease lease;

    assert_int_equal(world_send(w, s), SUBMIT_QUEUED);
    channel_take_lease(channel, &lease, NULL);
    channel_settle(channel, &lease, what);
    queue_lease_free(&lease);
}

/* Two recipients of one certificate, one of another; then one clear. */
static void make_sealed(struct sample *s)
{
    sample_start(s);
    struct store_copy *copy = sample_copy(s, COPY_QUEUED, FORMAT_SMIME, "sealed");
    sample_recipient(s, copy, "bob@example.com");
    sample_recipient(s, copy, "bob+tag@example.com");
    sample_recipient(s, copy, "carol@example.com");
    copy->recipients[2].fingerprint = text("CAROL");
}

static const char *const both[] = {SAMPLE_FINGERPRINT, "CAROL"};

static void test_what_was_delivered_is_told_after_the_interval(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    world_make(&w);
    w.d.settings.worked_ms = 100;
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    make_sealed(&s);
    deliver(&w, channel, &s, OUTCOME_DELIVERED);
    expect(w.services[KEYS][1], both, 2);
    /* and again: what was told is forgotten here */
    make_sealed(&s);
    deliver(&w, channel, &s, OUTCOME_DELIVERED);
    expect(w.services[KEYS][1], both, 2);
    close(channel);
    assert_int_equal(world_stop(&w, SIGTERM), 0);
    assert_false(wait_for(w.services[KEYS][1], 0));
    world_end(&w);
}

static void test_what_is_left_is_told_at_the_end(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    int status;
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    make_sealed(&s);
    deliver(&w, channel, &s, OUTCOME_DELIVERED);
    sample_simple(&s, "bob@example.com");
    deliver(&w, channel, &s, OUTCOME_DELIVERED);
    assert_false(wait_for(w.services[KEYS][1], 0));
    assert_int_equal(kill(w.pid, SIGTERM), 0);
    expect(w.services[KEYS][1], both, 2);
    assert_int_equal(waitpid(w.pid, &status, 0), w.pid);
    assert_int_equal(status, 0);
    w.pid = 0;
    close(channel);
    world_end(&w);
}

/* What did not arrive, or went clear, shows nothing of a certificate. */
static void test_only_sealed_and_delivered_counts(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    sample_start(&s);
    struct store_copy *copy = sample_copy(&s, COPY_QUEUED, FORMAT_CLEAR, "locked clear");
    sample_recipient(&s, copy, "bob@example.com");
    copy->recipients[0].fingerprint = text("NOT USED");
    deliver(&w, channel, &s, OUTCOME_DELIVERED);
    make_sealed(&s);
    deliver(&w, channel, &s, OUTCOME_DEFERRED);
    close(channel);
    assert_int_equal(world_stop(&w, SIGTERM), 0);
    assert_false(wait_for(w.services[KEYS][1], 0));
    world_end(&w);
}

/* Nobody takes it: outcomes are stored as always, and the end is no later than in a moment. */
static void test_keys_away_is_no_harm(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    world_make(&w);
    w.d.settings.worked_ms = 1;
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    for (int i = 0; i < 5; i++) {
        make_sealed(&s);
        deliver(&w, channel, &s, OUTCOME_DELIVERED);
    }
    assert_int_equal(world_count(&w, "{'verb': 'queue.status'}", "messages"), 0);
    close(channel);
    assert_int_equal(world_stop(&w, SIGTERM), 0);
    world_end(&w);
}

/* ---- gathering ---- */

static void gather(struct worked *worked, int from, int to)
{
    for (int i = from; i < to; i++) {
        char name[CERTIFICATE_FINGERPRINT_SIZE + 10];
        char *one = name;
        snprintf(name, sizeof name, "%064d", i);
        worked_add(worked, &(struct keys_worked){.fingerprints = &one, .n = 1});
    }
}

static void test_many_are_told_at_once_and_no_more_than_there_is_room_for(void **state)
{
    (void)state;
    struct queue_settings settings = {.worked_ms = DAY};
    struct queue queue = {.settings = &settings, .base = event_base_new()};
    struct keys_worked told;
    struct error err;
    int pair[2];
    char much_too_long[200];
    char *bad = much_too_long;
    OK(ipc_pair(pair, &err));
    settings.keys_service = pair[0];
    struct worked *worked = worked_new(&queue, &err);
    assert_non_null(worked);

    memset(much_too_long, 'A', sizeof much_too_long - 1);
    much_too_long[sizeof much_too_long - 1] = '\0';
    worked_add(worked, &(struct keys_worked){.fingerprints = &bad, .n = 1});
    gather(worked, 0, 499);
    gather(worked, 0, 499); /* known */
    event_base_loop(queue.base, EVLOOP_NONBLOCK);
    assert_false(wait_for(pair[1], 0));
    gather(worked, 499, 500);
    event_base_loop(queue.base, EVLOOP_NONBLOCK);
    take(pair[1], &told);
    assert_int_equal(told.n, 500);
    keys_worked_free(&told);

    /* the first call is not over yet, as far as this side has seen */
    gather(worked, 0, KEYS_WORKED_MAX + 100);
    while (!wait_for(pair[1], 0)) {
        event_base_loop(queue.base, EVLOOP_ONCE);
        gather(worked, 0, 1);
    }
    take(pair[1], &told);
    assert_int_equal(told.n, KEYS_WORKED_MAX);
    keys_worked_free(&told);
    worked_free(worked);
    event_base_free(queue.base);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_delivered_is_told_after_the_interval),
        cmocka_unit_test(test_what_is_left_is_told_at_the_end),
        cmocka_unit_test(test_only_sealed_and_delivered_counts),
        cmocka_unit_test(test_keys_away_is_no_harm),
        cmocka_unit_test(test_many_are_told_at_once_and_no_more_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
