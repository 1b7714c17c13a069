/* ESMTP parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/wire/param.h"

static void test_mail_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum param_result result;
        struct mail_params params;
    } cases[] = {
        {"", PARAM_OK, {0}},
        {"   ", PARAM_OK, {0}},
        {" SIZE=0", PARAM_OK, {.has_size = true}},
        {" size=1048576", PARAM_OK, {.has_size = true, .size = 1048576}},
        {" SIZE=18446744073709551615", PARAM_OK, {.has_size = true, .size = UINT64_MAX}},
        {" SIZE=99999999999999999999", PARAM_OK, {.has_size = true, .size = UINT64_MAX}},
        {" BODY=7BIT", PARAM_OK, {.has_body = true}},
        {" BODY=8bitmime SIZE=1",
         PARAM_OK,
         {.has_size = true, .size = 1, .has_body = true, .body_8bit = true}},
        {" AUTH=<>", PARAM_OK, {.has_auth = true}},
        {" AUTH=alice@example.org", PARAM_OK, {.has_auth = true}},
        {" AUTH=e+3Dmc2@example.org", PARAM_OK, {.has_auth = true}},
        {" SIZE", PARAM_SYNTAX, {0}},
        {" SIZE=", PARAM_SYNTAX, {0}},
        {" SIZE=-1", PARAM_SYNTAX, {0}},
        {" SIZE=+1", PARAM_SYNTAX, {0}},
        {" SIZE=1k", PARAM_SYNTAX, {0}},
        {" SIZE=0x10", PARAM_SYNTAX, {0}},
        {" SIZE=000000000000000000001", PARAM_SYNTAX, {0}},
        {" BODY", PARAM_SYNTAX, {0}},
        {" BODY=BINARYMIME", PARAM_SYNTAX, {0}},
        {" AUTH", PARAM_SYNTAX, {0}},
        {" AUTH=", PARAM_SYNTAX, {0}},
        {" AUTH=a+b", PARAM_SYNTAX, {0}},
        {" AUTH=a+3", PARAM_SYNTAX, {0}},
        {" AUTH=a+3d", PARAM_SYNTAX, {0}},
        {" AUTH=a=b", PARAM_SYNTAX, {0}},
        {" =1", PARAM_SYNTAX, {0}},
        {" -X=1", PARAM_SYNTAX, {0}},
        {" S_IZE=1", PARAM_SYNTAX, {0}},
        {" SIZE=1\x01", PARAM_SYNTAX, {0}},
        {" AUTH=\xc3\xbc", PARAM_SYNTAX, {0}},
        {" SIZE=1 SIZE=1", PARAM_DUPLICATE, {0}},
        {" BODY=7BIT BODY=8BITMIME", PARAM_DUPLICATE, {0}},
        {" AUTH=<> AUTH=<>", PARAM_DUPLICATE, {0}},
        {" SMTPUTF8", PARAM_UNKNOWN, {0}},
        {" RET=HDRS", PARAM_UNKNOWN, {0}},
        {" ENVID=x", PARAM_UNKNOWN, {0}},
        {" SIZE=1 REQUIRETLS", PARAM_UNKNOWN, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct mail_params params;
        struct span which;
        enum param_result result = param_parse_mail(span_str(cases[i].text), &params, &which);
        if (result != cases[i].result)
            fail_msg("%s: %d", cases[i].text, result);
        if (result != PARAM_OK)
            continue;
        assert_int_equal(params.has_size, cases[i].params.has_size);
        assert_int_equal(params.size, cases[i].params.size);
        assert_int_equal(params.has_body, cases[i].params.has_body);
        assert_int_equal(params.body_8bit, cases[i].params.body_8bit);
        assert_int_equal(params.has_auth, cases[i].params.has_auth);
    }
}

static void test_which_parameter_is_at_fault(void **state)
{
    (void)state;
    struct mail_params params;
    struct span which;
    assert_int_equal(param_parse_mail(span_str(" SIZE=1 X=2 Y=3"), &params, &which), PARAM_UNKNOWN);
    assert_int_equal(which.len, 3);
    assert_memory_equal(which.p, "X=2", 3);
}

static void test_rcpt_has_none(void **state)
{
    (void)state;
    struct span which;
    assert_int_equal(param_parse_rcpt(span_str(""), &which), PARAM_OK);
    assert_int_equal(param_parse_rcpt(span_str(" NOTIFY=NEVER"), &which), PARAM_UNKNOWN);
    assert_int_equal(param_parse_rcpt(span_str(" ORCPT=rfc822;a@b"), &which), PARAM_UNKNOWN);
    assert_int_equal(param_parse_rcpt(span_str(" ="), &which), PARAM_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail_parameters),
        cmocka_unit_test(test_which_parameter_is_at_fault),
        cmocka_unit_test(test_rcpt_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
