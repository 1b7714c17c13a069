/* The role as its neighbours see it: store, lease, outcome, attach, group commit, damage, memory. */
#include "tests/unit/queue/world.h"

#include <sys/resource.h>

static void test_a_message_goes_through(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    struct span body;
    struct error err;
    int fd;
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    world_send_simple(&w, &s, "bob@example.com");
    channel_take_lease(channel, &lease, &fd);
    assert_string_equal(lease.message_id, s.store.envelope.id);
    OK(memfile_map(fd, SIZE_MAX, &body, &err));
    assert_true(span_is(body, "sealed body"));
    memfile_unmap(body);
    close(fd);
    channel_settle(channel, &lease, OUTCOME_DELIVERED);
    assert_int_equal(world_count(&w, "{'verb': 'queue.status'}", "messages"), 0);
    /* Said again. */
    channel_settle(channel, &lease, OUTCOME_DELIVERED);
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

static void test_without_delivery_it_waits(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    world_make(&w);
    world_start(&w);
    world_send_simple(&w, &s, "bob@example.com");
    assert_int_equal(world_state(&w, "queued"), 1);
    int channel = world_attach(&w, DELIVERY_1, 10);
    channel_take_lease(channel, &lease, NULL);
    assert_int_equal(world_state(&w, "leased"), 1);
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

static void test_what_is_wrong_is_answered_later_and_alone(void **state)
{
    (void)state;
    struct world w;
    struct sample good;
    struct sample bad;
    struct error err;
    world_make(&w);
    sample_simple(&good, "bob@example.com");
    sample_simple(&bad, "bob@example.com");
    bad.copies[0].body_len += 100;
    /* All of one group: they wait in the socket before the role starts. */
    int first = world_submit(&w, &bad);
    int second = world_submit(&w, &good);
    int third = world_submit(&w, &good);                        /* the same id again */
    int fourth = world_submit_fd(&w, &bad.store, STDIN_FILENO); /* no memory file */
    int pair[2];
    OK(ipc_pair(pair, &err));
    OK(ipc_send(w.services[STORE][0], QUEUE_STORE, span_str("garbage"), &pair[1], 1, &err));
    close(pair[1]);
    world_start(&w);
    assert_int_equal(world_reply(first), SUBMIT_LATER);
    assert_int_equal(world_reply(second), SUBMIT_QUEUED);
    assert_int_not_equal(world_reply(third), SUBMIT_QUEUED);
    assert_int_equal(world_reply(fourth), SUBMIT_LATER);
    assert_int_equal(world_reply(pair[0]), SUBMIT_LATER);
    assert_int_equal(world_count(&w, "{'verb': 'queue.status'}", "messages"), 1);
    world_end(&w);
}

static void test_who_gave_up_is_not_queued(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    world_make(&w);
    sample_simple(&s, "bob@example.com");
    close(world_submit(&w, &s));
    sample_simple(&s, "carol@example.net");
    int fd = world_submit(&w, &s);
    world_start(&w);
    assert_int_equal(world_reply(fd), SUBMIT_QUEUED);
    assert_int_equal(world_count(&w, "{'verb': 'queue.status'}", "messages"), 1);
    assert_int_equal(world_state(&w, "queued"), 1);
    world_end(&w);
}

static void test_concurrent_messages_share_commits(void **state)
{
    (void)state;
    enum { N = 64 };
    struct world w;
    int replies[N];
    world_make(&w);
    for (int i = 0; i < N; i++) {
        struct sample s;
        sample_simple(&s, "bob@example.com");
        replies[i] = world_submit(&w, &s);
    }
    world_start(&w);
    for (int i = 0; i < N; i++)
        assert_int_equal(world_reply(replies[i]), SUBMIT_QUEUED);
    int64_t commits = world_count(&w, "{'verb': 'queue.status'}", "commits");
    assert_in_range(commits, 1, N / 8);
    assert_int_equal(world_state(&w, "queued"), N);
    world_end(&w);
}

/* Submission tells what it refused to a relay client, whoever its mail says it is from. */
static void tell_refused(const struct world *w, struct queue_refused *refused)
{
    struct sample s;
    struct error err;
    struct buf body;
    struct ipc_msg reply;
    sample_simple(&s, "bob@example.com");
    refused->envelope = s.store.envelope;
    refused->envelope.user = text("");
    refused->envelope.client = text("scanner");
    refused->envelope.n_recipients = 0;
    refused->envelope.recipients = NULL;
    buf_init(&body, 10000);
    queue_refused_pack(&body, refused);
    OK(call_wait(w->services[REFUSED][0], QUEUE_REFUSED, buf_span(&body), NULL, 0,
                 (struct call_limits){PATIENCE_MS, PATIENCE_MS}, &reply, &err));
    assert_int_equal(reply.type, QUEUE_DONE);
    ipc_msg_free(&reply);
    buf_free(&body);
}

static void test_a_refused_recipient_is_in_the_audit_trail(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    world_start(&w);
    tell_refused(&w, &(struct queue_refused){.recipient = text("mallory@example.com"),
                                             .rule = text("confidential"),
                                             .reply = text("550 5.7.1 no certificate")});
    json_t *answer = world_ask(&w, "{'verb': 'audit.list'}");
    json_t *line = json_array_get(json_object_get(answer, "lines"), 0);
    assert_string_equal(str(line, "event"), "refused");
    assert_string_equal(str(line, "recipient"), "mallory@example.com");
    assert_string_equal(str(line, "reply"), "550 5.7.1 no certificate");
    assert_string_equal(str(line, "user"), "client:scanner");
    json_decref(answer);
    world_end(&w);
}

static void test_a_refused_message_of_a_relay_client_is_audited(void **state)
{
    (void)state;
    struct world w;
    world_make(&w);
    world_start(&w);
    tell_refused(&w, &(struct queue_refused){.recipient = text(""), .reply = text("550 5.7.1 not yours")});
    json_t *answer = world_ask(&w, "{'verb': 'audit.list'}");
    json_t *line = json_array_get(json_object_get(answer, "lines"), 0);
    assert_string_equal(str(line, "user"), "client:scanner");
    assert_null(json_object_get(line, "recipient"));
    assert_null(json_object_get(line, "rule"));
    json_decref(answer);
    world_end(&w);
}

static void test_leases_of_a_dead_delivery_are_due_at_once(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    world_send_simple(&w, &s, "bob@example.com");
    channel_take_lease(channel, &lease, NULL);
    queue_lease_free(&lease);
    close(channel);
    while (world_state(&w, "queued") == 0)
        ; /* the close is seen soon */
    channel = world_attach(&w, DELIVERY_2, 10);
    channel_take_lease(channel, &lease, NULL);
    assert_int_equal(lease.recipients[0].attempts, 0);
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

static void test_another_delivery_takes_over_while_the_first_is_there(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    struct ipc_msg msg;
    world_make(&w);
    world_start(&w);
    int first = world_attach(&w, DELIVERY_1, 10);
    world_send_simple(&w, &s, "bob@example.com");
    channel_take_lease(first, &lease, NULL);
    queue_lease_free(&lease);
    int second = world_attach(&w, DELIVERY_2, 10);
    channel_take_lease(second, &lease, NULL);
    assert_false(channel_next(first, PATIENCE_MS, &msg)); /* closed */
    channel_settle(second, &lease, OUTCOME_DELIVERED);
    queue_lease_free(&lease);
    close(first);
    close(second);
    world_end(&w);
}

/* What the second is leased is its own: its deferral counts, and the recipient comes back. */
static void test_the_one_that_takes_over_may_defer(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease, again;
    world_make(&w);
    w.d.settings.retry.first_retry_ms = w.d.settings.retry.last_retry_ms = 200;
    world_start(&w);
    int first = world_attach(&w, DELIVERY_1, 10);
    world_send_simple(&w, &s, "bob@example.com");
    channel_take_lease(first, &lease, NULL);
    queue_lease_free(&lease);
    int second = world_attach(&w, DELIVERY_2, 10);
    channel_take_lease(second, &lease, NULL);
    channel_settle(second, &lease, OUTCOME_DEFERRED);
    channel_take_lease(second, &again, NULL);
    assert_int_equal(again.copy_id, lease.copy_id);
    queue_lease_free(&lease);
    queue_lease_free(&again);
    close(first);
    close(second);
    world_end(&w);
}

static void test_a_restarted_queue_keeps_the_leases_of_the_same_delivery(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    struct queue_lease again;
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    world_send_simple(&w, &s, "bob@example.com");
    channel_take_lease(channel, &lease, NULL);
    world_stop(&w, SIGKILL);
    close(channel);
    world_start(&w);
    /* Nobody is leased anything before a delivery process is there. */
    assert_int_equal(world_state(&w, "leased"), 1);
    channel = world_attach(&w, DELIVERY_1, 10);
    channel_take_lease(channel, &again, NULL); /* sent again: it might not have arrived */
    assert_int_equal(again.copy_id, lease.copy_id);
    channel_settle(channel, &lease, OUTCOME_DELIVERED);
    channel_is_quiet(channel);
    assert_int_equal(world_count(&w, "{'verb': 'queue.status'}", "messages"), 0);
    queue_lease_free(&lease);
    queue_lease_free(&again);
    close(channel);
    world_end(&w);
}

static void test_a_restarted_queue_frees_the_leases_of_another_delivery(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    world_send_simple(&w, &s, "bob@example.com");
    channel_take_lease(channel, &lease, NULL);
    queue_lease_free(&lease);
    world_stop(&w, SIGKILL);
    close(channel);
    world_start(&w);
    channel = world_attach(&w, DELIVERY_2, 10);
    channel_take_lease(channel, &lease, NULL);
    channel_settle(channel, &lease, OUTCOME_DELIVERED);
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

static void test_a_deferred_one_comes_back_by_itself(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    world_make(&w);
    w.d.settings.retry.first_retry_ms = w.d.settings.retry.last_retry_ms = 50;
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    world_send_simple(&w, &s, "bob@example.com");
    for (uint32_t i = 0; i < 5; i++) {
        channel_take_lease(channel, &lease, NULL);
        assert_int_equal(lease.recipients[0].attempts, i);
        channel_settle(channel, &lease, OUTCOME_DEFERRED);
        queue_lease_free(&lease);
    }
    close(channel);
    world_end(&w);
}

static void test_the_window_is_kept(void **state)
{
    (void)state;
    struct world w;
    struct queue_lease leases[3];
    world_make(&w);
    world_start(&w);
    for (int i = 0; i < 5; i++) {
        struct sample s;
        world_send_simple(&w, &s, "bob@example.com");
    }
    int channel = world_attach(&w, DELIVERY_1, 2);
    channel_take_lease(channel, &leases[0], NULL);
    channel_take_lease(channel, &leases[1], NULL);
    assert_int_equal(world_state(&w, "leased"), 2);
    channel_is_quiet(channel);
    channel_settle(channel, &leases[0], OUTCOME_DELIVERED);
    channel_take_lease(channel, &leases[2], NULL);
    for (int i = 0; i < 3; i++)
        queue_lease_free(&leases[i]);
    close(channel);
    world_end(&w);
}

static void test_a_bounce_brings_its_dsn(void **state)
{
    (void)state;
    struct world w;
    struct sample s;
    struct queue_lease lease;
    struct error err;
    struct span body;
    char dsn_id[ID_SIZE];
    int fd;
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    world_send_simple(&w, &s, "bob@example.com");
    channel_take_lease(channel, &lease, NULL);
    channel_bounce(channel, &lease, dsn_id);
    channel_take_stored(channel, lease.copy_id);
    queue_lease_free(&lease);
    channel_take_lease(channel, &lease, &fd);
    assert_string_equal(lease.message_id, dsn_id);
    assert_string_equal(lease.reverse_path, "");
    assert_true(lease.locked);
    assert_string_equal(lease.recipients[0].address, "alice@example.org");
    OK(memfile_map(fd, SIZE_MAX, &body, &err));
    assert_true(span_is(body, "locked dsn"));
    memfile_unmap(body);
    close(fd);
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

static void test_r7_a_damaged_body_is_quarantined_and_the_rest_goes_on(void **state)
{
    (void)state;
    struct world w;
    struct sample bad;
    struct sample good;
    struct queue_lease lease;
    world_make(&w);
    world_start(&w);
    sample_simple(&bad, "bob@example.com");
    sample_simple(&good, "carol@example.net");
    assert_int_equal(world_send(&w, &bad), SUBMIT_QUEUED);
    assert_int_equal(world_send(&w, &good), SUBMIT_QUEUED);
    world_change(&w, "UPDATE body SET bytes = 'sealed bodY' WHERE copy_id = 1");
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    channel_take_lease(channel, &lease, NULL);
    assert_string_equal(lease.recipients[0].address, "carol@example.net");
    queue_lease_free(&lease);
    while (world_count(&w, "{'verb': 'queue.status'}", "damaged") == 0)
        ;
    /* It can be neither released nor delivered, but returned. */
    json_t *answer = world_ask_id(&w, "queue.release", bad.store.envelope.id);
    assert_false(is_ok(answer));
    json_decref(answer);
    answer = world_ask_id(&w, "held.release", bad.store.envelope.id);
    assert_false(is_ok(answer));
    json_decref(answer);
    answer = world_ask_id(&w, "held.return", bad.store.envelope.id);
    assert_true(is_ok(answer));
    json_decref(answer);
    channel_take_lease(channel, &lease, NULL);
    assert_int_equal(lease.state, COPY_RETURN);
    channel_settle(channel, &lease, OUTCOME_BOUNCED);
    queue_lease_free(&lease);
    close(channel);
    world_end(&w);
}

static void test_nonsense_on_the_channel_closes_it(void **state)
{
    (void)state;
    struct world w;
    struct error err;
    struct ipc_msg msg;
    world_make(&w);
    world_start(&w);
    int channel = world_attach(&w, DELIVERY_1, 10);
    OK(ipc_send(channel, QUEUE_OUTCOME, span_str("garbage"), NULL, 0, &err));
    assert_false(channel_next(channel, PATIENCE_MS, &msg));
    close(channel);
    channel = world_attach(&w, "not an instance", 10);
    assert_false(channel_next(channel, PATIENCE_MS, &msg));
    close(channel);
    channel = world_attach(&w, DELIVERY_1, 10);
    OK(ipc_send(channel, 4711, span_str(""), NULL, 0, &err));
    assert_false(channel_next(channel, PATIENCE_MS, &msg));
    close(channel);
    world_end(&w);
}

/* ---- memory ---- */

void __asan_init(void) __attribute__((weak));

static int64_t anonymous_kb(pid_t pid)
{
    char name[64];
    char line[200];
    int64_t kb = 0;
    snprintf(name, sizeof name, "/proc/%d/status", (int)pid);
    FILE *f = fopen(name, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "RssAnon: %ld kB", &kb) == 1)
            break;
    fclose(f);
    return kb;
}

static int big_file(size_t size)
{
    struct error err;
    int fd;
    char block[65536];
    memset(block, 'x', sizeof block);
    OK(memfile_create("big", &fd, &err));
    for (size_t done = 0; done < size; done += sizeof block)
        OK(memfile_write(fd, span_of(block, sizeof block), &err));
    OK(memfile_seal(fd, &err));
    return fd;
}

static void test_memory_is_flat_with_large_bodies(void **state)
{
    (void)state;
    enum { SIZE = 50 << 20, N = 4 };
    struct world w;
    struct queue_lease lease;
    int replies[N];
    int bodies = big_file(SIZE);
    world_make(&w);
    world_start(&w);
    world_state(&w, "queued");
    int64_t before = anonymous_kb(w.pid);
    for (int i = 0; i < N; i++) {
        struct sample s;
        sample_simple(&s, "bob@example.com");
        s.copies[0].body_at = 0;
        s.copies[0].body_len = SIZE;
        replies[i] = world_submit_fd(&w, &s.store, bodies);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(world_reply(replies[i]), SUBMIT_QUEUED);
    int channel = world_attach(&w, DELIVERY_1, 1);
    for (int i = 0; i < N; i++) {
        int fd;
        struct error err;
        struct span body;
        channel_take_lease(channel, &lease, &fd);
        OK(memfile_map(fd, SIZE_MAX, &body, &err));
        assert_int_equal(body.len, SIZE);
        memfile_unmap(body);
        close(fd);
        channel_settle(channel, &lease, OUTCOME_DELIVERED);
        queue_lease_free(&lease);
    }
    int64_t after = anonymous_kb(w.pid);
    print_message("anonymous memory: %lld kB before, %lld kB after %d bodies of %d MB\n", (long long)before,
                  (long long)after, N, SIZE >> 20);
    /* AddressSanitizer keeps what is freed. */
    if (!__asan_init)
        assert_true(after - before < 16000);
    close(channel);
    close(bodies);
    world_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_goes_through),
        cmocka_unit_test(test_without_delivery_it_waits),
        cmocka_unit_test(test_what_is_wrong_is_answered_later_and_alone),
        cmocka_unit_test(test_who_gave_up_is_not_queued),
        cmocka_unit_test(test_concurrent_messages_share_commits),
        cmocka_unit_test(test_a_refused_recipient_is_in_the_audit_trail),
        cmocka_unit_test(test_a_refused_message_of_a_relay_client_is_audited),
        cmocka_unit_test(test_leases_of_a_dead_delivery_are_due_at_once),
        cmocka_unit_test(test_another_delivery_takes_over_while_the_first_is_there),
        cmocka_unit_test(test_the_one_that_takes_over_may_defer),
        cmocka_unit_test(test_a_restarted_queue_keeps_the_leases_of_the_same_delivery),
        cmocka_unit_test(test_a_restarted_queue_frees_the_leases_of_another_delivery),
        cmocka_unit_test(test_a_deferred_one_comes_back_by_itself),
        cmocka_unit_test(test_the_window_is_kept),
        cmocka_unit_test(test_a_bounce_brings_its_dsn),
        cmocka_unit_test(test_r7_a_damaged_body_is_quarantined_and_the_rest_goes_on),
        cmocka_unit_test(test_nonsense_on_the_channel_closes_it),
        cmocka_unit_test(test_memory_is_flat_with_large_bodies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
