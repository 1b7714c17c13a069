/* Recipients for the tests of smime_check, and what both of these tests ask of it. Included behind cmocka.h.
 */
#ifndef SEALGATE_TESTS_SMIME_PEOPLE_H
#define SEALGATE_TESTS_SMIME_PEOPLE_H

#include <openssl/err.h>

#include "smime/smime.h"
#include "tests/unit/smime/forge.h"
#include "tests/unit/smime/seal.h"

#define OUT_MAX (1u << 20)
#define TEXT "Content-Type: text/plain\r\n\r\nHello\r\n"

enum who {
    BOB,
    BOB_OTHER,
    ALICE,
    ALICE_OTHER_SERIAL,
    ALICE_OTHER_ISSUER,
    BOB_OTHER_KEY,
    ALICE_OTHER_KEY,
    PEOPLE
}; /* BOB: RSA; ALICE: EC */

struct state {
    struct forged people[PEOPLE];
    struct buf out;
};

static inline enum status check_for(const struct state *s, const enum who *who, size_t n, struct span message,
                                    size_t plaintext_len, struct error *err)
{
    struct span certs[PEOPLE];
    for (size_t i = 0; i < n; i++) {
        certs[i] = s->people[who[i]].der;
    }
    return seal_check(message, certs, n, plaintext_len, err);
}

static inline void encrypt_for(struct state *s, const enum who *who, size_t n)
{
    struct span certs[PEOPLE];
    struct error err = {0};
    for (size_t i = 0; i < n; i++) {
        certs[i] = s->people[who[i]].der;
    }
    buf_reset(&s->out);
    assert_int_equal(seal_encrypt(certs, n, span_str(TEXT), &s->out, &err), STATUS_OK);
}

static inline void refuse(const struct state *s, const enum who *who, size_t n, const char *text)
{
    struct error err = {0};
    enum status got = check_for(s, who, n, buf_span(&s->out), strlen(TEXT), &err);
    if (got != STATUS_INTERNAL || !strstr(err.text, text)) {
        fail_msg("wanted \"%s\", got %s: %s", text, status_word(got), err.text);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static inline int make_people(void **state)
{
    struct state *s = calloc(1, sizeof *s);
    const struct forge_order ca = {.key = "ED25519", .subject = "Test CA"};
    const struct forge_order other_ca = {.key = "ED25519", .subject = "Test CB"};
    const struct forge_order skid = {
        .key = "rsa2048", .serial = 1, .extensions = {{NID_subject_key_identifier, "hash"}}};
    forge_must(s != NULL);
    struct forged issuer = forge(&ca, NULL);
    struct forged other_issuer = forge(&other_ca, NULL);
    struct forge_order order = skid;
    s->people[BOB] = forge(&order, &issuer);
    order.serial = 2;
    s->people[BOB_OTHER] = forge(&order, &issuer);
    order.key = "rsa3072";
    order.serial = 1;
    s->people[BOB_OTHER_KEY] = forge(&order, &issuer);
    order.key = "P-384";
    order.serial = 3;
    s->people[ALICE_OTHER_KEY] = forge(&order, &issuer);
    order.key = "P-256";
    order.serial = 3;
    s->people[ALICE] = forge(&order, &issuer);
    s->people[ALICE_OTHER_ISSUER] = forge(&order, &other_issuer);
    order.serial = 4;
    s->people[ALICE_OTHER_SERIAL] = forge(&order, &issuer);
    forged_free(&issuer);
    forged_free(&other_issuer);
    buf_init(&s->out, OUT_MAX);
    *state = s;
    return 0;
}

static inline int free_people(void **state)
{
    struct state *s = *state;
    for (size_t i = 0; i < PEOPLE; i++) {
        forged_free(&s->people[i]);
    }
    buf_free(&s->out);
    free(s);
    return 0;
}

#endif
