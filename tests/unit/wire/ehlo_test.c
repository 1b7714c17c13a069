#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/wire/ehlo.h"

static void capabilities(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        struct ehlo want;
    } cases[] = {
        {"", {0}},
        {"mx.example.org greets you\n", {0}},
        {"STARTTLS\n", {0}}, /* the first line is only a greeting */
        {"mx\nSTARTTLS\nPIPELINING\n8BITMIME\nSMTPUTF8\nDSN\nREQUIRETLS\nSIZE 1000\n",
         {true, true, true, true, true, 1000, true, true}},
        {"mx\nstarttls\nPipelining\nsize\n", {.starttls = true, .pipelining = true, .size = true}},
        {"mx\nSIZE 0\n", {.size = true}},
        {"mx\nSIZE 18446744073709551616\n", {.size = true}},
        {"mx\nSIZE -1\n", {.size = true}},
        {"mx\nSIZE  10 \n", {.size = true, .size_max = 10}},
        {"mx\nXSTARTTLS\nSTARTTLSX\nSTART\n\n \n", {0}},
        {"mx\nAUTH PLAIN STARTTLS\n", {.auth_plain = true}},
        {"mx\nAUTH\nAUTH \nAUTH LOGIN SCRAM-SHA-512-PLUS SCRAM-SHA-256-PLUSS\nAUTH=PLAIN\n", {0}},
        {"mx\nAUTH SCRAM-SHA-256-PLUS\n", {.auth_scram_sha_256_plus = true}},
        {"mx\nAUTH scram-sha-1-plus LOGIN\n", {.auth_scram_sha_1_plus = true}},
        {"mx\nauth  scram-sha-1 Scram-SHA-256\nCHUNKING\n",
         {.auth_scram_sha_1 = true, .auth_scram_sha_256 = true, .chunking = true}},
        {"mx\nSTARTTLS", {.starttls = true}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ehlo got;
        ehlo_parse(span_str(cases[i].lines), &got);
        const struct ehlo *want = &cases[i].want;
        assert_int_equal(got.starttls, want->starttls);
        assert_int_equal(got.pipelining, want->pipelining);
        assert_int_equal(got.eightbitmime, want->eightbitmime);
        assert_int_equal(got.smtputf8, want->smtputf8);
        assert_int_equal(got.size, want->size);
        assert_int_equal(got.size_max, want->size_max);
        assert_int_equal(got.dsn, want->dsn);
        assert_int_equal(got.requiretls, want->requiretls);
        assert_int_equal(got.chunking, want->chunking);
        assert_int_equal(got.auth_plain, want->auth_plain);
        assert_int_equal(got.auth_scram_sha_1, want->auth_scram_sha_1);
        assert_int_equal(got.auth_scram_sha_256, want->auth_scram_sha_256);
        assert_int_equal(got.auth_scram_sha_1_plus, want->auth_scram_sha_1_plus);
        assert_int_equal(got.auth_scram_sha_256_plus, want->auth_scram_sha_256_plus);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(capabilities)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
