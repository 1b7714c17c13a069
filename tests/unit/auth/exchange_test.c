/* Exchanges with the role over its service: their way, their bounds, and what it says of users. */
#include "tests/unit/auth/world.h"

#include <sysexits.h>

#include "base/clock.h"

static void expect_send_as(const struct sasl_result *result, const char *const *wanted)
{
    size_t n = 0;
    for (; wanted[n]; n++) {
        assert_true(n < result->n_send_as);
        assert_string_equal(result->send_as[n], wanted[n]);
    }
    assert_int_equal(result->n_send_as, n);
}

static void test_plain_and_what_is_the_users(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *user;
        const char *send_as[6];
    } cases[] = {
        /* Of the backend's addresses, one that would be a pattern is none (A8). */
        {"dave",
         {"dave@example.org", "dave@example.com", "dave@ldap.example", "sales@example.org",
          "*@list.example.org"}},
        {"erin@example.net", {"erin@example.net"}},
        {"fred", {"fred@example.org", "fred@example.com"}},
        {"*", {NULL}},
        {"*@example.org", {NULL}},
        {"?@example.org", {NULL}},
        {"@example.org", {NULL}},
        {".example.org", {NULL}},
        {"dan@example.net", {"dan@example.net", "sales@example.org", "*@list.example.org"}},
    };
    add_user(w->folder, "alice", "secret");
    start_worker(w);
    start_role(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sasl_start start = plain(cases[i].user, "right");
        struct sasl_result result = ask_start(w, &start);
        if (result.verdict != SASL_OK)
            fail_msg("%s: %d", cases[i].user, result.verdict);
        assert_string_equal(result.user, cases[i].user);
        assert_int_equal(result.challenge.len, 0);
        expect_send_as(&result, cases[i].send_as);
        sasl_result_free(&result);
    }
    struct sasl_start start = plain("dave", "wrong");
    struct sasl_result result = ask_start(w, &start);
    assert_int_equal(result.verdict, SASL_WRONG);
    assert_string_equal(result.user, "dave"); /* for the log */
    assert_int_equal(result.n_send_as, 0);
    sasl_result_free(&result);
    assert_int_equal(plain_verdict(w, "dave", ""), SASL_MALFORMED);
}

/* Nobody logs in under a name that the audit trail gives to a relay client, whoever gave it to the user. */
static void test_no_user_is_a_relay_client(void **state)
{
    struct world *w = *state;
    static const char *const certificates[] = {"subject:CN=carol,O=Example"};
    static const struct auth_account account = {
        .pattern = "client:scanner", .certificates = certificates, .n_certificates = 1};
    w->settings.accounts = &account;
    w->settings.n_accounts = 1;
    add_user(w->folder, "alice", "secret");
    start_worker(w);
    start_role(w);
    assert_int_equal(plain_verdict(w, "client:scanner", "right"), SASL_LATER);
    struct sasl_start start = connection("EXTERNAL");
    snprintf(start.certificate_sha256, sizeof start.certificate_sha256, "ff");
    start.certificate_subject = strdup("CN=carol,O=Example");
    with_initial(&start, "", 0);
    struct sasl_result result = ask_start(w, &start);
    assert_int_equal(result.verdict, SASL_LATER);
    sasl_result_free(&result);
}

static void test_login_step_by_step(void **state)
{
    struct world *w = *state;
    add_user(w->folder, "alice", "secret");
    start_worker(w);
    start_role(w);
    struct sasl_start start = connection("login");
    struct sasl_result result = ask_start(w, &start);
    assert_int_equal(result.verdict, SASL_GO_ON);
    assert_true(span_eq(buf_span(&result.challenge), span_str("User Name")));
    uint64_t exchange = result.exchange;
    sasl_result_free(&result);
    result = ask_step(w, exchange, "dave", 4);
    assert_int_equal(result.verdict, SASL_GO_ON);
    assert_true(result.exchange == exchange);
    sasl_result_free(&result);
    result = ask_step(w, exchange, "right", 5);
    assert_int_equal(result.verdict, SASL_OK);
    sasl_result_free(&result);
    result = ask_step(w, exchange, "right", 5); /* it is over */
    assert_int_equal(result.verdict, SASL_LATER);
    sasl_result_free(&result);
}

static void test_scram_and_the_users_file(void **state)
{
    struct world *w = *state;
    static const char *const addresses[] = {"alice@example.org", "alice@example.com", NULL};
    struct error err;
    add_user(w->folder, "alice", "secret");
    start_role(w);
    for (int plus = 0; plus < 2; plus++) {
        const char *mechanism = plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
        struct sasl_start start = connection(mechanism);
        struct sasl_client c = {.mechanism = mechanism,
                                .user = "alice",
                                .password = "secret",
                                .exporter = plus ? world_exporter : NULL};
        start.has_exporter = true;
        memcpy(start.exporter, world_exporter, sizeof start.exporter);
        struct sasl_result result = scram(w, &c, &start);
        assert_int_equal(result.verdict, SASL_OK);
        assert_string_equal(result.user, "alice");
        assert_true(result.challenge.len > 2 && memcmp(result.challenge.data, "v=", 2) == 0);
        expect_send_as(&result, addresses);
        sasl_result_free(&result);
    }
    assert_int_equal(scram_verdict(w, "alice", "Secret"), SASL_WRONG);
    assert_int_equal(scram_verdict(w, "bob", "secret"), SASL_WRONG);
    add_user(w->folder, "bob", "secret");
    assert_int_equal(scram_verdict(w, "bob", "secret"), SASL_OK);
    struct user alice = {.name = strdup("alice")};
    assert_int_equal(users_change(w->folder->users, USER_REMOVE, &alice, &err), STATUS_OK);
    user_wipe(&alice);
    assert_int_equal(scram_verdict(w, "alice", "secret"), SASL_WRONG);
    /* Never 535 because the file cannot be read, and never the old users. */
    assert_int_equal(chmod(w->folder->users, 0644), 0);
    assert_int_equal(scram_verdict(w, "bob", "secret"), SASL_LATER);
    assert_int_equal(scram_verdict(w, "nobody", "secret"), SASL_LATER);
    assert_int_equal(chmod(w->folder->users, 0600), 0);
    assert_int_equal(scram_verdict(w, "bob", "secret"), SASL_OK);
}

static void test_exporter_of_another_connection(void **state)
{
    struct world *w = *state;
    static const unsigned char other[32] = "exporter of the other connectio";
    add_user(w->folder, "alice", "secret");
    start_role(w);
    struct sasl_start start = connection("SCRAM-SHA-256-PLUS");
    struct sasl_client c = {
        .mechanism = "SCRAM-SHA-256-PLUS", .user = "alice", .password = "secret", .exporter = other};
    start.has_exporter = true;
    memcpy(start.exporter, world_exporter, sizeof start.exporter);
    struct sasl_result result = scram(w, &c, &start);
    assert_int_equal(result.verdict, SASL_WRONG);
    sasl_result_free(&result);
}

static void test_what_is_not_offered(void **state)
{
    struct world *w = *state;
    static const struct {
        const char *mechanism, *initial;
        bool exporter;
        enum sasl_verdict verdict;
    } cases[] = {
        {"SCRAM-SHA-256-PLUS", "p=tls-exporter,,n=alice,r=abc", false, SASL_UNKNOWN},
        {"SCRAM-SHA-256-PLUS", "p=tls-exporter,,n=alice,r=abc", true, SASL_GO_ON},
        {"SCRAM-SHA-256-PLUS", "p=tls-unique,,n=alice,r=abc", true, SASL_UNKNOWN},
        {"SCRAM-SHA-256", "y,,n=alice,r=abc", true, SASL_WRONG}, /* RFC 5802 §6: somebody took -PLUS out */
        {"SCRAM-SHA-256", "y,,n=alice,r=abc", false, SASL_GO_ON},
        {"SCRAM-SHA-256", "n,,n=alice,r=abc", true, SASL_GO_ON},
        {"PLAIN", "x", true, SASL_MALFORMED},
        {"LOGIN", "dave", true, SASL_UNKNOWN}, /* not allowed here */
        {"EXTERNAL", "", true, SASL_UNKNOWN},  /* no certificate */
        {"CRAM-MD5", "", true, SASL_UNKNOWN},
        {"", "", true, SASL_UNKNOWN},
    };
    w->settings.mechanisms &= ~(unsigned)SASL_LOGIN;
    add_user(w->folder, "alice", "secret");
    start_role(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sasl_start start = connection(cases[i].mechanism);
        start.has_exporter = cases[i].exporter;
        with_initial(&start, cases[i].initial, strlen(cases[i].initial));
        struct sasl_result result = ask_start(w, &start);
        if (result.verdict != cases[i].verdict)
            fail_msg("case %zu: %d", i, result.verdict);
        sasl_result_free(&result);
    }
}

/* Where -PLUS is not allowed, a client that says so is right. */
static void test_no_downgrade_without_plus(void **state)
{
    struct world *w = *state;
    w->settings.mechanisms = SASL_SCRAM_SHA_256;
    add_user(w->folder, "alice", "secret");
    start_role(w);
    struct sasl_start start = connection("SCRAM-SHA-256");
    start.has_exporter = true;
    with_initial(&start, "y,,n=alice,r=abc", 16);
    struct sasl_result result = ask_start(w, &start);
    assert_int_equal(result.verdict, SASL_GO_ON);
    sasl_result_free(&result);
}

static void test_external(void **state)
{
    struct world *w = *state;
    static const char *const addresses[] = {"carol@example.org", "carol@example.com", NULL};
    static const struct {
        const char *sha256, *subject, *authzid;
        enum sasl_verdict verdict;
    } cases[] = {
        {certificate, NULL, "", SASL_OK},           {certificate, NULL, "carol", SASL_OK},
        {certificate, NULL, "alice", SASL_WRONG},   {"ff", "CN=carol,O=Example", "", SASL_OK},
        {"ff", "CN=carol,O=Other", "", SASL_WRONG}, {"ff", NULL, "", SASL_WRONG},
    };
    add_user(w->folder, "alice", "secret");
    start_role(w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sasl_start start = connection("EXTERNAL");
        snprintf(start.certificate_sha256, sizeof start.certificate_sha256, "%s", cases[i].sha256);
        start.certificate_subject = cases[i].subject ? strdup(cases[i].subject) : NULL;
        with_initial(&start, cases[i].authzid, strlen(cases[i].authzid));
        struct sasl_result result = ask_start(w, &start);
        if (result.verdict != cases[i].verdict)
            fail_msg("case %zu: %d", i, result.verdict);
        if (result.verdict == SASL_OK) {
            assert_string_equal(result.user, "carol");
            expect_send_as(&result, addresses);
        }
        sasl_result_free(&result);
    }
}

/* A backend that is away says nothing about the password: 454, never 535. */
static void test_passwords_that_cannot_be_checked(void **state)
{
    struct world *w = *state;
    w->settings.password_taken_ms = w->settings.password_total_ms = 2000;
    add_user(w->folder, "alice", "secret");
    start_role(w);
    assert_int_equal(plain_verdict(w, "dave", "right"), SASL_LATER); /* no worker */
    start_worker(w);
    assert_int_equal(plain_verdict(w, "away", "right"), SASL_LATER);
    assert_int_equal(plain_verdict(w, "dies", "right"), SASL_LATER);
    waitpid(w->worker, NULL, 0);
    start_worker(w);
    assert_int_equal(plain_verdict(w, "slow", "right"), SASL_LATER);
    await_log(w, "the directory is down");
}

static uint64_t begin_scram(const struct world *w, const char *address)
{
    struct sasl_start start = connection("SCRAM-SHA-256");
    from_address(&start, address);
    with_initial(&start, "n,,n=alice,r=abc", 16);
    struct sasl_result result = ask_start(w, &start);
    uint64_t exchange = result.verdict == SASL_GO_ON ? result.exchange : 0;
    if (!exchange)
        assert_int_equal(result.verdict, SASL_LATER);
    sasl_result_free(&result);
    return exchange;
}

static void test_A20_not_more_than_so_many(void **state)
{
    struct world *w = *state;
    w->settings.exchanges_max = 7;
    w->settings.exchanges_per_client_max = 3;
    add_user(w->folder, "alice", "secret");
    start_role(w);
    uint64_t first = begin_scram(w, "192.0.2.1"), v6 = begin_scram(w, "2001:db8::1");
    assert_true(first && begin_scram(w, "192.0.2.1") && begin_scram(w, "192.0.2.1"));
    assert_false(begin_scram(w, "192.0.2.1"));
    /* An IPv6 client has a whole /64. */
    assert_true(v6 && begin_scram(w, "2001:db8::2:3") && begin_scram(w, "2001:db8::ffff:ffff:ffff:ffff"));
    assert_false(begin_scram(w, "2001:db8::4"));
    assert_true(begin_scram(w, "2001:db8:0:1::4"));
    assert_false(begin_scram(w, "198.51.100.1")); /* the table is full */
    tell_abort(w, v6);
    assert_true(begin_scram(w, "198.51.100.1"));
    tell_abort(w, first);
    tell_abort(w, first);
    tell_abort(w, 0);
    assert_true(begin_scram(w, "192.0.2.1"));
}

static void test_ids_cannot_be_guessed(void **state)
{
    struct world *w = *state;
    add_user(w->folder, "alice", "secret");
    start_role(w);
    uint64_t ids[20], high = 0;
    for (int i = 0; i < 20; i++) {
        ids[i] = begin_scram(w, "192.0.2.1");
        high |= ids[i] >> 48;
        for (int j = 0; j < i; j++)
            assert_true(ids[i] != ids[j]);
    }
    assert_true(high != 0);
    struct sasl_result result = ask_step(w, ids[0] + 1, "x", 1);
    assert_int_equal(result.verdict, SASL_LATER);
    sasl_result_free(&result);
}

/* A6: not "later", which would make a mail program try it for ever. */
static void test_A6_a_proof_that_is_empty(void **state)
{
    struct world *w = *state;
    add_user(w->folder, "alice", "secret");
    start_role(w);
    struct sasl_result result = ask_step(w, begin_scram(w, "192.0.2.1"), "", 0);
    assert_int_equal(result.verdict, SASL_MALFORMED);
    sasl_result_free(&result);
}

static void test_a_step_that_is_late(void **state)
{
    struct world *w = *state;
    w->settings.exchange_ms = 100;
    w->settings.exchanges_max = 1;
    add_user(w->folder, "alice", "secret");
    start_role(w);
    uint64_t exchange = begin_scram(w, "192.0.2.1"), next = 0;
    assert_true(exchange);
    for (int i = 0; i < 2000 && !next; i++) { /* there is room again */
        poll(NULL, 0, 10);
        next = begin_scram(w, "192.0.2.1");
    }
    assert_true(next);
    struct sasl_result result = ask_step(w, exchange, "x", 1);
    assert_int_equal(result.verdict, SASL_LATER);
    sasl_result_free(&result);
}

static void test_a_step_while_one_is_in_hand(void **state)
{
    struct world *w = *state;
    add_user(w->folder, "alice", "secret");
    start_worker(w);
    start_role(w);
    struct sasl_start start = connection("LOGIN");
    with_initial(&start, "slow", 4);
    struct sasl_result result = ask_start(w, &start);
    uint64_t exchange = result.exchange;
    sasl_result_free(&result);
    pid_t other = fork();
    if (other == 0) {
        result = ask_step(w, exchange, "right", 5);
        _exit(result.verdict == SASL_OK ? 0 : 1);
    }
    /* While it is there, a second is refused, and it cannot be aborted either: the guess counts (A20). */
    await_slow(w);
    result = ask_step(w, exchange, "right", 5);
    assert_int_equal(result.verdict, SASL_LATER);
    sasl_result_free(&result);
    tell_abort(w, exchange);
    fclose(fopen(w->go, "w"));
    int status = 0;
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* SIGTERM: what is in hand is answered, what waits for its client is not waited for. */
static void test_the_end(void **state)
{
    struct world *w = *state;
    int status = 0;
    add_user(w->folder, "alice", "secret");
    start_worker(w);
    start_role(w);
    uint64_t waiting = begin_scram(w, "192.0.2.1");
    assert_true(waiting);
    pid_t other = fork();
    if (other == 0)
        _exit(plain_verdict(w, "slow", "right") == SASL_OK ? 0 : 1);
    await_slow(w);
    struct sasl_start start = plain("dave", "wrong");
    pid_t third = fork();
    if (third == 0) {
        struct sasl_result result = ask_start(w, &start);
        _exit(result.verdict == SASL_WRONG ? 0 : 1);
    }
    sasl_start_free(&start);
    struct pollfd p = {.fd = w->passwords[1], .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1); /* the second check waits for the worker */
    kill(w->role, SIGTERM);
    fclose(fopen(w->go, "w"));
    assert_int_equal(waitpid(other, &status, 0), other);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(waitpid(third, &status, 0), third);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(waitpid(w->role, &status, 0), w->role);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    start_role(w);
    struct sasl_result result = ask_step(w, waiting, "x", 1);
    assert_int_equal(result.verdict, SASL_LATER);
    sasl_result_free(&result);
}

static void test_damaged_requests_are_dropped(void **state)
{
    struct world *w = *state;
    static const uint32_t types[] = {SASL_START, SASL_STEP, SASL_ABORT, 99};
    add_user(w->folder, "alice", "secret");
    start_worker(w);
    start_role(w);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct sasl_result result;
        struct buf body;
        buf_init(&body, 100);
        buf_append_str(&body, "junk");
        assert_int_equal(call_role(w, types[i], &body, &result), STATUS_CLOSED);
    }
    assert_int_equal(plain_verdict(w, "dave", "right"), SASL_OK);
}

static void expect_no_start(struct world *w)
{
    int status = 0;
    start_role(w);
    assert_int_equal(waitpid(w->role, &status, 0), w->role);
    w->role = -1;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EX_CONFIG);
}

static void test_A26_does_not_start(void **state)
{
    struct world *w = *state;
    expect_no_start(w); /* no users file */
    add_user(w->folder, "alice", "secret");
    assert_int_equal(chmod(w->folder->users, 0640), 0);
    expect_no_start(w);
    assert_int_equal(chmod(w->folder->users, 0600), 0);
    start_role(w);
    assert_int_equal(scram_verdict(w, "alice", "secret"), SASL_OK);
    assert_int_equal(stop_role(w), 0);
    assert_int_equal(chmod(w->secret, 0604), 0);
    expect_no_start(w);
    assert_int_equal(chmod(w->secret, 0600), 0);
    assert_int_equal(truncate(w->secret, 31), 0);
    expect_no_start(w);
}

/* With another backend there is no users file, and no SCRAM. */
static void test_without_a_users_file(void **state)
{
    struct world *w = *state;
    w->settings.users_path = NULL;
    w->settings.mechanisms = SASL_PLAIN | SASL_LOGIN;
    start_worker(w);
    start_role(w);
    assert_int_equal(plain_verdict(w, "dave", "right"), SASL_OK);
    struct sasl_start start = connection("SCRAM-SHA-256");
    struct sasl_result result = ask_start(w, &start);
    assert_int_equal(result.verdict, SASL_UNKNOWN);
    sasl_result_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_plain_and_what_is_the_users),
        WORLD_TEST(test_no_user_is_a_relay_client),
        WORLD_TEST(test_login_step_by_step),
        WORLD_TEST(test_scram_and_the_users_file),
        WORLD_TEST(test_exporter_of_another_connection),
        WORLD_TEST(test_what_is_not_offered),
        WORLD_TEST(test_no_downgrade_without_plus),
        WORLD_TEST(test_external),
        WORLD_TEST(test_passwords_that_cannot_be_checked),
        WORLD_TEST(test_A20_not_more_than_so_many),
        WORLD_TEST(test_ids_cannot_be_guessed),
        WORLD_TEST(test_A6_a_proof_that_is_empty),
        WORLD_TEST(test_a_step_that_is_late),
        WORLD_TEST(test_a_step_while_one_is_in_hand),
        WORLD_TEST(test_the_end),
        WORLD_TEST(test_damaged_requests_are_dropped),
        WORLD_TEST(test_A26_does_not_start),
        WORLD_TEST(test_without_a_users_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
