#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/smime/people.h"

/* A10, A12: the recipients are those asked for, all of them and no more. */
static void recipients_must_be_the_same(void **state)
{
    struct row {
        enum who sealed[3];
        size_t n_sealed;
        enum who wanted[3];
        size_t n_wanted;
        const char *problem; /* NULL: accepted */
    };
    static const struct row rows[] = {
        {{BOB}, 1, {BOB}, 1, NULL},
        {{ALICE}, 1, {ALICE}, 1, NULL},
        {{BOB, ALICE}, 2, {ALICE, BOB}, 2, NULL},
        {{BOB, ALICE, BOB_OTHER}, 3, {BOB_OTHER, BOB, ALICE}, 3, NULL},
        {{BOB}, 1, {BOB, ALICE}, 2, "has no RecipientInfo"},
        {{ALICE}, 1, {BOB, ALICE}, 2, "has no RecipientInfo"},
        {{BOB, ALICE}, 2, {BOB}, 1, "none of the certificates"},
        {{BOB, ALICE}, 2, {ALICE}, 1, "none of the certificates"},
        {{BOB}, 1, {BOB_OTHER}, 1, "none of the certificates"},
        {{ALICE}, 1, {ALICE_OTHER_SERIAL}, 1, "none of the certificates"},
        {{ALICE}, 1, {ALICE_OTHER_ISSUER}, 1, "none of the certificates"},
        {{BOB}, 1, {BOB_OTHER_KEY}, 1, "none of the certificates"},
        {{ALICE}, 1, {ALICE_OTHER_KEY}, 1, "none of the certificates"},
        {{ALICE}, 1, {BOB}, 1, "none of the certificates"},
    };
    struct state *s = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        encrypt_for(s, row->sealed, row->n_sealed);
        if (row->problem) {
            refuse(s, row->wanted, row->n_wanted, row->problem);
        } else {
            assert_int_equal(check_for(s, row->wanted, row->n_wanted, buf_span(&s->out), strlen(TEXT), NULL),
                             STATUS_OK);
        }
    }
}

static void length_must_be_the_messages(void **state)
{
    static const enum who both[] = {BOB, ALICE};
    struct state *s = *state;
    encrypt_for(s, both, 2);
    for (size_t len = 0; len < 100; len++) {
        bool same_block = len / 16 == strlen(TEXT) / 16;
        assert_int_equal(check_for(s, both, 2, buf_span(&s->out), len, NULL),
                         same_block ? STATUS_OK : STATUS_INTERNAL);
    }
    assert_int_equal(check_for(s, both, 2, buf_span(&s->out), SIZE_MAX, NULL), STATUS_INTERNAL);
}

/* Of all bits, only those of keys, point, IV and ciphertext may change unseen: they hold nothing but noise.
 */
static void every_structural_bit_counts(void **state)
{
    static const enum who both[] = {BOB, ALICE};
    const size_t noise =
        256 /* encryptedKey, RSA */ + 40 /* wrapped key */ + 64 /* x and y */ + 16 /* IV */ + 48;
    struct state *s = *state;
    encrypt_for(s, both, 2);
    for (unsigned bit = 0; bit < 8; bit++) {
        size_t accepted = 0;
        for (size_t i = 0; i < s->out.len; i++) {
            s->out.data[i] ^= (uint8_t)(1u << bit);
            accepted += check_for(s, both, 2, buf_span(&s->out), strlen(TEXT), NULL) == STATUS_OK;
            s->out.data[i] ^= (uint8_t)(1u << bit);
        }
        assert_int_equal(accepted, noise);
    }
    assert_int_equal(check_for(s, both, 2, buf_span(&s->out), strlen(TEXT), NULL), STATUS_OK);
}

static void every_truncation_is_refused(void **state)
{
    static const enum who both[] = {BOB, ALICE};
    struct state *s = *state;
    encrypt_for(s, both, 2);
    for (size_t len = 0; len < s->out.len; len++) {
        uint8_t *exact = malloc(len + 1); /* so that reading past it is seen by a sanitiser */
        assert_non_null(exact);
        memcpy(exact, s->out.data, len);
        assert_int_equal(check_for(s, both, 2, span_of(exact, len), strlen(TEXT), NULL), STATUS_INTERNAL);
        free(exact);
    }
    assert_int_equal(check_for(s, both, 2, span_of(NULL, 0), 0, NULL), STATUS_INTERNAL);
}

static void trailing_byte_is_refused(void **state)
{
    static const enum who both[] = {BOB, ALICE};
    struct state *s = *state;
    encrypt_for(s, both, 2);
    buf_append(&s->out, "", 1);
    refuse(s, both, 2, "whole ContentInfo");
}

static void clear_text_is_refused(void **state)
{
    static const enum who one[] = {ALICE};
    static const char *const texts[] = {TEXT, "-----BEGIN PKCS7-----\n", "\x30\x80", ""};
    struct state *s = *state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        buf_reset(&s->out);
        buf_append_str(&s->out, texts[i]);
        refuse(s, one, 1, "whole ContentInfo");
    }
}

/* ---- messages that OpenSSL would not make: spliced by hand ---- */

/* Replaces the only OLD in the message by NEW (of the same length). */
static void splice(struct buf *message, const char *old, const char *new, size_t len)
{
    uint8_t *at = memmem(message->data, message->len, old, len);
    assert_non_null(at);
    memcpy(at, new, len);
    assert_null(memmem(message->data, message->len, old, len));
}

static void content_type_must_be_data(void **state)
{
    static const enum who one[] = {ALICE};
    struct state *s = *state;
    encrypt_for(s, one, 1);
    splice(&s->out, "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", 9);
    refuse(s, one, 1, "EncryptedContentInfo");
}

/* BER's longer form of a length says the same and is not DER. */
static void long_form_of_a_length_is_refused(void **state)
{
    static const enum who one[] = {ALICE};
    struct state *s = *state;
    encrypt_for(s, one, 1);
    assert_int_equal(s->out.data[1], 0x82);
    struct buf longer;
    buf_init(&longer, OUT_MAX);
    buf_append(&longer, "\x30\x83\x00", 3);
    buf_append(&longer, s->out.data + 2, s->out.len - 2);
    assert_int_equal(check_for(s, one, 1, buf_span(&longer), strlen(TEXT), NULL), STATUS_INTERNAL);
    buf_free(&longer);
}

/* Inserts BYTES at AT in EnvelopedData and enlarges the three lengths around it. */
static void insert(struct buf *message, size_t at, const void *bytes, size_t len)
{
    static const size_t lengths[] = {2, 17, 21};
    buf_append(message, bytes, len);
    memmove(message->data + at + len, message->data + at, message->len - len - at);
    memcpy(message->data + at, bytes, len);
    for (size_t i = 0; i < 3; i++) {
        uint8_t *p = message->data + lengths[i];
        assert_int_equal(p[-1], 0x82);
        unsigned sum = ((unsigned)p[0] << 8 | p[1]) + (unsigned)len;
        p[0] = (uint8_t)(sum >> 8);
        p[1] = (uint8_t)sum;
    }
}

static void parts_not_asked_for_are_refused(void **state)
{
    static const enum who one[] = {ALICE};
    struct state *s = *state;
    encrypt_for(s, one, 1);
    insert(&s->out, s->out.len, "\xa1\x02\x31\x00", 4); /* unprotectedAttrs */
    refuse(s, one, 1, "parts that were not asked for");
    encrypt_for(s, one, 1);
    insert(&s->out, 26, "\xa0\x00", 2); /* originatorInfo, behind version */
    refuse(s, one, 1, "parts that were not asked for");
    encrypt_for(s, one, 1);
    insert(&s->out, s->out.len, "\x05\x00", 2);
    refuse(s, one, 1, "parts that were not asked for");
}

static void bad_certificate_is_no_success(void **state)
{
    static const enum who one[] = {ALICE};
    struct state *s = *state;
    struct error err = {0};
    encrypt_for(s, one, 1);
    struct span certs[] = {s->people[ALICE].der, span_str("junk")};
    assert_int_equal(seal_check(buf_span(&s->out), certs, 2, strlen(TEXT), &err), STATUS_INVALID);
    assert_int_equal(seal_check(buf_span(&s->out), certs, 0, strlen(TEXT), &err), STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipients_must_be_the_same),     cmocka_unit_test(length_must_be_the_messages),
        cmocka_unit_test(every_structural_bit_counts),     cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(trailing_byte_is_refused),        cmocka_unit_test(clear_text_is_refused),
        cmocka_unit_test(content_type_must_be_data),       cmocka_unit_test(long_form_of_a_length_is_refused),
        cmocka_unit_test(parts_not_asked_for_are_refused), cmocka_unit_test(bad_certificate_is_no_success),
    };
    return cmocka_run_group_tests(tests, make_people, free_people);
}
