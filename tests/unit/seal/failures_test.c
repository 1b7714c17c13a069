/* Whatever breaks: nothing is passed on to queue, and the client is told or sees the worker gone. */
#include "tests/unit/seal/talk.h"

#include <sysexits.h>

static const char message[] = "From: alice@example.org\r\n"
                              "To: bob@example.com\r\n"
                              "Subject: quarterly figures\r\n"
                              "\r\n"
                              "CANARY\r\n";

static void see_later(const struct result *r, enum submit_outcome outcome)
{
    assert_false(r->passed_on);
    assert_int_equal(r->reply.outcome, outcome);
    assert_null(strstr(r->reply.text, "gpg"));
    assert_true(r->reply.text[0] != '\0');
}

/* A message of LEN bytes, so that it does not fit into a pipe. */
static void submit_large(const struct world *w, const char *const *to, size_t len, struct result *r)
{
    struct buf large;
    buf_init(&large, len + 100);
    buf_append_str(&large, "Subject: large\r\n\r\n");
    while (large.len < len)
        buf_append_str(&large, "a line of a large message\r\n");
    talk_submit(w, to, buf_span(&large), r);
    buf_free(&large);
}

static const char *const to_bob[] = {"bob@example.com", NULL};
static const char *const to_both[] = {"dave@example.com", "bob@example.com", NULL};

/* ---- R5: gpg does what it should not ---- */

static void r5_a_gpg_that_lies_or_fails_seals_nothing(void **state)
{
    static const char *const does[] = {"nothing", "nothing-unread", "fail",  "cut",
                                       "die",     "clear",          "other", "more"};
    struct world *w = *state;
    struct result r;
    world_start(w);
    for (size_t i = 0; i < sizeof does / sizeof *does; i++) {
        talk_submit(w, to_bob, span_str(message), &r);
        assert_true(r.passed_on);
        result_free(&r);
        world_gpg_does(w, does[i]);
        /* The S/MIME copy of the same message is made, and must not go on alone. */
        talk_submit(w, to_both, span_str(message), &r);
        if (r.passed_on || r.closed)
            fail_msg("gpg does \"%s\": passed on, or the worker died", does[i]);
        see_later(&r, SUBMIT_LATER);
        world_gpg_does(w, "");
    }
    assert_int_equal(world_end(w), 0);
}

/* Ends by the worker's own limits, on time, with nothing passed on. */
static void see_ended(struct world *w, struct result *r)
{
    int status = world_wait(w);
    assert_false(r->passed_on);
    assert_true(r->closed);
    assert_true(WIFSIGNALED(status));
    assert_true(WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGXCPU);
}

static void r5_a_stopped_gpg_ends_the_worker_on_time(void **state)
{
    struct world *w = *state;
    struct result r;
    w->settings.worker.deadline_ms = 5000; /* also for the probe and a good message */
    world_start(w);
    talk_submit(w, to_bob, span_str(message), &r);
    assert_true(r.passed_on);
    result_free(&r);
    world_gpg_does(w, "stop");
    talk_submit(w, to_bob, span_str(message), &r);
    see_ended(w, &r);
}

/* GPGME spins for ever when gpg dies with plaintext unsent: told as later, or ended by the limits. */
static void r5_a_gpg_that_dies_under_a_large_message(void **state)
{
    static const char *const does[] = {"die", "nothing-unread"};
    struct world *w = *state;
    struct result r;
    w->settings.worker.deadline_ms = 5000;
    for (size_t i = 0; i < sizeof does / sizeof *does; i++) {
        world_gpg_does(w, "");
        world_start(w);
        talk_submit(w, to_bob, span_str(message), &r);
        assert_true(r.passed_on);
        result_free(&r);
        world_gpg_does(w, does[i]);
        submit_large(w, to_bob, 8u << 20, &r);
        assert_false(r.passed_on);
        if (r.closed) {
            see_ended(w, &r);
        } else {
            see_later(&r, SUBMIT_LATER);
            world_end(w);
        }
    }
}

static void a_worker_that_cannot_seal_takes_no_job(void **state)
{
    static const char *const does[] = {"nothing", "fail", "cut", "clear", "other"};
    struct world *w = *state;
    struct result r = {0};
    struct envelope e;
    struct error err;
    int fd;
    talk_envelope(&e, to_bob);
    assert_int_equal(memfile_from("message", span_str(message), &fd, &err), STATUS_OK);
    int reply_fd = talk_send(w, &e, &fd, 1);
    for (size_t i = 0; i < sizeof does / sizeof *does; i++) {
        world_gpg_does(w, does[i]);
        world_start(w);
        int status = world_wait(w);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_SOFTWARE)
            fail_msg("gpg does \"%s\": ended with status %d", does[i], status);
    }
    /* The job waited for a worker that can. */
    world_gpg_does(w, "");
    world_start(w);
    talk_wait(w, reply_fd, &r);
    assert_true(r.passed_on);
    assert_int_equal(world_end(w), 0);
    result_free(&r);
    close(reply_fd);
    close(fd);
    envelope_free(&e);
}

static void a_gpg_that_hangs_at_the_start_ends_the_worker(void **state)
{
    struct world *w = *state;
    w->settings.worker.deadline_ms = 1000;
    world_gpg_does(w, "stop");
    world_start(w);
    int status = world_wait(w);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
}

/* ---- A33: no certificates to be had, for each way of failing and each rule ---- */

static const struct {
    const char *to;
    bool clear; /* the rule says that it goes unsealed, whatever the lookup says */
} by_rule[] = {
    {"frank@example.org", false},          {"bob@example.com", false},
    {"x-prefer@example.org", false},       {"x-refuse@example.org", false},
    {"mallory-bounce@example.org", false}, {"grace-never@example.org", true},
};

static void see_rule(const struct world *w, enum keys_mode mode, size_t rule)
{
    const char *to[] = {by_rule[rule].to, NULL};
    struct result r;
    talk_submit(w, to, span_str(message), &r);
    if (r.passed_on != by_rule[rule].clear)
        fail_msg("keys mode %d, %s: passed on", (int)mode, to[0]);
    if (r.passed_on) {
        assert_true(r.store.copies[0].locked);
        assert_string_equal(r.store.copies[0].recipients[0].rule, "never");
    } else {
        see_later(&r, SUBMIT_LATER_LOOKUP);
        assert_non_null(strstr(r.reply.text, to[0]));
    }
    result_free(&r);
}

static void a33_a_failed_lookup_sends_nothing(void **state)
{
    static const char *const mixed[] = {"grace-never@example.org", "bob@example.com", NULL};
    struct world *w = *state;
    struct result r;
    w->settings.keys_ms = 200;
    world_start(w);
    for (enum keys_mode mode = KEYS_NOBODY; mode < KEYS_MODES; mode++) {
        world_set_keys(w, mode);
        for (size_t rule = 0; rule < sizeof by_rule / sizeof *by_rule; rule++)
            see_rule(w, mode, rule);
        /* Not even for the one whose rule would let it go: all or nothing. */
        talk_submit(w, mixed, span_str(message), &r);
        assert_false(r.passed_on);
        result_free(&r);
    }
    world_end(w);
}

/* ---- the rest of the house ---- */

static void nothing_is_passed_on_for_a_client_that_gave_up(void **state)
{
    struct world *w = *state;
    struct envelope e;
    struct error err;
    struct result r;
    int fd;
    world_set_keys(w, KEYS_NOBODY);
    world_start(w);
    talk_envelope(&e, to_bob);
    assert_int_equal(memfile_from("message", span_str(message), &fd, &err), STATUS_OK);
    int reply_fd = talk_send(w, &e, &fd, 1);
    /* Taken, and now it waits for the certificates. */
    struct pollfd p = {.fd = w->lookup[1], .events = POLLIN};
    assert_int_equal(poll(&p, 1, WORLD_WAIT_MS), 1);
    close(reply_fd);
    world_set_keys(w, KEYS_GOOD);
    /* The next message is the first that queue sees. */
    memcpy(e.id, "06i1a2b3c4d5e6f7g8ha", ID_SIZE);
    reply_fd = talk_send(w, &e, &fd, 1);
    r = (struct result){0};
    talk_wait(w, reply_fd, &r);
    assert_true(r.passed_on);
    assert_string_equal(r.store.envelope.id, "06i1a2b3c4d5e6f7g8ha");
    result_free(&r);
    close(reply_fd);
    close(fd);
    envelope_free(&e);
    world_end(w);
}

static void a_queue_that_is_gone_means_later(void **state)
{
    struct world *w = *state;
    struct result r = {0};
    struct error err;
    int lost[2];
    assert_int_equal(ipc_pair(lost, &err), STATUS_OK);
    close(lost[1]);
    w->settings.queue_service = lost[0];
    world_start(w);
    talk_submit(w, to_bob, span_str(message), &r);
    see_later(&r, SUBMIT_LATER);
    world_end(w);
    close(lost[0]);
}

static void a_folder_that_cannot_be_written_means_later(void **state)
{
    struct world *w = *state;
    static const char *const to_olga[] = {"olga@example.org", NULL};
    struct result r;
    world_start(w);
    talk_submit(w, to_bob, span_str(message), &r);
    assert_true(r.passed_on);
    result_free(&r);
    assert_true(world_shell(w, "rm -r w/certificates; echo > w/certificates"));
    talk_submit(w, to_olga, span_str(message), &r);
    see_later(&r, SUBMIT_LATER);
    world_end(w);
    assert_true(world_shell(w, "rm w/certificates"));
}

/* A15's little sister: keys says one certificate and hands over the bytes of another. */
static void a12_bytes_of_another_certificate_are_found_out(void **state)
{
    struct world *w = *state;
    struct certificate *bob = &w->certificates[BOB];
    struct buf own = bob->bytes;
    struct result r;
    bob->bytes = w->certificates[OLGA].bytes;
    world_set_keys(w, KEYS_GOOD);
    world_start(w);
    talk_submit(w, to_bob, span_str(message), &r);
    see_later(&r, SUBMIT_LATER);
    world_end(w);
    bob->bytes = own;
}

/* After each test, even one that failed. */
static int tidy(void **state)
{
    struct world *w = *state;
    world_kill(w);
    world_settings(w);
    world_gpg_does(w, "");
    world_set_keys(w, KEYS_GOOD);
    return 0;
}

static int make_world(void **state)
{
    struct world *w = malloc(sizeof *w);
    assert_non_null(w);
    world_make(w);
    *state = w;
    return 0;
}

static int free_world(void **state)
{
    struct world *w = *state;
    world_free(w);
    free(w);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(r5_a_gpg_that_lies_or_fails_seals_nothing, tidy),
        cmocka_unit_test_teardown(r5_a_stopped_gpg_ends_the_worker_on_time, tidy),
        cmocka_unit_test_teardown(r5_a_gpg_that_dies_under_a_large_message, tidy),
        cmocka_unit_test_teardown(a_worker_that_cannot_seal_takes_no_job, tidy),
        cmocka_unit_test_teardown(a_gpg_that_hangs_at_the_start_ends_the_worker, tidy),
        cmocka_unit_test_teardown(a33_a_failed_lookup_sends_nothing, tidy),
        cmocka_unit_test_teardown(nothing_is_passed_on_for_a_client_that_gave_up, tidy),
        cmocka_unit_test_teardown(a_queue_that_is_gone_means_later, tidy),
        cmocka_unit_test_teardown(a_folder_that_cannot_be_written_means_later, tidy),
        cmocka_unit_test_teardown(a12_bytes_of_another_certificate_are_found_out, tidy),
    };
    return cmocka_run_group_tests(tests, make_world, free_world);
}
