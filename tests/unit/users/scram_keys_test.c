/* SCRAM keys: known answers, and what is not of their form. */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "gateway/users/scram_keys.h"
#include "tests/unit/users/fixture.h"

#define SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
#define STORED "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
#define SERVER "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
#define KEYS "SCRAM-SHA-256$4096:" SALT "$" STORED ":" SERVER

/* The exchange of RFC 7677 §3; the keys from its salt, iterations and password, as other servers compute
 * them. */
static void test_rfc7677_example(void **state)
{
    (void)state;
    struct scram_keys keys;
    struct error err = {0};
    struct buf text;
    assert_int_equal(scram_keys_parse(span_str(KEYS), &keys, &err), STATUS_OK);
    assert_int_equal(keys.iterations, 4096);
    assert_int_equal(keys.salt_len, 16);
    memset(keys.stored_key, 0, sizeof keys.stored_key);
    memset(keys.server_key, 0, sizeof keys.server_key);
    assert_int_equal(scram_keys_derive("pencil", &keys, &err), STATUS_OK);
    buf_init(&text, 1000);
    scram_keys_format(&text, &keys);
    assert_string_equal(buf_str(&text), KEYS);
    buf_free(&text);
    assert_true(scram_keys_match(&keys, "pencil"));
    assert_false(scram_keys_match(&keys, "pencils"));
    assert_false(scram_keys_match(&keys, ""));
    assert_false(scram_keys_match(&keys, "pencil\x01"));
}

static void mac(const unsigned char key[SCRAM_KEY_SIZE], const char *text, unsigned char out[SCRAM_KEY_SIZE])
{
    assert_non_null(
        HMAC(EVP_sha256(), key, SCRAM_KEY_SIZE, (const unsigned char *)text, strlen(text), out, NULL));
}

/* The exchange itself: the client's proof of the RFC fits StoredKey, ServerKey makes the server's signature.
 */
static void test_rfc7677_proof_and_signature(void **state)
{
    (void)state;
    static const char messages[] = "n=user,r=rOprNGfwEbeRWgbNEkqO,"
                                   "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                                   "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
                                   "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    static const char proof[] = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                      signature[] = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
    struct scram_keys keys;
    struct error err = {0};
    unsigned char client[SCRAM_KEY_SIZE], hash[SCRAM_KEY_SIZE], bytes[48], text[64];
    assert_int_equal(
        scram_keys_parse(span_str("SCRAM-SHA-256$4096:" SALT "$" STORED ":" SERVER), &keys, &err), STATUS_OK);
    assert_int_equal(scram_keys_derive("pencil", &keys, &err), STATUS_OK);
    mac(keys.stored_key, messages, client);
    assert_int_equal(EVP_DecodeBlock(bytes, (const unsigned char *)proof, sizeof proof - 1), 33);
    for (size_t i = 0; i < SCRAM_KEY_SIZE; i++)
        client[i] ^= bytes[i];
    SHA256(client, sizeof client, hash);
    assert_memory_equal(hash, keys.stored_key, SCRAM_KEY_SIZE);
    mac(keys.server_key, messages, hash);
    EVP_EncodeBlock(text, hash, SCRAM_KEY_SIZE);
    assert_string_equal((const char *)text, signature);
}

static void test_new_keys(void **state)
{
    (void)state;
    struct scram_keys a, b;
    struct error err = {0};
    assert_int_equal(scram_keys_make("correct horse", &a, &err), STATUS_OK);
    assert_int_equal(scram_keys_make("correct horse", &b, &err), STATUS_OK);
    assert_true(a.iterations >= 100000 && a.salt_len == SCRAM_SALT_SIZE);
    assert_memory_not_equal(a.salt, b.salt, SCRAM_SALT_SIZE);
    assert_memory_not_equal(a.stored_key, b.stored_key, SCRAM_KEY_SIZE);
    assert_memory_not_equal(a.stored_key, a.server_key, SCRAM_KEY_SIZE);
    assert_true(scram_keys_match(&a, "correct horse"));
    assert_int_equal(scram_keys_make("", &a, &err), STATUS_INVALID);
    assert_int_equal(scram_keys_make("a\nb", &a, &err), STATUS_INVALID);
    assert_non_null(strstr(err.text, "the password holds"));
}

static void test_what_is_not_of_the_form(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "SCRAM-SHA-256$",
        "SCRAM-SHA-1$4096:" SALT "$" STORED ":" SERVER,
        "scram-sha-256$4096:" SALT "$" STORED ":" SERVER,
        "SCRAM-SHA-256$4095:" SALT "$" STORED ":" SERVER,
        "SCRAM-SHA-256$5000001:" SALT "$" STORED ":" SERVER,
        "SCRAM-SHA-256$99999999999999999999:" SALT "$" STORED ":" SERVER,
        "SCRAM-SHA-256$04096:" SALT "$" STORED ":" SERVER,
        "SCRAM-SHA-256$-4096:" SALT "$" STORED ":" SERVER,
        "SCRAM-SHA-256$4096 :" SALT "$" STORED ":" SERVER,
        "SCRAM-SHA-256$:" SALT "$" STORED ":" SERVER,
        "SCRAM-SHA-256$4096:$" STORED ":" SERVER,
        "SCRAM-SHA-256$4096:====$" STORED ":" SERVER,
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ$" STORED ":" SERVER,   /* no padding */
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gR==$" STORED ":" SERVER, /* bits behind the end */
        "SCRAM-SHA-256$4096: " SALT "$" STORED ":" SERVER,
        "SCRAM-SHA-256$4096:" SALT "$eA==:" SERVER, /* one byte */
        "SCRAM-SHA-256$4096:" SALT "$" STORED ":eA==",
        "SCRAM-SHA-256$4096:" SALT "$" STORED ":" SERVER " ",
        "SCRAM-SHA-256$4096:" SALT "$" STORED ":" SERVER ":",
        "SCRAM-SHA-256$4096:" SALT "$" STORED,
        "SCRAM-SHA-256$4096:" SALT SALT SALT SALT SALT SALT "$" STORED ":" SERVER,
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct scram_keys keys;
        struct error err = {0};
        if (scram_keys_parse(span_str(bad[i]), &keys, &err) != STATUS_INVALID)
            fail_msg("case %zu", i);
        assert_true(*err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc7677_example),
        cmocka_unit_test(test_rfc7677_proof_and_signature),
        cmocka_unit_test(test_new_keys),
        cmocka_unit_test(test_what_is_not_of_the_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
