/* ESMTP parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/wire/orcpt.h"
#include "gateway/wire/param.h"
#include "gateway/wire/xtext.h"

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
        {" BODY=BINARYMIME", PARAM_BINARY, {0}},
        {" BODY=9BIT", PARAM_SYNTAX, {0}},
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
        {" SMTPUTF8", PARAM_OK, {.smtputf8 = true}},
        {" SMTPUTF8=", PARAM_SYNTAX, {0}},
        {" SMTPUTF8=yes", PARAM_SYNTAX, {0}},
        {" SMTPUTF8 SMTPUTF8", PARAM_DUPLICATE, {0}},
        {" requiretls smtputf8", PARAM_OK, {.smtputf8 = true, .requiretls = true}},
        {" REQUIRETLS=1", PARAM_SYNTAX, {0}},
        {" REQUIRETLS REQUIRETLS", PARAM_DUPLICATE, {0}},
        {" RET=HDRS", PARAM_OK, {.ret = "HDRS"}},
        {" RET=full", PARAM_OK, {.ret = "FULL"}},
        {" RET", PARAM_SYNTAX, {0}},
        {" RET=", PARAM_SYNTAX, {0}},
        {" RET=BOTH", PARAM_SYNTAX, {0}},
        {" RET=FULL RET=FULL", PARAM_DUPLICATE, {0}},
        {" ENVID=QQ314159", PARAM_OK, {.envid = {"QQ314159", 8}}},
        {" ENVID=a+3Db+20c", PARAM_OK, {.envid = {"a+3Db+20c", 9}}},
        {" ENVID", PARAM_SYNTAX, {0}},
        {" ENVID=", PARAM_SYNTAX, {0}},
        {" ENVID=a ENVID=a", PARAM_DUPLICATE, {0}},
        {" NOTIFY=NEVER", PARAM_UNKNOWN, {0}},
        {" X=\xc3\xbc", PARAM_UNKNOWN, {0}},
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
        assert_int_equal(params.smtputf8, cases[i].params.smtputf8);
        assert_int_equal(params.requiretls, cases[i].params.requiretls);
        assert_true(span_eq(span_str(params.ret), span_str(cases[i].params.ret)));
        assert_true(span_eq(params.envid, cases[i].params.envid));
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

static void test_rcpt_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum param_result result;
        const char *notify, *orcpt, *ascii;
    } cases[] = {
        {"", PARAM_OK, NULL, "", ""},
        {" NOTIFY=NEVER", PARAM_OK, "NEVER", "", ""},
        {" notify=never", PARAM_OK, "NEVER", "", ""},
        {" NOTIFY=SUCCESS", PARAM_OK, "SUCCESS", "", ""},
        {" NOTIFY=FAILURE", PARAM_OK, "FAILURE", "", ""},
        {" NOTIFY=DELAY", PARAM_OK, "DELAY", "", ""},
        {" NOTIFY=Failure,success", PARAM_OK, "SUCCESS,FAILURE", "", ""},
        {" NOTIFY=DELAY,SUCCESS", PARAM_OK, "SUCCESS,DELAY", "", ""},
        {" NOTIFY=DELAY,FAILURE", PARAM_OK, "FAILURE,DELAY", "", ""},
        {" NOTIFY=DELAY,FAILURE,SUCCESS,DELAY", PARAM_OK, "SUCCESS,FAILURE,DELAY", "", ""},
        {" NOTIFY=NEVER,SUCCESS", PARAM_SYNTAX, NULL, NULL, NULL},
        {" NOTIFY=DELAY,NEVER", PARAM_SYNTAX, NULL, NULL, NULL},
        {" NOTIFY=", PARAM_SYNTAX, NULL, NULL, NULL},
        {" NOTIFY", PARAM_SYNTAX, NULL, NULL, NULL},
        {" NOTIFY=,", PARAM_SYNTAX, NULL, NULL, NULL},
        {" NOTIFY=SUCCESS,", PARAM_SYNTAX, NULL, NULL, NULL},
        {" NOTIFY=,SUCCESS", PARAM_SYNTAX, NULL, NULL, NULL},
        {" NOTIFY=SUCCESS,,DELAY", PARAM_SYNTAX, NULL, NULL, NULL},
        {" NOTIFY=ALWAYS", PARAM_SYNTAX, NULL, NULL, NULL},
        {" NOTIFY=SUCCESSFAILURE", PARAM_SYNTAX, NULL, NULL, NULL},
        {" NOTIFY=NEVER NOTIFY=NEVER", PARAM_DUPLICATE, NULL, NULL, NULL},
        {" ORCPT=rfc822;bob@example.com", PARAM_OK, NULL, "rfc822;bob@example.com", "rfc822;bob@example.com"},
        {" ORCPT=RFC822;b+2Bx@example.com NOTIFY=NEVER", PARAM_OK, "NEVER", "RFC822;b+2Bx@example.com",
         "RFC822;b+2Bx@example.com"},
        {" ORCPT=x400;/S=Bob/", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=x400;/S+3DBob/", PARAM_OK, NULL, "x400;/S+3DBob/", "x400;/S+3DBob/"},
        {" ORCPT=bob@example.com", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=rfc822;", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=;bob", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=r[;bob", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=rfc822;a ORCPT=rfc822;a", PARAM_DUPLICATE, NULL, NULL, NULL},
        {" ORCPT=rfc822;b\xc3\xb6", PARAM_SYNTAX, NULL, NULL, NULL},
        /* RFC 6533 §3 */
        {" ORCPT=utf-8;b\\x{F6}b@example.com", PARAM_OK, NULL, "utf-8;b\\x{F6}b@example.com",
         "utf-8;b\\x{F6}b@example.com"},
        {" ORCPT=utf-8;b\\x{20}\\x{2B}\\x{3D}\\x{5C}\\x{20AC}\\x{1F600}\\x{10FFFD}", PARAM_OK, NULL,
         "utf-8;b\\x{20}\\x{2B}\\x{3D}\\x{5C}\\x{20AC}\\x{1F600}\\x{10FFFD}",
         "utf-8;b\\x{20}\\x{2B}\\x{3D}\\x{5C}\\x{20AC}\\x{1F600}\\x{10FFFD}"},
        {" ORCPT=UTF-8;b\xc3\xb6\xe2\x82\xac\xf0\x9f\x98\x80\xdf\xbf", PARAM_OK, NULL,
         "UTF-8;b\xc3\xb6\xe2\x82\xac\xf0\x9f\x98\x80\xdf\xbf", "UTF-8;b\\x{F6}\\x{20AC}\\x{1F600}\\x{7FF}"},
        {" ORCPT=utf-8;b\\x{f6}", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=utf-8;b\\x{0F6}", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=utf-8;b\\x{41}", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=utf-8;b\\x{D800}", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=utf-8;b\\x{110000}", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=utf-8;b\\x{10FFFFF}", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=utf-8;b\\x{}", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=utf-8;b\\x{F6", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=utf-8;b\\x{", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=utf-8;b\\", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=utf-8;b+2B", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=utf-8;\xc3", PARAM_SYNTAX, NULL, NULL, NULL},
        {" ORCPT=utf-8;\xed\xa0\x80", PARAM_SYNTAX, NULL, NULL, NULL},
        {" RET=FULL", PARAM_UNKNOWN, NULL, NULL, NULL},
        {" SMTPUTF8", PARAM_UNKNOWN, NULL, NULL, NULL},
        {" =", PARAM_SYNTAX, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rcpt_params params;
        struct span which;
        struct buf ascii;
        enum param_result result = param_parse_rcpt(span_str(cases[i].text), &params, &which);
        if (result != cases[i].result)
            fail_msg("%s: %d", cases[i].text, result);
        if (result != PARAM_OK)
            continue;
        assert_true(span_eq(span_str(param_notify_text(params.notify)), span_str(cases[i].notify)));
        assert_true(span_eq(params.orcpt, span_str(cases[i].orcpt)));
        assert_int_equal(params.orcpt_8bit, strcmp(cases[i].orcpt, cases[i].ascii) != 0);
        buf_init(&ascii, ORCPT_MAX);
        orcpt_append_ascii(params.orcpt, &ascii);
        assert_true(span_eq(buf_span(&ascii), span_str(cases[i].ascii)));
        buf_free(&ascii);
    }
}

static void test_A9_no_control_or_8_bit_byte_comes_through(void **state)
{
    (void)state;
    static const char *const before[] = {"ENVID=a", "AUTH=a", "ORCPT=rfc822;a", "ORCPT=x400;a"};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        for (int c = 0; c < 256; c++) {
            char text[64];
            struct mail_params mail;
            struct rcpt_params rcpt;
            struct span which;
            snprintf(text, sizeof text, " %s+%02Xb", before[i], (unsigned)c);
            bool printable = c >= ' ' && c < 0x7f;
            bool is_mail = before[i][0] != 'O';
            enum param_result result = is_mail ? param_parse_mail(span_str(text), &mail, &which)
                                               : param_parse_rcpt(span_str(text), &rcpt, &which);
            assert_int_equal(result, printable ? PARAM_OK : PARAM_SYNTAX);
            if (c == 0 || printable)
                continue;
            snprintf(text, sizeof text, " %s%cb", before[i], c);
            result = is_mail ? param_parse_mail(span_str(text), &mail, &which)
                             : param_parse_rcpt(span_str(text), &rcpt, &which);
            assert_int_equal(result, PARAM_SYNTAX);
        }
    }
}

/* Nor in RFC 6533's own way: no C0, DEL, C1 or separator, escaped or as it is. */
static void test_A9_no_control_character_in_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = {"\\x{01}",      "\\x{0A}",      "\\x{0D}",   "\\x{10}",  "\\x{7F}",
                                      "\\x{80}",      "\\x{85}",      "\\x{9F}",   "\xc2\x85", "\\x{2028}",
                                      "\xe2\x80\xa8", "\xe2\x80\xa9", "\\x{2029}", "\xc2\x80", "\x7f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64];
        struct rcpt_params params;
        struct span which;
        snprintf(text, sizeof text, " ORCPT=utf-8;a%sb", bad[i]);
        if (param_parse_rcpt(span_str(text), &params, &which) != PARAM_SYNTAX)
            fail_msg("%s", text);
    }
}

static void test_lengths(void **state)
{
    (void)state;
    char text[600];
    struct mail_params mail;
    struct rcpt_params rcpt;
    struct span which;
    memset(text, 'x', sizeof text);
    memcpy(text, " ENVID=", 7);
    assert_int_equal(param_parse_mail(span_of(text, 7 + 100), &mail, &which), PARAM_OK);
    assert_int_equal(param_parse_mail(span_of(text, 7 + 101), &mail, &which), PARAM_SYNTAX);
    memcpy(text, " ORCPT=rfc822;", 14);
    assert_int_equal(param_parse_rcpt(span_of(text, 7 + 500), &rcpt, &which), PARAM_OK);
    assert_int_equal(param_parse_rcpt(span_of(text, 7 + 501), &rcpt, &which), PARAM_SYNTAX);
}

/* RFC 3461 §4.2: 500 bytes; also in ASCII, which is what the next hop gets: "\\x{F6}" for two bytes. */
static void test_lengths_in_ascii(void **state)
{
    (void)state;
    char text[600] = " ORCPT=utf-8;";
    struct rcpt_params rcpt;
    struct span which;
    size_t len = strlen(text);
    for (int i = 0; i < 82; i++, len += 2)
        memcpy(text + len, "\xc3\xb6", 2);
    memcpy(text + len, "xxx", 3);
    assert_int_equal(param_parse_rcpt(span_of(text, len + 2), &rcpt, &which), PARAM_OK);
    assert_true(rcpt.orcpt_8bit);
    assert_int_equal(param_parse_rcpt(span_of(text, len + 3), &rcpt, &which), PARAM_SYNTAX);
}

static void test_xtext_decoded(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 100);
    assert_true(xtext_decode(span_str("a+2Bb+3D+20c~"), &out));
    assert_string_equal(buf_str(&out), "a+b= c~");
    assert_false(xtext_decode(span_str(""), &out));
    assert_false(xtext_decode(span_str("+"), &out));
    assert_false(xtext_decode(span_str("a+0A"), &out));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail_parameters),
        cmocka_unit_test(test_which_parameter_is_at_fault),
        cmocka_unit_test(test_rcpt_parameters),
        cmocka_unit_test(test_A9_no_control_or_8_bit_byte_comes_through),
        cmocka_unit_test(test_A9_no_control_character_in_utf8),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_lengths_in_ascii),
        cmocka_unit_test(test_xtext_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
