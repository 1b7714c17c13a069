/* What strangers learn: nothing of who exists (A19), and less the more they guess (A20). */
#include "tests/unit/auth/world.h"

#include "base/clock.h"

/* The server's first message for USER, without its nonce: salt and iterations. */
struct message {
    char text[200];
};

static struct message first_message(const struct world *w, const char *user)
{
    struct sasl_start start = connection("SCRAM-SHA-256");
    char text[400];
    int len = snprintf(text, sizeof text, "n,,n=%s,r=abc", user);
    with_initial(&start, text, (size_t)len);
    struct sasl_result result = ask_start(w, &start);
    assert_int_equal(result.verdict, SASL_GO_ON);
    const char *salt = strstr(buf_str(&result.challenge), ",s=");
    assert_non_null(salt);
    struct message message;
    snprintf(message.text, sizeof message.text, "%s", salt);
    tell_abort(w, result.exchange);
    sasl_result_free(&result);
    return message;
}

static void test_A19_salt_of_a_name_stays(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"alice", "nobody", "nobody2", "x@example.org"};
    struct message before[4];
    add_user(w->folder, "alice", "secret");
    start_role(w);
    for (size_t i = 0; i < 4; i++)
        before[i] = first_message(w, names[i]);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 4; i++) {
            assert_string_equal(first_message(w, names[i]).text, before[i].text);
            for (size_t j = 0; j < i; j++)
                assert_string_not_equal(before[i].text, before[j].text);
            /* Of one form: same length of the salt, same iterations. */
            assert_int_equal(strlen(before[i].text), strlen(before[0].text));
            assert_string_equal(strstr(before[i].text, ",i="), strstr(before[0].text, ",i="));
        }
        if (round == 0) {
            add_user(w->folder, "dave", "secret");
        } else if (round == 1) {
            assert_int_equal(stop_role(w), 0);
            start_role(w);
        }
    }
    /* Another server, another secret. */
    assert_int_equal(stop_role(w), 0);
    assert_int_equal(unlink(w->secret), 0);
    start_role(w);
    assert_string_equal(first_message(w, "alice").text, before[0].text);
    assert_string_not_equal(first_message(w, "nobody").text, before[1].text);
}

static void test_A19_one_without_keys_looks_like_nobody(void **state)
{
    struct world *w = *state;
    struct error err;
    add_user(w->folder, "alice", "secret");
    struct user erin = user_with("erin", "secret");
    erin.has_scram = false;
    assert_int_equal(users_change(w->folder->users, USER_ADD, &erin, &err), STATUS_OK);
    start_role(w);
    struct message with_line = first_message(w, "erin");
    assert_int_equal(users_change(w->folder->users, USER_REMOVE, &erin, &err), STATUS_OK);
    assert_string_equal(first_message(w, "erin").text, with_line.text);
    user_wipe(&erin);
}

/* Each ends in the same words, in the same number of steps. */
static void test_A19_same_replies(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"alice", "nobody", "J\xc3\xbcrgen"};
    add_user(w->folder, "alice", "secret");
    start_worker(w);
    start_role(w);
    for (size_t i = 0; i < 3; i++) {
        struct sasl_start start = connection("SCRAM-SHA-256");
        struct sasl_client c = {.mechanism = "SCRAM-SHA-256", .user = names[i], .password = "wrong"};
        struct sasl_result result = scram(w, &c, &start);
        assert_int_equal(result.verdict, SASL_WRONG);
        assert_string_equal(result.user, names[i]);
        assert_string_equal(result.text, "");
        assert_int_equal(result.challenge.len, 0);
        sasl_result_free(&result);
        assert_int_equal(plain_verdict(w, names[i], "wrong"), SASL_WRONG);
    }
}

/* A21: no name but the user's own gets in, in any mechanism. */
static void test_A21_strange_names(void **state)
{
    struct world *w = *state;
    static const char *const names[] = {"*",       "al*",      "alice*",  "a?ice",    "alice)(|",
                                        "alice\"", "alice'",   "alice,",  "alice=",   "alice:x",
                                        "alice|x", "#alice",   "Alice",   "alice@",   " alice",
                                        "alice ",  "alice\\0", "%61lice", "../alice", "alice/.."};
    add_user(w->folder, "alice", "secret");
    start_role(w);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (scram_verdict(w, names[i], "secret") != SASL_WRONG)
            fail_msg("\"%s\" got in", names[i]);
    static const struct {
        const char *text;
        size_t len;
    } raw[] = {{"n,,n=alice\0,r=abc", 17}, {"n,,n=alice\n,r=abc", 17}, {"n,,n=alice\t,r=abc", 17}};
    for (size_t i = 0; i < 3; i++) {
        struct sasl_start start = connection("SCRAM-SHA-256");
        with_initial(&start, raw[i].text, raw[i].len);
        struct sasl_result result = ask_start(w, &start);
        assert_true(result.verdict == SASL_WRONG || result.verdict == SASL_MALFORMED);
        sasl_result_free(&result);
    }
    assert_int_equal(scram_verdict(w, "alice", "secret"), SASL_OK);
}

static enum sasl_verdict guess(const struct world *w, const char *address, const char *user,
                               const char *password, char text_out[200])
{
    struct sasl_start start = plain(user, password);
    from_address(&start, address);
    struct sasl_result result = ask_start(w, &start);
    enum sasl_verdict verdict = result.verdict;
    memcpy(text_out, result.text, 200);
    sasl_result_free(&result);
    return verdict;
}

static void test_A20_guessing_is_blocked(void **state)
{
    struct world *w = *state;
    char text[200];
    w->settings.guard.failures_address = (struct guard_rate){.count = 2, .window_ms = 3600000};
    w->settings.guard.failures_network = (struct guard_rate){.count = 1000, .window_ms = 3600000};
    w->settings.guard.failures_user = (struct guard_rate){.count = 1000, .window_ms = 3600000};
    w->settings.guard.block_ms = 3600000;
    add_user(w->folder, "alice", "secret");
    start_worker(w);
    start_role(w);
    assert_int_equal(guess(w, "192.0.2.1", "dave", "wrong", text), SASL_WRONG);
    assert_int_equal(guess(w, "192.0.2.1", "dave", "wrong", text), SASL_WRONG);
    /* Blocked whatever comes, by whatever mechanism, and without asking the backend. */
    kill(w->worker, SIGKILL);
    waitpid(w->worker, NULL, 0);
    assert_int_equal(guess(w, "192.0.2.1", "dave", "right", text), SASL_BLOCKED);
    assert_true(strlen(text) > 0);
    assert_int_equal(guess(w, "192.0.2.1", "nobody", "right", text), SASL_BLOCKED);
    assert_int_equal(scram_verdict(w, "alice", "secret"), SASL_BLOCKED);
    /* Others are not, and a restart does not help. */
    start_worker(w);
    assert_int_equal(guess(w, "198.51.100.1", "dave", "right", text), SASL_OK);
    assert_int_equal(stop_role(w), 0);
    start_role(w);
    assert_int_equal(guess(w, "192.0.2.1", "dave", "right", text), SASL_BLOCKED);
}

/* SCRAM guesses count like others; what is no guess does not. */
static void test_A20_what_counts(void **state)
{
    struct world *w = *state;
    w->settings.guard.failures_address = (struct guard_rate){.count = 2, .window_ms = 3600000};
    w->settings.guard.block_ms = 3600000;
    add_user(w->folder, "alice", "secret");
    start_worker(w);
    start_role(w);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(plain_verdict(w, "away", "right"), SASL_LATER);
        assert_int_equal(scram_verdict(w, "alice", "secret"), SASL_OK);
    }
    assert_int_equal(scram_verdict(w, "alice", "wrong"), SASL_WRONG);
    assert_int_equal(scram_verdict(w, "nobody", "wrong"), SASL_WRONG);
    assert_int_equal(scram_verdict(w, "alice", "secret"), SASL_BLOCKED);
}

/* The guard's second is spent on a timer: others are served meanwhile. */
static void test_A20_a_guesser_waits_alone(void **state)
{
    struct world *w = *state;
    int status = 0;
    w->settings.guard.failures_address = (struct guard_rate){.count = 100, .window_ms = 3600000};
    w->settings.guard.failures_network = (struct guard_rate){.count = 1000, .window_ms = 3600000};
    w->settings.guard.failures_user = (struct guard_rate){.count = 1000, .window_ms = 3600000};
    w->settings.guard.block_ms = 3600000;
    add_user(w->folder, "alice", "secret");
    start_worker(w);
    start_role(w);
    for (int i = 0; i < 2; i++)
        assert_int_equal(plain_verdict(w, "dave", "wrong"), SASL_WRONG);
    pid_t guesser = fork();
    if (guesser == 0) {
        int64_t before = clock_mono_ms();
        bool right = plain_verdict(w, "dave", "wrong") == SASL_WRONG;
        _exit(right && clock_mono_ms() - before >= 1000 ? 0 : 1);
    }
    char text[200];
    for (int i = 0; i < 10; i++)
        assert_int_equal(guess(w, "198.51.100.1", "erin", "right", text), SASL_OK);
    assert_int_equal(waitpid(guesser, &status, 0), guesser);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_A19_salt_of_a_name_stays),  WORLD_TEST(test_A19_one_without_keys_looks_like_nobody),
        WORLD_TEST(test_A19_same_replies),          WORLD_TEST(test_A21_strange_names),
        WORLD_TEST(test_A20_guessing_is_blocked),   WORLD_TEST(test_A20_what_counts),
        WORLD_TEST(test_A20_a_guesser_waits_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
