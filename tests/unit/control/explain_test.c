/* explain: the decision a message would meet. */
#include "tests/unit/control/world.h"

#include <stdio.h>

static char addresses[] = "bob@example.com";

static struct certificate certificate(bool usable, const char *reason)
{
    struct certificate c = {.format = CERTIFICATE_OPENPGP,
                            .fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567",
                            .source = "local",
                            .algorithm = "ed25519",
                            .usable = usable,
                            .addresses = addresses};
    snprintf(c.reason, sizeof c.reason, "%s", reason);
    return c;
}

static const char request[] =
    "{\"verb\":\"explain\",\"from\":\"alice@example.org\",\"to\":[\"bob@example.com\"]}";

/* What explain says of the one recipient when keys knows what ANSWER says; free *WHOLE_OUT. */
static json_t *explain(struct world *w, struct keys_answer answer, const char *line, json_t **whole_out)
{
    struct keys_found found = {.answers = &answer, .n = 1};
    w->fakes[FAKE_KEYS_LOOKUP].found = &found;
    *whole_out = ask(w, line);
    w->fakes[FAKE_KEYS_LOOKUP].found = NULL;
    assert_true(json_is_true(json_object_get(*whole_out, "ok")));
    json_t *recipients = json_object_get(*whole_out, "recipients");
    assert_int_equal(json_array_size(recipients), 1);
    json_t *one = json_array_get(recipients, 0);
    assert_string_equal(text_in(one, "recipient"), "bob@example.com");
    return one;
}

static void a_usable_certificate_seals(void **state)
{
    struct certificate c = certificate(true, "");
    json_t *whole;
    json_t *one = explain(*state, (struct keys_answer){.list = {&c, 1}}, request, &whole);
    assert_string_equal(text_in(one, "action"), "seal");
    assert_string_equal(text_in(one, "rule"), "default");
    assert_string_equal(text_in(one, "protect"), "require");
    assert_string_equal(text_in(json_object_get(one, "certificate"), "fingerprint"), c.fingerprint);
    assert_string_equal(text_in(json_object_get(one, "certificate"), "format"), "openpgp");
    assert_int_equal(json_array_size(json_object_get(one, "candidates")), 1);
    json_decref(whole);
}

static void one_that_is_not_usable_is_shown_with_its_reason(void **state)
{
    struct certificate c = certificate(false, "expired on 2024-05-01");
    json_t *whole;
    json_t *one = explain(*state, (struct keys_answer){.list = {&c, 1}}, request, &whole);
    assert_string_equal(text_in(one, "action"), "hold");
    assert_true(json_is_null(json_object_get(one, "certificate")));
    json_t *candidate = json_array_get(json_object_get(one, "candidates"), 0);
    assert_true(json_is_false(json_object_get(candidate, "usable")));
    assert_string_equal(text_in(candidate, "reason"), "expired on 2024-05-01");
    json_decref(whole);
}

/* A reason that was cut within a character leaves nobody out. */
static void a_reason_that_is_no_utf8_is_shown(void **state)
{
    struct certificate c = certificate(false, "not trusted: \xe2\x82");
    json_t *whole;
    json_t *one = explain(*state, (struct keys_answer){.list = {&c, 1}}, request, &whole);
    json_t *candidate = json_array_get(json_object_get(one, "candidates"), 0);
    assert_string_equal(text_in(candidate, "reason"), "not trusted: ??");
    json_decref(whole);
}

static void without_a_certificate_the_rule_decides(void **state)
{
    static const struct {
        enum policy_protect protect;
        enum policy_missing missing;
        const char *protect_word, *action;
    } table[] = {
        {PROTECT_REQUIRE, MISSING_HOLD, "require", "hold"},
        {PROTECT_REQUIRE, MISSING_REFUSE, "require", "refuse"},
        {PROTECT_REQUIRE, MISSING_BOUNCE, "require", "bounce"},
        {PROTECT_PREFER, MISSING_HOLD, "prefer", "clear"},
        {PROTECT_NEVER, MISSING_HOLD, "never", "clear"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        json_t *whole;
        w->rules[0].protect = table[i].protect;
        w->rules[0].on_missing_key = table[i].missing;
        json_t *one = explain(w, (struct keys_answer){0}, request, &whole);
        assert_string_equal(text_in(one, "protect"), table[i].protect_word);
        assert_string_equal(text_in(one, "action"), table[i].action);
        assert_true(strlen(text_in(one, "reason")) > 0);
        json_decref(whole);
    }
}

/* A33 */
static void a33_a_failed_lookup_defers(void **state)
{
    static const enum policy_protect protects[] = {PROTECT_REQUIRE, PROTECT_PREFER};
    struct world *w = *state;
    for (size_t i = 0; i < 2; i++) {
        json_t *whole;
        w->rules[0].protect = protects[i];
        json_t *one =
            explain(w, (struct keys_answer){.state = LOOKUP_FAILED, .why = "disk"}, request, &whole);
        assert_string_equal(text_in(one, "action"), "defer");
        json_decref(whole);
    }
}

static void a_keystore_that_does_not_answer_is_no_missing_key(void **state)
{
    expect_error(ask(*state, request), "closed", "could not be looked up");
}

static void an_answer_for_others_is_refused(void **state)
{
    struct world *w = *state;
    struct keys_answer answers[2] = {0};
    struct keys_found found = {.answers = answers, .n = 2};
    w->fakes[FAKE_KEYS_LOOKUP].found = &found;
    expect_error(ask(w, request), "internal", "another number");
}

static void the_first_matching_rule_is_named(void **state)
{
    static const char *const subjects[] = {"[secret]"}, *const headers[] = {"X-Class: inner"};
    static const char *const clients[] = {"scan*"}, *const users[] = {"*"};
    static const struct {
        const char *rest, *rule;
    } table[] = {
        {"", "user"},
        {",\"subject\":\"plan [Secret]\"", "subject"},
        {",\"headers\":[\"X-Class: inner circle\"]", "header"},
        {",\"headers\":[\"X-Other: inner\"]", "user"},
        {",\"user\":\"alice\"", "user"},
        {",\"client\":\"scanner\"", "client"},
        {",\"client\":\"crm\"", "default"}, /* no user, so no rule for users */
    };
    struct world *w = *state;
    w->rules[0] = (struct policy_rule){.name = "subject", .subjects = subjects, .n_subjects = 1};
    w->rules[1] = (struct policy_rule){.name = "header", .headers = headers, .n_headers = 1};
    w->rules[2] = (struct policy_rule){.name = "client", .clients = clients, .n_clients = 1};
    w->rules[3] = (struct policy_rule){.name = "user", .users = users, .n_users = 1};
    w->rules[4] = (struct policy_rule){.name = "default", .protect = PROTECT_PREFER};
    w->policy.n_rules = 5;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char line[400];
        json_t *whole;
        snprintf(line, sizeof line, "%.*s%s}", (int)strlen(request) - 1, request, table[i].rest);
        json_t *one = explain(w, (struct keys_answer){0}, line, &whole);
        assert_string_equal(text_in(one, "rule"), table[i].rule);
        json_decref(whole);
    }
}

static void the_tls_of_the_next_hop_is_told(void **state)
{
    static const struct tls_policy policies[] = {{"example.com", TLS_LEVEL_SECURE}};
    struct world *w = *state;
    json_t *whole;
    json_t *tls = json_object_get(explain(w, (struct keys_answer){0}, request, &whole), "tls");
    assert_string_equal(text_in(tls, "level"), "may");
    assert_string_equal(text_in(tls, "why"), "delivery tls");
    assert_string_equal(text_in(tls, "route"), "mx");
    json_decref(whole);
    w->settings.tls.policies = policies;
    w->settings.tls.n_policies = 1;
    tls = json_object_get(explain(w, (struct keys_answer){0}, request, &whole), "tls");
    assert_string_equal(text_in(tls, "level"), "secure");
    assert_string_equal(text_in(tls, "why"), "tls-policy example.com");
    json_decref(whole);
}

static void a25_a_request_of_the_wrong_shape_is_refused(void **state)
{
    static const char *const members[] = {
        "",
        ",\"from\":\"alice@example.org\"",
        ",\"to\":[\"bob@example.com\"]",
        ",\"from\":1,\"to\":[\"bob@example.com\"]",
        ",\"from\":\"alice@example.org\",\"to\":[]",
        ",\"from\":\"alice@example.org\",\"to\":\"bob@example.com\"",
        ",\"from\":\"alice@example.org\",\"to\":[1]",
        ",\"from\":\"alice@example.org\",\"to\":[\"bob@example.com\",null]",
        ",\"from\":\"alice@example.org\",\"to\":[\"bob@example.com\"],\"headers\":[\"no colon\"]",
        ",\"from\":\"alice@example.org\",\"to\":[\"bob@example.com\"],\"headers\":[7]",
        ",\"from\":\"alice@example.org\",\"to\":[\"bob@example.com\"],\"headers\":[\"A: b\\r\\nC: d\"]",
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        char line[400];
        snprintf(line, sizeof line, "{\"verb\":\"explain\"%s}", members[i]);
        expect_error(ask(w, line), "invalid", "");
    }
    assert_int_equal(w->fakes[FAKE_KEYS_LOOKUP].n_seen, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_usable_certificate_seals),        TEST(one_that_is_not_usable_is_shown_with_its_reason),
        TEST(a_reason_that_is_no_utf8_is_shown), TEST(without_a_certificate_the_rule_decides),
        TEST(a33_a_failed_lookup_defers),        TEST(a_keystore_that_does_not_answer_is_no_missing_key),
        TEST(an_answer_for_others_is_refused),   TEST(the_first_matching_rule_is_named),
        TEST(the_tls_of_the_next_hop_is_told),   TEST(a25_a_request_of_the_wrong_shape_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
