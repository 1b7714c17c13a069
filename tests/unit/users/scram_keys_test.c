/* SCRAM keys: known answers, and what is not of their form. */
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
        cmocka_unit_test(test_new_keys),
        cmocka_unit_test(test_what_is_not_of_the_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
