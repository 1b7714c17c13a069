/* Which role is asked for which verb, and what comes of its answer. */
#include "tests/unit/control/world.h"

#include <stdio.h>

static void each_verb_goes_to_its_role(void **state)
{
    static const struct {
        const char *request;
        enum fake_service to;
    } table[] = {
        {"{\"verb\":\"key.list\"}", FAKE_KEYS_CONTROL},
        {"{\"verb\":\"key.show\",\"fingerprint\":\"AB\"}", FAKE_KEYS_CONTROL},
        {"{\"verb\":\"queue.list\"}", FAKE_QUEUE},
        {"{\"verb\":\"held.release\",\"id\":\"x\"}", FAKE_QUEUE},
        {"{\"verb\":\"audit.verify\"}", FAKE_QUEUE},
        {"{\"verb\":\"guard.list\"}", FAKE_AUTH},
        {"{\"verb\":\"delivery.tls\",\"domain\":\"example.com\"}", FAKE_DELIVERY},
        {"{\"verb\":\"guard.forget\",\"kind\":\"user\",\"name\":\"x\"}", FAKE_AUTH},
    };
    struct world *w = *state;
    for (int i = 0; i < FAKES; i++)
        w->fakes[i].reply = "{\"ok\":true,\"said\":\"so\"}";
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct fake *to = &w->fakes[table[i].to];
        unsigned before = to->n_seen, all = 0;
        to->seen[0] = '\0';
        json_t *answer = ask(w, table[i].request);
        assert_string_equal(text_in(answer, "said"), "so");
        json_decref(answer);
        assert_int_equal(to->n_seen, before + 1);
        assert_memory_equal(to->seen, table[i].request, strlen(table[i].request));
        for (int k = 0; k < FAKES; k++)
            all += w->fakes[k].n_seen;
        assert_int_equal(all, i + 1);
    }
}

static void an_unknown_verb_asks_nobody(void **state)
{
    static const char *const verbs[] = {"reboot",   "key",      "Queue.list", "supervisor.status", "statusx",
                                        "explain2", "user.add", "\\u001b[2J", "\\ud83d\\ude00"};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        char line[200];
        snprintf(line, sizeof line, "{\"verb\":\"%s\"}", verbs[i]);
        expect_error(ask(w, line), "invalid", "there is no verb");
    }
    for (int i = 0; i < FAKES; i++)
        assert_int_equal(w->fakes[i].n_seen, 0);
}

/* The text of the error is cut in the middle of a character, and is an answer all the same. */
static void a_long_unknown_verb_is_answered(void **state)
{
    struct world *w = *state;
    for (size_t shift = 0; shift < 3; shift++) {
        char line[2000];
        size_t at = (size_t)snprintf(line, sizeof line, "{\"verb\":\"%.*s", (int)shift, "aaa");
        for (int i = 0; i < 300; i++)
            at += (size_t)snprintf(line + at, sizeof line - at, "\xe2\x82\xac");
        snprintf(line + at, sizeof line - at, "\"}");
        expect_error(ask(w, line), "invalid", "there is no verb");
    }
}

static void a_refusal_of_the_role_is_passed_on(void **state)
{
    struct world *w = *state;
    w->fakes[FAKE_KEYS_CONTROL].reply = "{\"ok\":false,\"class\":\"not-found\",\"error\":\"no such key\"}";
    expect_error(ask(w, "{\"verb\":\"key.show\"}"), "not-found", "no such key");
}

static void a_role_that_drops_the_request_is_told_with_its_class(void **state)
{
    static const char *const requests[] = {"{\"verb\":\"key.list\"}", "{\"verb\":\"queue.list\"}",
                                           "{\"verb\":\"status\"}"};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
        expect_error(ask(w, requests[i]), "closed", "the role that knows did not answer");
}

static void an_answer_that_is_no_json_is_no_success(void **state)
{
    struct world *w = *state;
    w->fakes[FAKE_QUEUE].reply = "yes";
    expect_error(ask(w, "{\"verb\":\"queue.list\"}"), "internal", "no JSON");
}

static void a_new_certificate_frees_what_was_held(void **state)
{
    struct world *w = *state;
    w->fakes[FAKE_KEYS_CONTROL].reply = "{\"ok\":true,\"certificates\":[]}";
    w->fakes[FAKE_QUEUE].reply = "{\"ok\":true}";
    json_t *answer = ask(w, "{\"verb\":\"key.add\",\"data\":\"AAAA\"}");
    assert_true(json_is_array(json_object_get(answer, "certificates")));
    json_decref(answer);
    assert_string_equal(w->fakes[FAKE_QUEUE].seen, "{\"verb\":\"held.recheck\"}\n");
    /* so does one that needs no chain any more */
    json_decref(ask(w, "{\"verb\":\"key.pin\",\"fingerprint\":\"AB\",\"pinned\":true}"));
    assert_int_equal(w->fakes[FAKE_QUEUE].n_seen, 2);
}

/* The certificate is stored; queue rechecks by itself. */
static void a_recheck_that_fails_does_not_take_the_success_back(void **state)
{
    struct world *w = *state;
    w->fakes[FAKE_KEYS_CONTROL].reply = "{\"ok\":true,\"certificates\":[]}";
    w->fakes[FAKE_QUEUE].reply = NULL;
    json_t *answer = ask(w, "{\"verb\":\"key.add\",\"data\":\"AAAA\"}");
    assert_true(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
    assert_int_equal(w->fakes[FAKE_QUEUE].n_seen, 1);
}

static void a_refused_certificate_rechecks_nothing(void **state)
{
    struct world *w = *state;
    w->fakes[FAKE_KEYS_CONTROL].reply = "{\"ok\":false,\"class\":\"invalid\",\"error\":\"no certificate\"}";
    expect_error(ask(w, "{\"verb\":\"key.add\",\"data\":\"AAAA\"}"), "invalid", "no certificate");
    assert_int_equal(w->fakes[FAKE_QUEUE].n_seen, 0);
}

static void status_is_of_supervisor_queue_guard_and_delivery(void **state)
{
    struct world *w = *state;
    w->fakes[FAKE_SUPERVISOR].reply = "{\"ok\":true,\"processes\":[{\"role\":\"keys\"}]}";
    w->fakes[FAKE_QUEUE].reply = "{\"ok\":true,\"queued\":7}";
    w->fakes[FAKE_AUTH].reply = "{\"ok\":true,\"blocked\":[],\"clear\":[{}]}";
    w->fakes[FAKE_DELIVERY].reply = "{\"ok\":true,\"delivered\":{\"clear\":3}}";
    json_t *answer = ask(w, "{\"verb\":\"status\"}");
    json_t *delivered = json_object_get(json_object_get(answer, "delivery"), "delivered");
    assert_int_equal(json_integer_value(json_object_get(delivered, "clear")), 3);
    assert_true(json_is_true(json_object_get(answer, "ok")));
    assert_int_equal(json_array_size(json_object_get(answer, "processes")), 1);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(answer, "queue"), "queued")), 7);
    assert_int_equal(json_array_size(json_object_get(json_object_get(answer, "guard"), "clear")), 1);
    json_decref(answer);
    assert_string_equal(w->fakes[FAKE_SUPERVISOR].seen, "{\"verb\":\"supervisor.status\"}\n");
    assert_string_equal(w->fakes[FAKE_AUTH].seen, "{\"verb\":\"guard.status\"}\n");
    assert_string_equal(w->fakes[FAKE_QUEUE].seen, "{\"verb\":\"queue.status\"}\n");
    assert_string_equal(w->fakes[FAKE_DELIVERY].seen, "{\"verb\":\"delivery.status\"}\n");
}

static void status_tells_of_roles_that_do_not_answer(void **state)
{
    struct world *w = *state;
    w->fakes[FAKE_SUPERVISOR].reply = "{\"ok\":true,\"processes\":[]}";
    json_t *answer = ask(w, "{\"verb\":\"status\"}");
    assert_true(json_is_true(json_object_get(answer, "ok")));
    static const char *const roles[] = {"queue", "guard", "delivery"};
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        json_t *said = json_object_get(answer, roles[i]);
        assert_true(json_is_false(json_object_get(said, "ok")));
        assert_non_null(strstr(text_in(said, "error"), "did not answer"));
    }
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_verb_goes_to_its_role),
        TEST(an_unknown_verb_asks_nobody),
        TEST(a_long_unknown_verb_is_answered),
        TEST(a_refusal_of_the_role_is_passed_on),
        TEST(a_role_that_drops_the_request_is_told_with_its_class),
        TEST(an_answer_that_is_no_json_is_no_success),
        TEST(a_new_certificate_frees_what_was_held),
        TEST(a_recheck_that_fails_does_not_take_the_success_back),
        TEST(a_refused_certificate_rechecks_nothing),
        TEST(status_is_of_supervisor_queue_guard_and_delivery),
        TEST(status_tells_of_roles_that_do_not_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
