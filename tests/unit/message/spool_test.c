#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/id.h"
#include "gateway/message/spool.h"

#define ID "0123456789abcdefghij"
#define OTHER_ID "0123456789abcdefghik"
#define TEXT "The canary sings in the body."

static const struct spool_key key = {.bytes = "0123456789abcdef0123456789abcde"};

static void lock(struct span text, struct buf *out)
{
    buf_init(out, 1u << 24);
    assert_int_equal(spool_lock_bytes(&key, ID, text, out, NULL), STATUS_OK);
    assert_int_equal(out->len, text.len + SPOOL_OVERHEAD);
}

static void comes_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 3u << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *text = calloc(1, sizes[i] + 1);
        assert_non_null(text);
        memset(text, 'x', sizes[i]);
        struct buf locked, back;
        lock(span_of(text, sizes[i]), &locked);
        buf_init(&back, 1u << 24);
        assert_int_equal(spool_unlock(&key, ID, buf_span(&locked), &back, NULL), STATUS_OK);
        assert_true(span_eq(buf_span(&back), span_of(text, sizes[i])));
        buf_free(&locked);
        buf_free(&back);
        free(text);
    }
}

static void A27_the_text_is_not_in_it_and_never_the_same(void **state)
{
    (void)state;
    struct buf one, two;
    lock(span_str(TEXT), &one);
    lock(span_str(TEXT), &two);
    assert_null(memmem(one.data, one.len, "canary", 6));
    assert_false(span_eq(buf_span(&one), buf_span(&two)));
    assert_memory_not_equal(one.data + 1, two.data + 1, 12); /* nonces */
    buf_free(&one);
    buf_free(&two);
}

static void assert_refused(const struct spool_key *k, const char *id, struct span locked)
{
    struct buf out;
    struct error err = {0};
    buf_init(&out, 4096);
    buf_append_str(&out, "before");
    assert_int_equal(spool_unlock(k, id, locked, &out, &err), STATUS_INTERNAL);
    assert_int_equal(err.status, STATUS_INTERNAL);
    assert_int_equal(out.len, 0);
    if (out.data)
        assert_null(memmem(out.data, out.size < 64 ? out.size : 64, "canary", 6));
    buf_free(&out);
}

static void every_changed_byte_is_seen(void **state)
{
    (void)state;
    struct buf locked;
    lock(span_str(TEXT), &locked);
    for (size_t i = 0; i < locked.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            locked.data[i] ^= (uint8_t)(1 << bit);
            assert_refused(&key, ID, buf_span(&locked));
            locked.data[i] ^= (uint8_t)(1 << bit);
        }
    }
    buf_free(&locked);
}

static void a_cut_or_grown_body_is_seen(void **state)
{
    (void)state;
    struct buf locked;
    lock(span_str(TEXT), &locked);
    for (size_t len = 0; len < locked.len; len++)
        assert_refused(&key, ID, span_of(locked.data, len));
    buf_append_char(&locked, 0);
    assert_refused(&key, ID, buf_span(&locked));
    assert_refused(&key, ID, span_of(NULL, 0));
    buf_free(&locked);
}

static void belongs_to_one_message_and_one_key(void **state)
{
    (void)state;
    struct buf locked;
    lock(span_str(TEXT), &locked);
    struct spool_key other = key;
    other.bytes[31] ^= 1;
    assert_refused(&other, ID, buf_span(&locked));
    assert_refused(&key, OTHER_ID, buf_span(&locked));
    assert_refused(&key, "", buf_span(&locked));
    buf_free(&locked);
}

static void too_small_a_buffer_is_told(void **state)
{
    (void)state;
    struct buf locked, out;
    lock(span_str(TEXT), &locked);
    buf_init(&out, 10);
    assert_int_equal(spool_unlock(&key, ID, buf_span(&locked), &out, NULL), STATUS_LIMIT);
    assert_int_equal(out.len, 0);
    assert_int_equal(spool_lock_bytes(&key, ID, span_str(TEXT), &out, NULL), STATUS_LIMIT);
    assert_int_equal(out.len, 0);
    buf_free(&locked);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(A27_the_text_is_not_in_it_and_never_the_same),
        cmocka_unit_test(every_changed_byte_is_seen),
        cmocka_unit_test(a_cut_or_grown_body_is_seen),
        cmocka_unit_test(belongs_to_one_message_and_one_key),
        cmocka_unit_test(too_small_a_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
