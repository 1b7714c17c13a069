/* A8 at the end of data: who may be named in From, Sender and their kin; and the fields that are added. */
#include "tests/unit/seal/talk.h"

static const char *const to_bob[] = {"bob@example.com", NULL};

/* Submits what has HEADER as somebody who may send as PATTERN. */
static void submit_as(const struct world *w, const char *pattern, const char *header, struct result *result)
{
    char text[4000];
    struct envelope e;
    snprintf(text, sizeof text, "%sSubject: x\r\n\r\nbody\r\n", header);
    talk_envelope(&e, to_bob);
    talk_may_send_as(&e, pattern);
    e.smtputf8 = true;
    talk_submit_envelope(w, &e, span_str(text), result);
    envelope_free(&e);
}

static void see_sent(const struct world *w, const char *pattern, const char *header)
{
    struct result r;
    submit_as(w, pattern, header, &r);
    if (!r.passed_on)
        fail_msg("%s: %s", header, r.reply.text);
    /* Who may send as whom is no matter of queue's. */
    assert_int_equal(r.store.envelope.n_send_as, 0);
    result_free(&r);
}

static void see_refused(const struct world *w, const char *pattern, const char *header, const char *words)
{
    struct result r;
    submit_as(w, pattern, header, &r);
    if (r.passed_on || r.reply.outcome != SUBMIT_REFUSED_POLICY || !strstr(r.reply.text, words))
        fail_msg("%s: outcome %d: %s", header, (int)r.reply.outcome, r.reply.text);
    /* It is refused for all, and by no rule. */
    assert_string_equal(r.reply.recipient, "");
    assert_string_equal(r.reply.rule, "");
    result_free(&r);
}

static void own_addresses_are_taken(void **state)
{
    see_sent(*state, "alice@example.org", "From: alice@example.org\r\n");
    see_sent(*state, "alice@example.org",
             "From: \"A. Liddell\" <ALICE@Example.ORG>\r\nSender: alice@example.org\r\n");
    see_sent(*state, "@example.org",
             "From: Team: a@example.org, b@example.org;\r\nSender: c@example.org\r\n");
    see_sent(*state, "@example.org", "Resent-From: a@example.org\r\nFrom: b@example.org\r\n");
    see_sent(*state, "@m\xc3\xbcnchen.example", "From: J\xc3\xbcrgen <j@m\xc3\xbcnchen.example>\r\n");
    see_sent(*state, "@m\xc3\xbcnchen.example", "From: j@xn--mnchen-3ya.example\r\n");
    see_sent(*state, "*", "From: anybody@anywhere.example\r\n");
    see_sent(*state, "*", "From: a@x <b@y>\r\n");
    see_sent(*state, "*", "");
}

static void test_a8_nobody_else_is_named(void **state)
{
    static const char *const headers[] = {
        "From: ceo@example.org\r\n",
        "From: alice@example.org.evil.example\r\n",
        "From: alice@example.org\r\nSender: ceo@example.org\r\n",
        "From: alice@example.org\r\nFrom: ceo@example.org\r\n",
        "From: ceo@example.org\r\nFrom: alice@example.org\r\n",
        "From: alice@example.org, ceo@example.org\r\n",
        "From: Team: alice@example.org, ceo@example.org;\r\n",
        "From: alice@example.org\r\nResent-From: ceo@example.org\r\n",
        "From: alice@example.org\r\nResent-Sender: ceo@example.org\r\n",
        "from : ceo@example.org\r\n",
        "From:\r\n ceo@example.org\r\n",
        "From: \"alice@example.org\" <ceo@example.org>\r\n",
        "From: (alice@example.org) ceo@example.org\r\n",
        "From: \xe2\x84\xaa@example.org, alice@example.org\r\n",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        see_refused(*state, "alice@example.org", headers[i], "is not an address of user alice");
}

static void test_a8_the_refusal_names_address_and_field(void **state)
{
    see_refused(*state, "alice@example.org", "From: alice@example.org\r\nSender: C <ceo@example.org>\r\n",
                "Sender: <ceo@example.org> is not an address of user alice: ");
}

static void test_a8_what_cannot_be_read_is_refused(void **state)
{
    see_refused(*state, "alice@example.org", "", "no From field");
    see_refused(*state, "alice@example.org", "Sender: alice@example.org\r\n", "no From field");
    see_refused(*state, "alice@example.org", "From: alice@example.org <ceo@example.org>\r\n", "From field");
    see_refused(*state, "@example.org", "From: =?utf-8?q?ceo=40evil.example?=@example.org\r\n",
                "encoded-word");
    see_refused(*state, "alice@example.org", "From: alice@example.org\r\nFr om: ceo@example.org\r\n",
                "could be taken for From");
}

/* A8: no pattern is nobody, never everybody. */
static void test_a8_without_patterns_nobody_may_be_named(void **state)
{
    see_refused(*state, NULL, "From: alice@example.org\r\n", "is not an address of user alice");
    see_refused(*state, NULL, "", "no From field");
    see_refused(*state, "", "From: alice@example.org\r\n", "is not an address of user alice");
}

static void a_relay_client_is_named_as_such(void **state)
{
    struct envelope e;
    struct result r;
    talk_envelope(&e, to_bob);
    talk_may_send_as(&e, "@scanner.example.org");
    free(e.user);
    free(e.client);
    e.user = strdup("");
    e.client = strdup("scanner");
    talk_submit_envelope(*state, &e, span_str("From: ceo@example.org\r\n\r\nx\r\n"), &r);
    assert_false(r.passed_on);
    assert_non_null(strstr(r.reply.text, "<ceo@example.org> is not an address of relay client scanner"));
    result_free(&r);
    talk_submit_envelope(*state, &e, span_str("From: a@scanner.example.org\r\n\r\nx\r\n"), &r);
    assert_true(r.passed_on);
    assert_string_equal(r.store.envelope.client, "scanner");
    result_free(&r);
    envelope_free(&e);
}

static void rules_know_the_relay_client(void **state)
{
    static const char *const to[] = {"bob@example.com", NULL};
    struct envelope e;
    struct result r;
    talk_envelope(&e, to);
    free(e.client);
    e.client = strdup("crm");
    talk_submit_envelope(*state, &e, span_str("From: a@example.org\r\n\r\nx\r\n"), &r);
    assert_true(r.passed_on);
    assert_string_equal(result_recipient(&r, "bob@example.com")->rule, "by-client");
    result_free(&r);
    envelope_free(&e);
}

/* ---- missing fields ---- */

static struct span shown_header(const struct result *r, const struct store_copy *copy)
{
    return span_of(r->bodies.p + copy->header_at, copy->header_len);
}

static size_t count(struct span in, const char *what)
{
    size_t n = 0;
    for (const char *at; (at = memmem(in.p, in.len, what, strlen(what))); n++)
        in = span_of(at + 1, in.len - (size_t)(at + 1 - in.p));
    return n;
}

/* RFC 6409 §8: inside, outside, in what goes clear, and beside what is held. */
static void missing_fields_stand_in_every_form(void **state)
{
    static const char *const to[] = {"bob@example.com", "dave@example.com", "grace-never@example.org",
                                     "frank@example.org", NULL};
    static const char text[] = "From: alice@example.org\r\n\r\nx\r\n";
    struct world *w = *state;
    struct result r;
    struct buf plain;
    struct error err;
    talk_submit(w, to, span_str(text), &r);
    assert_true(r.passed_on);
    for (enum who who = BOB; who <= DAVE; who += DAVE - BOB) {
        struct span copy = result_body(&r, result_copy(&r, people[who].address));
        assert_int_equal(count(copy, "\r\n" TALK_MESSAGE_ID TALK_DATE "From: "), 1);
        assert_true(talk_decrypt(w, copy, who, &plain));
        assert_true(span_starts(buf_span(&plain), TALK_MESSAGE_ID TALK_DATE "From: "));
        buf_free(&plain);
    }
    const struct store_copy *clear = result_copy(&r, "grace-never@example.org");
    buf_init(&plain, 10000);
    assert_int_equal(spool_unlock(&w->settings.spool_key, TALK_ID, result_body(&r, clear), &plain, &err),
                     STATUS_OK);
    assert_int_equal(count(buf_span(&plain), "\r\n" TALK_MESSAGE_ID TALK_DATE "From: "), 1);
    assert_true(span_starts(buf_span(&plain), "Received: "));
    buf_free(&plain);
    struct span shown = shown_header(&r, result_copy(&r, "frank@example.org"));
    assert_int_equal(count(shown, "\r\n" TALK_MESSAGE_ID TALK_DATE "From: "), 1);
    assert_int_equal(count(r.bodies, "X-Originating-IP"), 0);
    result_free(&r);
}

static void fields_that_are_there_stay_alone(void **state)
{
    static const char text[] = "From: alice@example.org\r\nDATE: whenever\r\nMessage-Id: none\r\n\r\nx\r\n";
    struct world *w = *state;
    struct result r;
    struct buf plain;
    talk_submit(w, to_bob, span_str(text), &r);
    assert_true(r.passed_on);
    assert_int_equal(count(r.bodies, "\r\nMessage-ID:") + count(r.bodies, "\r\nDate:"), 0);
    assert_true(talk_decrypt(w, result_body(&r, &r.store.copies[0]), BOB, &plain));
    talk_see_entity(buf_span(&plain), "", span_str(text));
    buf_free(&plain);
    result_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_addresses_are_taken),
        cmocka_unit_test(test_a8_nobody_else_is_named),
        cmocka_unit_test(test_a8_the_refusal_names_address_and_field),
        cmocka_unit_test(test_a8_what_cannot_be_read_is_refused),
        cmocka_unit_test(test_a8_without_patterns_nobody_may_be_named),
        cmocka_unit_test(a_relay_client_is_named_as_such),
        cmocka_unit_test(rules_know_the_relay_client),
        cmocka_unit_test(missing_fields_stand_in_every_form),
        cmocka_unit_test(fields_that_are_there_stay_alone),
    };
    return cmocka_run_group_tests(tests, talk_group_start, talk_group_end);
}
