/* Questions whether mail may be sent, and tries without TLS: out comes what went in, and of what is damaged
 * nothing, least of all "allowed". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jobs/allow_job.h"

static char alice[] = "alice", scanner[] = "scanner", address[] = "2001:db8::1", verb[] = "MAIL",
            helo[] = "printer.example";

static void comes_out_as_it_went_in(void **state)
{
    (void)state;
    struct allow_ask ask;
    struct clear_tried tried;
    struct allow_result result;
    struct error err;
    struct buf b;
    buf_init(&b, 1000);
    allow_ask_pack(&b, &(struct allow_ask){ALLOW_RECIPIENT, alice, NULL, address});
    assert_int_equal(allow_ask_unpack(buf_span(&b), &ask, &err), STATUS_OK);
    assert_int_equal(ask.what, ALLOW_RECIPIENT);
    assert_string_equal(ask.user, alice);
    assert_null(ask.client);
    assert_string_equal(ask.client_address, address);
    allow_ask_free(&ask);
    buf_reset(&b);
    allow_ask_pack(&b, &(struct allow_ask){ALLOW_MESSAGE, NULL, scanner, address});
    assert_int_equal(allow_ask_unpack(buf_span(&b), &ask, &err), STATUS_OK);
    assert_null(ask.user);
    assert_string_equal(ask.client, scanner);
    allow_ask_free(&ask);
    buf_reset(&b);
    clear_tried_pack(&b, &(struct clear_tried){address, verb, NULL});
    assert_int_equal(clear_tried_unpack(buf_span(&b), &tried, &err), STATUS_OK);
    assert_string_equal(tried.client_address, address);
    assert_string_equal(tried.verb, verb);
    assert_null(tried.helo);
    clear_tried_free(&tried);
    buf_reset(&b);
    allow_result_pack(&b, &(struct allow_result){.allowed = true});
    assert_int_equal(allow_result_unpack(buf_span(&b), &result, &err), STATUS_OK);
    assert_true(result.allowed);
    assert_string_equal(result.text, "");
    buf_free(&b);
}

typedef void unpack_fn(struct span bytes, bool whole);

static void ask_unpack(struct span bytes, bool whole)
{
    struct allow_ask ask;
    struct error err;
    assert_int_equal(allow_ask_unpack(bytes, &ask, &err), whole ? STATUS_OK : STATUS_INTERNAL);
    if (whole)
        allow_ask_free(&ask);
    assert_null(ask.user);
    assert_null(ask.client_address);
}

static void tried_unpack(struct span bytes, bool whole)
{
    struct clear_tried tried;
    struct error err;
    assert_int_equal(clear_tried_unpack(bytes, &tried, &err), whole ? STATUS_OK : STATUS_INTERNAL);
    if (whole)
        clear_tried_free(&tried);
    assert_null(tried.verb);
}

static void result_unpack(struct span bytes, bool whole)
{
    struct allow_result result;
    struct error err;
    assert_int_equal(allow_result_unpack(bytes, &result, &err), whole ? STATUS_OK : STATUS_INTERNAL);
    assert_true(result.allowed == whole);
    assert_string_equal(result.text, whole ? "text" : "Not possible now, try again later");
}

/* Each length is in memory of its own, so that AddressSanitizer sees a read past the end. */
static void cut_everywhere(struct buf *b, unpack_fn *unpack)
{
    buf_append_char(b, 'x');
    for (size_t len = 0; len <= b->len; len++) {
        char *alone = malloc(len + 1);
        assert_non_null(alone);
        memcpy(alone + 1, b->data, len);
        unpack(span_of(alone + 1, len), len == b->len - 1);
        free(alone);
    }
    buf_free(b);
}

static void cut_at_every_length_is_refused(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    allow_ask_pack(&b, &(struct allow_ask){ALLOW_MESSAGE, alice, NULL, address});
    cut_everywhere(&b, ask_unpack);
    clear_tried_pack(&b, &(struct clear_tried){address, verb, helo});
    cut_everywhere(&b, tried_unpack);
    allow_result_pack(&b, &(struct allow_result){.allowed = true, .text = "text"});
    cut_everywhere(&b, result_unpack);
}

/* Nobody, two at once, or a question of another kind: not counted for anybody, so not allowed. */
static void senders_must_be_one(void **state)
{
    (void)state;
    const struct allow_ask wrong[] = {
        {ALLOW_MESSAGE, NULL, NULL, address},        {ALLOW_MESSAGE, alice, scanner, address},
        {ALLOW_MESSAGE, alice, NULL, NULL},          {0, alice, NULL, address},
        {ALLOW_RECIPIENT + 1, alice, NULL, address},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct buf b;
        buf_init(&b, 1000);
        allow_ask_pack(&b, &wrong[i]);
        ask_unpack(buf_span(&b), false);
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_out_as_it_went_in),
        cmocka_unit_test(cut_at_every_length_is_refused),
        cmocka_unit_test(senders_must_be_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
