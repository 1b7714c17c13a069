/* What must not go on is refused, with words that help; and what only looks odd goes on. */
#include "tests/unit/seal/talk.h"

static const char message[] = "From: alice@example.org\r\nSubject: x\r\n\r\nbody\r\n";

static void see_refused(struct world *w, const char *const *to, struct span text, enum submit_outcome outcome,
                        const char *words)
{
    struct result r;
    talk_submit(w, to, text, &r);
    assert_false(r.passed_on);
    assert_false(r.closed);
    if (r.reply.outcome != outcome || !strstr(r.reply.text, words))
        fail_msg("outcome %d: %s", (int)r.reply.outcome, r.reply.text);
    for (const char *c = r.reply.text; *c; c++)
        assert_true(*c >= ' ' && *c <= '~');
    result_free(&r);
}

static const char *const to_bob[] = {"bob@example.com", NULL};

static void content_that_must_not_go_on_is_refused(void **state)
{
    struct world *w = *state;
    see_refused(w, to_bob, span_of("Subject: x\r\n\r\na\0b\r\n", 19), SUBMIT_REFUSED_CONTENT, "NUL");
    see_refused(w, to_bob, span_str("Subject: x\n\nbody\n"), SUBMIT_REFUSED_CONTENT, "CRLF");
    see_refused(w, to_bob, span_str("Subject: x\r\n\r\na\rb\r\n"), SUBMIT_REFUSED_CONTENT, "CRLF");
    see_refused(w, to_bob, span_str("Subject: x\r\n\r\nbody"), SUBMIT_REFUSED_CONTENT, "CRLF");
    see_refused(w, to_bob, span_str(" x\r\nSubject: x\r\n\r\nbody\r\n"), SUBMIT_REFUSED_CONTENT,
                "begins with");
}

/* Nobody could be told of the bounce, now or when the hold is over: 250 would be a message that vanishes. */
static void a_null_reverse_path_is_refused_where_others_are_held_or_bounced(void **state)
{
    static const char *const to[][2] = {{"frank@example.org", NULL}, {"judy-bounce@example.org", NULL}};
    for (int i = 0; i < 2; i++) {
        struct envelope e;
        struct result r;
        talk_envelope(&e, to[i]);
        e.reverse_path[0] = '\0';
        talk_submit_envelope(*state, &e, span_str(message), &r);
        assert_false(r.passed_on);
        assert_int_equal(r.reply.outcome, SUBMIT_REFUSED_POLICY);
        assert_string_equal(r.reply.recipient, to[i][0]);
        assert_true(r.reply.rule[0] != '\0');
        result_free(&r);
        envelope_free(&e);
    }
}

/* A16 */
static void a16_too_many_parts_are_refused(void **state)
{
    struct buf many;
    buf_init(&many, 4u << 20);
    buf_append_str(&many, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    for (int i = 0; i < 200000; i++)
        buf_append_str(&many, "--b\r\n\r\n\r\n");
    see_refused(*state, to_bob, buf_span(&many), SUBMIT_REFUSED_CONTENT, "parts");
    buf_free(&many);
}

/* A29; RFC 5321 §6.3 */
static void a29_a_hundred_hops_are_a_loop(void **state)
{
    struct buf hops;
    struct result r;
    buf_init(&hops, 1u << 20);
    for (int i = 0; i < 99; i++)
        buf_append_str(&hops, "rEcEiVeD: from a by b; Tue, 14 Nov 2023 22:13:20 +0000\r\n");
    buf_append_str(&hops, "Subject: Received: x\r\n\r\nReceived: in the body\r\n");
    talk_submit(*state, to_bob, buf_span(&hops), &r);
    assert_true(r.passed_on);
    result_free(&r);
    struct buf one_more;
    buf_init(&one_more, 1u << 20);
    buf_append_str(&one_more, "Received: from c by d\r\n");
    buf_append_span(&one_more, buf_span(&hops));
    see_refused(*state, to_bob, buf_span(&one_more), SUBMIT_REFUSED_LOOP, "loop");
    buf_free(&one_more);
    buf_free(&hops);
}

static void too_large_is_refused(void **state)
{
    struct buf large;
    buf_init(&large, 64u << 20);
    while (large.len <= (20u << 20))
        buf_append_str(&large, "0123456789012345678901234567890123456789\r\n");
    see_refused(*state, to_bob, buf_span(&large), SUBMIT_TOO_BIG, "");
    buf_free(&large);
}

static void the_refused_recipient_is_named_with_the_reason(void **state)
{
    static const char *const to[] = {"bob@example.com", "mallory-refuse@example.org", NULL};
    see_refused(*state, to, span_str(message), SUBMIT_REFUSED_POLICY,
                "no usable OpenPGP or S/MIME certificate for <mallory-refuse@example.org>: none found");
}

/* RFC 6531 §3.2: not without SMTPUTF8; and only where the field would stand outside. */
static void non_ascii_header_fields_want_smtputf8(void **state)
{
    static const char text[] =
        TALK_MESSAGE_ID TALK_DATE "From: alice@example.org\r\nSubject: gr\xc3\xbc\xc3\x9f"
                                  "e\r\n\r\nx\r\n";
    static const char *const clear[] = {"grace-never@example.org", NULL};
    static const char *const to_dave[] = {"dave@example.com", NULL};
    static const char *const held[] = {"frank@example.org", NULL};
    struct world *w = *state;
    struct envelope e;
    struct result r;
    struct buf plain;
    see_refused(w, to_dave, span_str(text), SUBMIT_REFUSED_SMTPUTF8, "SMTPUTF8");
    see_refused(w, held, span_str(text), SUBMIT_REFUSED_SMTPUTF8, "Subject");

    talk_envelope(&e, to_dave);
    e.smtputf8 = true;
    talk_submit_envelope(w, &e, span_str(text), &r);
    assert_true(r.passed_on);
    assert_true(talk_decrypt(w, result_body(&r, &r.store.copies[0]), DAVE, &plain));
    talk_see_entity(buf_span(&plain), "", span_str(text));
    buf_free(&plain);
    result_free(&r);
    envelope_free(&e);

    /* OpenPGP hides the subject, so nothing outside needs it. */
    talk_submit(w, to_bob, span_str(text), &r);
    assert_true(r.passed_on);
    result_free(&r);

    talk_submit(w, clear, span_str(text), &r);
    assert_true(r.passed_on);
    result_free(&r);
}

static void content_rules_decide_here(void **state)
{
    struct world *w = *state;
    struct result r;
    talk_submit(w, to_bob, span_str("Subject: =?utf-8?q?=5Bnever=5D?= x\r\n\r\nbody\r\n"), &r);
    assert_true(r.passed_on);
    assert_string_equal(result_recipient(&r, "bob@example.com")->rule, "by-subject");
    assert_string_equal(r.reply.text, TALK_ID " queued, sealed for 0 of 1 recipients");
    assert_true(r.store.copies[0].locked);
    assert_null(r.store.copies[0].cipher);
    result_free(&r);
}

static void an_unusable_certificate_is_not_used(void **state)
{
    struct world *w = *state;
    struct result r;
    w->keys->unusable[BOB] = true;
    talk_submit(w, to_bob, span_str(message), &r);
    w->keys->unusable[BOB] = false;
    assert_true(r.passed_on);
    assert_int_equal(r.store.copies[0].state, COPY_HELD);
    assert_string_equal(r.store.copies[0].recipients[0].reason, "expired on 2024-05-01");
    result_free(&r);
}

/* A request that is no submission: refused or dropped, and the worker goes on. */
static void damaged_requests_do_no_harm(void **state)
{
    struct world *w = *state;
    struct envelope e;
    struct result r = {0};
    struct error err;
    int fd, pair[2], reply_fd;
    talk_envelope(&e, to_bob);
    reply_fd = talk_send(w, &e, NULL, 0);
    talk_wait(w, reply_fd, &r);
    assert_int_equal(r.reply.outcome, SUBMIT_LATER);
    close(reply_fd);
    /* A memory file that its sender could still change. */
    assert_int_equal(memfile_create("open", &fd, &err), STATUS_OK);
    reply_fd = talk_send(w, &e, &fd, 1);
    talk_wait(w, reply_fd, &r);
    assert_int_equal(r.reply.outcome, SUBMIT_LATER);
    close(reply_fd);
    close(fd);
    envelope_free(&e);

    assert_int_equal(ipc_pair(pair, &err), STATUS_OK);
    assert_int_equal(ipc_send(w->seal[0], SUBMIT_MESSAGE, span_str("garbage"), &pair[1], 1, &err), STATUS_OK);
    close(pair[1]);
    talk_wait(w, pair[0], &r);
    assert_int_equal(r.reply.outcome, SUBMIT_LATER);
    close(pair[0]);

    assert_int_equal(ipc_pair(pair, &err), STATUS_OK);
    assert_int_equal(ipc_send(w->seal[0], 4711, span_str("x"), &pair[1], 1, &err), STATUS_OK);
    close(pair[1]);
    talk_wait(w, pair[0], &r);
    assert_true(r.closed);
    close(pair[0]);
    assert_false(r.passed_on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_that_must_not_go_on_is_refused),
        cmocka_unit_test(a_null_reverse_path_is_refused_where_others_are_held_or_bounced),
        cmocka_unit_test(a16_too_many_parts_are_refused),
        cmocka_unit_test(a29_a_hundred_hops_are_a_loop),
        cmocka_unit_test(too_large_is_refused),
        cmocka_unit_test(the_refused_recipient_is_named_with_the_reason),
        cmocka_unit_test(non_ascii_header_fields_want_smtputf8),
        cmocka_unit_test(content_rules_decide_here),
        cmocka_unit_test(an_unusable_certificate_is_not_used),
        cmocka_unit_test(damaged_requests_do_no_harm),
    };
    return cmocka_run_group_tests(tests, talk_group_start, talk_group_end);
}
