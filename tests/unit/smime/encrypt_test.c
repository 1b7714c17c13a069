#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "smime/smime.h"
#include "tests/unit/smime/forge.h"
#include "tests/unit/smime/seal.h"

#define OUT_MAX (64u << 20)
#define LARGE (5u << 20)

enum who { RSA_2048, RSA_4096, P_256, P_384, P_521, BRAINPOOL, AGREEMENT_ONLY, PEOPLE };

static const struct forge_order orders[PEOPLE] = {
    [RSA_2048] = {.key = "rsa2048", .serial = 1, .extensions = {FORGE_SAN_ALICE}},
    [RSA_4096] = {.key = "rsa4096", .serial = 2, .extensions = {FORGE_SAN_ALICE}},
    [P_256] = {.key = "P-256", .serial = 3, .extensions = {FORGE_SAN_ALICE}},
    [P_384] = {.key = "P-384", .serial = 4, .extensions = {FORGE_SAN_ALICE}},
    [P_521] = {.key = "P-521", .serial = 5, .extensions = {FORGE_SAN_ALICE}},
    [BRAINPOOL] = {.key = "brainpoolP384r1", .serial = 6, .extensions = {FORGE_SAN_ALICE}},
    [AGREEMENT_ONLY] = {.key = "P-256",
                        .serial = 7,
                        .extensions = {FORGE_SAN_ALICE, {NID_key_usage, "critical,keyAgreement"}}},
};

struct state {
    char folder[64];
    struct forged people[PEOPLE];
    struct buf out;
};

static void path_of(const struct state *s, const char *name, char path[128])
{
    snprintf(path, 128, "%s/%s", s->folder, name);
}

static void write_file(const struct state *s, const char *name, struct span bytes)
{
    char path[128];
    path_of(s, name, path);
    FILE *out = fopen(path, "w");
    forge_must(out && fwrite(bytes.p, 1, bytes.len, out) == bytes.len && fclose(out) == 0);
}

static void write_person(const struct state *s, const struct forged *person)
{
    BIO *pem = BIO_new(BIO_s_mem());
    char *text = NULL;
    forge_must(PEM_write_bio_X509(pem, person->cert) == 1);
    forge_must(PEM_write_bio_PrivateKey(pem, person->key, NULL, NULL, 0, NULL, NULL) == 1);
    long len = BIO_get_mem_data(pem, &text);
    write_file(s, "person.pem", span_of(text, (size_t)len));
    BIO_free(pem);
}

/* Runs openssl cms with ARGUMENTS in the folder. */
static int openssl_cms(const struct state *s, const char *arguments)
{
    char command[400];
    snprintf(command, sizeof command, "cd %s && openssl cms %s 2>/dev/null", s->folder, arguments);
    return system(command);
}

static void assert_decrypts(const struct state *s, const struct forged *person, struct span plaintext)
{
    char path[128];
    char *got = malloc(plaintext.len + 1);
    assert_non_null(got);
    write_person(s, person);
    write_file(s, "sealed.der", buf_span(&s->out));
    assert_int_equal(openssl_cms(s, "-decrypt -inform DER -in sealed.der -recip person.pem -out clear"), 0);
    path_of(s, "clear", path);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_true(fread(got, 1, plaintext.len + 1, in) == plaintext.len);
    assert_true(span_eq(span_of(got, plaintext.len), plaintext));
    fclose(in);
    free(got);
}

/* Encrypts to WHO, checks the output and has everybody decrypt it. */
static void round_trip_as(struct state *s, const enum who *who, size_t n, struct seal_how how,
                          struct span plaintext)
{
    struct span certs[PEOPLE];
    struct error err = {0};
    for (size_t i = 0; i < n; i++) {
        certs[i] = s->people[who[i]].der;
    }
    if (seal_encrypt_as(certs, n, how, plaintext, &s->out, &err) != STATUS_OK ||
        seal_check_as(buf_span(&s->out), certs, n, how, plaintext.len, 1000, &err) != STATUS_OK) {
        fail_msg("%s", err.text);
    }
    if (plaintext.len >= 16) {
        assert_null(memmem(s->out.data, s->out.len, plaintext.p, 16));
    }
    for (size_t i = 0; i < n; i++) {
        assert_decrypts(s, &s->people[who[i]], plaintext);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

static void round_trip(struct state *s, const enum who *who, size_t n, struct span plaintext)
{
    round_trip_as(s, who, n, (struct seal_how){0}, plaintext);
}

/* With certificates parsed each time, and with those of the message before. */
static void every_cipher_and_padding(void **state)
{
    static const enum who all[] = {RSA_2048, P_256, RSA_4096, P_384, P_521, BRAINPOOL, AGREEMENT_ONLY};
    static const struct seal_how hows[] = {
        {SMIME_AES256_CBC, true}, {SMIME_AES256_GCM, false}, {SMIME_AES256_GCM, true}};
    static const char text[] = "Content-Type: text/plain\r\n\r\nHello\r\n";
    struct state *s = *state;
    struct smime_parsed *parsed = smime_parsed_new();
    assert_non_null(parsed);
    for (size_t i = 0; i < sizeof hows / sizeof hows[0]; i++) {
        struct seal_how how = hows[i];
        buf_reset(&s->out);
        round_trip_as(s, all, PEOPLE, how, span_str(text));
        how.parsed = parsed;
        for (size_t len = 0; len <= 17; len++) {
            buf_reset(&s->out);
            round_trip_as(s, all, 1, how, span_of(text, len));
        }
        buf_reset(&s->out);
        round_trip_as(s, all, PEOPLE, how, span_str(text));
    }
    smime_parsed_free(parsed);
}

/* The order is told apart from every other order. */
static void only_what_was_ordered_is_accepted(void **state)
{
    static const struct seal_how hows[] = {{SMIME_AES256_CBC, false},
                                           {SMIME_AES256_CBC, true},
                                           {SMIME_AES256_GCM, false},
                                           {SMIME_AES256_GCM, true}};
    struct state *s = *state;
    struct span certs[] = {s->people[RSA_2048].der, s->people[P_384].der};
    for (size_t i = 0; i < 4; i++) {
        buf_reset(&s->out);
        assert_int_equal(seal_encrypt_as(certs, 2, hows[i], span_str("hello"), &s->out, NULL), STATUS_OK);
        for (size_t j = 0; j < 4; j++) {
            assert_int_equal(seal_check_as(buf_span(&s->out), certs, 2, hows[j], 5, 7, NULL),
                             i == j ? STATUS_OK : STATUS_INTERNAL);
        }
    }
}

static void everybody_decrypts_their_own(void **state)
{
    struct state *s = *state;
    for (enum who who = 0; who < PEOPLE; who++) {
        buf_reset(&s->out);
        round_trip(s, &who, 1, span_str("Content-Type: text/plain\r\n\r\nHello\r\n"));
    }
}

static void all_share_one_message(void **state)
{
    static const enum who all[] = {RSA_2048, RSA_4096, P_256, P_384, P_521, BRAINPOOL, AGREEMENT_ONLY};
    static const enum who three[] = {P_256, RSA_2048, P_384};
    struct state *s = *state;
    round_trip(s, all, PEOPLE, span_str("Content-Type: text/plain\r\n\r\nHello\r\n"));
    buf_reset(&s->out);
    round_trip(s, three, 3, span_str("Content-Type: text/plain\r\n\r\nHello\r\n"));
}

static void bytes_stay_as_they_are(void **state)
{
    static const enum who both[] = {RSA_2048, P_256};
    static const char odd[] = "bare \n and \r and \0 and \xff\xfe\r\n.\r\n\x1a trailing \n\n";
    struct state *s = *state;
    round_trip(s, both, 2, span_of(odd, sizeof odd - 1));
}

static void every_length_around_a_block(void **state)
{
    static const enum who one[] = {P_256};
    struct state *s = *state;
    for (size_t len = 0; len <= 33; len++) {
        buf_reset(&s->out);
        round_trip(s, one, 1, span_of("0123456789abcdef0123456789ABCDEF=", len));
    }
}

static void five_megabytes(void **state)
{
    static const enum who both[] = {RSA_2048, P_256};
    struct state *s = *state;
    uint8_t *large = malloc(LARGE + 7);
    assert_non_null(large);
    for (size_t i = 0; i < LARGE + 7; i++) {
        large[i] = (uint8_t)((i * 2654435761u) >> 13);
    }
    round_trip(s, both, 2, span_of(large, LARGE + 7));
    free(large);
}

/* ---- A11 ---- */

/* Does its reader get something out of the message in OUT, by OpenSSL's API? */
static bool opens(const struct state *s, const struct forged *person)
{
    const unsigned char *p = s->out.data;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, (long)s->out.len);
    BIO *clear = BIO_new(BIO_s_mem());
    bool opened = cms && CMS_decrypt(cms, person->key, person->cert, NULL, clear, CMS_BINARY) == 1;
    BIO_free(clear);
    CMS_ContentInfo_free(cms);
    ERR_clear_error();
    return opened;
}

/* Flips each byte of the last LEN of the message in turn; how many of these changes its reader does not see.
 */
static size_t unseen_changes(struct state *s, const struct forged *person, size_t len)
{
    size_t unseen = 0;
    for (size_t i = s->out.len - len; i < s->out.len; i++) {
        s->out.data[i] ^= 0xff;
        unseen += opens(s, person);
        s->out.data[i] ^= 0xff;
    }
    return unseen;
}

static void test_a11_gcm_shows_every_change(void **state)
{
    struct state *s = *state;
    const struct forged *person = &s->people[P_256];
    const struct seal_how how = {.cipher = SMIME_AES256_GCM};
    char text[160];
    memset(text, 'x', sizeof text);
    assert_int_equal(seal_encrypt_as(&person->der, 1, how, span_of(text, sizeof text), &s->out, NULL),
                     STATUS_OK);
    assert_true(opens(s, person));
    assert_int_equal(unseen_changes(s, person, sizeof text + 2 + 16), 0);
}

/* CBC has no integrity: only a change that spoils the padding is seen, and that is one in the last two
 * blocks. A reader needs a signature, or GCM. */
static void test_a11_cbc_hides_changes(void **state)
{
    struct state *s = *state;
    const struct forged *person = &s->people[P_256];
    char text[160];
    memset(text, 'x', sizeof text);
    assert_int_equal(seal_encrypt(&person->der, 1, span_of(text, sizeof text), &s->out, NULL), STATUS_OK);
    size_t before_last_two = sizeof text + 16 - 32;
    size_t seen = sizeof text + 16 - unseen_changes(s, person, sizeof text + 16);
    print_message("CBC: OpenSSL refuses %zu of %zu flips\n", seen, sizeof text + 16);
    assert_true(seen <= sizeof text + 16 - before_last_two);
}

/* info@ and sales@ may have the same certificate. */
static void same_certificate_twice_is_one_recipient(void **state)
{
    static const enum who twice[] = {P_256, RSA_2048, P_256};
    static const enum who once[] = {P_256, RSA_2048};
    struct state *s = *state;
    round_trip(s, twice, 3, span_str("hello"));
    struct span certs[] = {s->people[once[0]].der, s->people[once[1]].der};
    assert_int_equal(seal_check(buf_span(&s->out), certs, 2, 5, NULL), STATUS_OK);
}

static void nobody_else_decrypts(void **state)
{
    struct state *s = *state;
    struct error err = {0};
    assert_int_equal(seal_encrypt(&s->people[P_256].der, 1, span_str("hello"), &s->out, &err), STATUS_OK);
    write_person(s, &s->people[RSA_2048]);
    write_file(s, "sealed.der", buf_span(&s->out));
    assert_int_not_equal(openssl_cms(s, "-decrypt -inform DER -in sealed.der -recip person.pem -out clear"),
                         0);
}

static void appends_to_what_is_there(void **state)
{
    struct state *s = *state;
    struct error err = {0};
    buf_append_str(&s->out, "before");
    assert_int_equal(seal_encrypt(&s->people[P_256].der, 1, span_str("hello"), &s->out, &err), STATUS_OK);
    assert_memory_equal(s->out.data, "before", 6);
    struct span message = span_of(s->out.data + 6, s->out.len - 6);
    assert_int_equal(seal_check(message, &s->people[P_256].der, 1, 5, &err), STATUS_OK);
}

static void refuse(struct state *s, const struct span *certs, size_t n, enum status status, const char *text)
{
    struct error err = {0};
    buf_reset(&s->out);
    buf_append_str(&s->out, "before");
    enum status got = seal_encrypt(certs, n, span_str("hello"), &s->out, &err);
    if (got != status || !strstr(err.text, text) || !span_eq(buf_span(&s->out), span_str("before"))) {
        fail_msg("wanted %s with \"%s\", got %s: %s", status_word(status), text, status_word(got), err.text);
    }
    assert_int_equal(ERR_peek_error(), 0);
}

/* A33: one bad certificate among good ones, and nothing comes out. */
static void one_bad_certificate_leaves_nothing(void **state)
{
    static const char *const kinds[] = {"X25519", "rsa1024", "ED25519", "secp256k1"};
    struct state *s = *state;
    struct span certs[] = {s->people[RSA_2048].der, s->people[P_256].der, span_str("junk")};
    refuse(s, certs, 3, STATUS_INVALID, "damaged");
    certs[2] = span_of(certs[1].p, certs[1].len - 1);
    refuse(s, certs, 3, STATUS_INVALID, "damaged");
    certs[2] = span_of(NULL, 0);
    refuse(s, certs, 3, STATUS_INVALID, "empty");
    refuse(s, certs, 0, STATUS_INVALID, "no certificate");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct forged bad = forge_alice(kinds[i], 9);
        certs[2] = bad.der;
        refuse(s, certs, 3, STATUS_INVALID, "cannot encrypt");
        forged_free(&bad);
    }
}

static void bound_of_the_output_holds(void **state)
{
    struct state *s = *state;
    struct error err = {0};
    struct buf small;
    buf_init(&small, 300);
    assert_int_equal(seal_encrypt(&s->people[RSA_2048].der, 1, span_str("hello"), &small, &err),
                     STATUS_LIMIT);
    buf_free(&small);
    struct span huge = span_of("", (size_t)1 << 31);
    assert_int_equal(seal_encrypt(&s->people[RSA_2048].der, 1, huge, &s->out, &err), STATUS_LIMIT);
}

static int make_people(void **state)
{
    struct state *s = calloc(1, sizeof *s);
    const struct forge_order ca = {.key = "ED25519", .subject = "Test CA"};
    const char *tmp = getenv("TMPDIR");
    forge_must(s != NULL);
    snprintf(s->folder, sizeof s->folder, "%.40s/smime.XXXXXX", tmp ? tmp : "/tmp");
    forge_must(mkdtemp(s->folder) != NULL);
    struct forged issuer = forge(&ca, NULL);
    for (int i = 0; i < PEOPLE; i++) {
        s->people[i] = forge(&orders[i], &issuer);
    }
    forged_free(&issuer);
    buf_init(&s->out, OUT_MAX);
    *state = s;
    return 0;
}

static int free_people(void **state)
{
    static const char *const files[] = {"person.pem", "sealed.der", "clear"};
    struct state *s = *state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[128];
        path_of(s, files[i], path);
        unlink(path);
    }
    rmdir(s->folder);
    for (size_t i = 0; i < PEOPLE; i++) {
        forged_free(&s->people[i]);
    }
    buf_free(&s->out);
    free(s);
    return 0;
}

static int empty_out(void **state)
{
    struct state *s = *state;
    buf_reset(&s->out);
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, empty_out)
    const struct CMUnitTest tests[] = {
        TEST(everybody_decrypts_their_own),
        TEST(all_share_one_message),
        TEST(bytes_stay_as_they_are),
        TEST(every_length_around_a_block),
        TEST(five_megabytes),
        TEST(every_cipher_and_padding),
        TEST(only_what_was_ordered_is_accepted),
        TEST(test_a11_gcm_shows_every_change),
        TEST(test_a11_cbc_hides_changes),
        TEST(same_certificate_twice_is_one_recipient),
        TEST(nobody_else_decrypts),
        TEST(appends_to_what_is_there),
        TEST(one_bad_certificate_leaves_nothing),
        TEST(bound_of_the_output_holds),
    };
    return cmocka_run_group_tests(tests, make_people, free_people);
}
