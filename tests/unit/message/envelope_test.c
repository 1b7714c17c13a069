#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/message/envelope.h"

static char *copy(const char *s)
{
    char *c = strdup(s);
    assert_non_null(c);
    return c;
}

static void fill(struct envelope *e)
{
    envelope_init(e);
    id_make(e->id);
    e->received_ms = 1795338611000;
    e->reverse_path = copy("alice@example.org");
    e->user = copy("alice");
    e->listener = copy("[::]:465");
    e->client_address = copy("2001:db8::1");
    e->helo = copy("[IPv6:2001:db8::1]");
    e->tls_version = copy("TLSv1.3");
    e->tls_cipher = copy("TLS_AES_256_GCM_SHA384");
    e->body_8bit = e->smtputf8 = e->requiretls = e->plain_smtp = true;
    e->envid = copy("QQ314159");
    e->ret = copy("HDRS");
    assert_int_equal(envelope_add_recipient(e, "bob@example.com", NULL), STATUS_OK);
    assert_int_equal(envelope_add_recipient(e, "carol@example.net", NULL), STATUS_OK);
    e->recipients[1].notify = copy("SUCCESS,FAILURE");
    e->recipients[1].orcpt = copy("rfc822;carol@example.net");
}

static void comes_back_as_packed(void **state)
{
    (void)state;
    struct envelope e, back;
    fill(&e);
    struct buf b;
    buf_init(&b, 4096);
    envelope_pack(&b, &e);
    struct unpack u;
    unpack_init(&u, buf_span(&b));
    envelope_unpack(&u, &back);
    assert_int_equal(unpack_done(&u, "envelope", NULL), STATUS_OK);

    assert_string_equal(back.id, e.id);
    assert_int_equal(back.received_ms, e.received_ms);
    assert_string_equal(back.reverse_path, "alice@example.org");
    assert_string_equal(back.user, "alice");
    assert_string_equal(back.listener, "[::]:465");
    assert_string_equal(back.client_address, "2001:db8::1");
    assert_string_equal(back.helo, "[IPv6:2001:db8::1]");
    assert_string_equal(back.tls_version, "TLSv1.3");
    assert_string_equal(back.tls_cipher, "TLS_AES_256_GCM_SHA384");
    assert_true(back.body_8bit);
    assert_true(back.smtputf8);
    assert_true(back.requiretls);
    assert_true(back.plain_smtp);
    assert_string_equal(back.envid, "QQ314159");
    assert_string_equal(back.ret, "HDRS");
    assert_int_equal(back.n_recipients, 2);
    assert_string_equal(back.recipients[0].address, "bob@example.com");
    assert_null(back.recipients[0].notify);
    assert_null(back.recipients[0].orcpt);
    assert_string_equal(back.recipients[1].notify, "SUCCESS,FAILURE");
    assert_string_equal(back.recipients[1].orcpt, "rfc822;carol@example.net");
    envelope_free(&back);
    envelope_free(&e);
    buf_free(&b);
}

/* Every cut fails and leaves something that can be freed (the sanitizers look). */
static void a_cut_one_fails(void **state)
{
    (void)state;
    struct envelope e;
    fill(&e);
    struct buf b;
    buf_init(&b, 4096);
    envelope_pack(&b, &e);
    for (size_t len = 0; len < b.len; len++) {
        struct envelope back;
        struct unpack u;
        unpack_init(&u, span_of(b.data, len));
        envelope_unpack(&u, &back);
        assert_int_equal(unpack_done(&u, "envelope", NULL), STATUS_INTERNAL);
        envelope_free(&back);
    }
    envelope_free(&e);
    buf_free(&b);
}

static void a_count_that_lies_fails(void **state)
{
    (void)state;
    static const uint32_t counts[] = {1, 3, ENVELOPE_RECIPIENTS_MAX + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        struct envelope e, back;
        envelope_init(&e);
        struct buf b;
        buf_init(&b, 4096);
        envelope_pack(&b, &e);
        memcpy(b.data + b.len - sizeof counts[i], &counts[i], sizeof counts[i]);
        struct unpack u;
        unpack_init(&u, buf_span(&b));
        envelope_unpack(&u, &back);
        assert_true(u.failed);
        envelope_free(&back);
        buf_free(&b);
    }
}

static void a_recipient_without_address_fails(void **state)
{
    (void)state;
    struct envelope e, back;
    envelope_init(&e);
    struct envelope_recipient nobody = {0};
    e.recipients = &nobody;
    e.n_recipients = 1;
    struct buf b;
    buf_init(&b, 4096);
    envelope_pack(&b, &e);
    struct unpack u;
    unpack_init(&u, buf_span(&b));
    envelope_unpack(&u, &back);
    assert_true(u.failed);
    envelope_free(&back);
    buf_free(&b);
}

static void takes_a_thousand_recipients_and_no_more(void **state)
{
    (void)state;
    struct envelope e;
    envelope_init(&e);
    char address[40];
    for (int i = 0; i < ENVELOPE_RECIPIENTS_MAX; i++) {
        snprintf(address, sizeof address, "r%d@example.com", i);
        assert_int_equal(envelope_add_recipient(&e, address, NULL), STATUS_OK);
    }
    struct error err;
    assert_int_equal(envelope_add_recipient(&e, "late@example.com", &err), STATUS_LIMIT);
    assert_int_equal(e.n_recipients, ENVELOPE_RECIPIENTS_MAX);
    assert_string_equal(e.recipients[0].address, "r0@example.com");
    assert_string_equal(e.recipients[999].address, "r999@example.com");
    envelope_free(&e);
    assert_int_equal(e.n_recipients, 0);
}

static void patterns_are_copied_and_forgotten(void **state)
{
    (void)state;
    struct envelope e;
    char one[] = "alice@example.org", two[] = "@example.net";
    char *patterns[] = {one, two};
    fill(&e);
    assert_int_equal(envelope_set_send_as(&e, patterns, 2, NULL), STATUS_OK);
    one[0] = 'm';
    assert_int_equal(e.n_send_as, 2);
    assert_string_equal(e.send_as[0], "alice@example.org");
    assert_int_equal(envelope_set_send_as(&e, patterns, 1, NULL), STATUS_OK);
    assert_int_equal(e.n_send_as, 1);
    assert_int_equal(envelope_set_send_as(&e, NULL, 0, NULL), STATUS_OK);
    assert_int_equal(e.n_send_as, 0);
    assert_int_equal(envelope_set_send_as(&e, patterns, ENVELOPE_SEND_AS_MAX + 1, NULL), STATUS_LIMIT);
    assert_int_equal(e.n_send_as, 0);
    envelope_forget_send_as(&e);
    assert_null(e.send_as);
    envelope_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_packed),
        cmocka_unit_test(a_cut_one_fails),
        cmocka_unit_test(a_count_that_lies_fails),
        cmocka_unit_test(a_recipient_without_address_fails),
        cmocka_unit_test(takes_a_thousand_recipients_and_no_more),
        cmocka_unit_test(patterns_are_copied_and_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
