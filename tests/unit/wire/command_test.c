/* Verb and arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/wire/command.h"

static void assert_span(struct span got, const char *want)
{
    assert_int_equal(got.len, strlen(want));
    assert_memory_equal(got.p, want, got.len);
}

static void test_verb_and_arguments(void **state)
{
    (void)state;
    static const struct {
        const char *line, *verb, *args; /* verb NULL: not a command */
    } cases[] = {
        {"NOOP", "NOOP", ""},
        {"noop  ", "noop", ""},
        {"NOOP \t", "NOOP", ""},
        {"EHLO client.example.org", "EHLO", "client.example.org"},
        {"MAIL FROM:<a@b> SIZE=1  ", "MAIL", "FROM:<a@b> SIZE=1"},
        {"RCPT  TO:<a@b>", "RCPT", " TO:<a@b>"},
        {"", NULL, NULL},
        {" NOOP", NULL, NULL},
        {"NOOP\tx", NULL, NULL},
        {"NO-OP", NULL, NULL},
        {"42", NULL, NULL},
        {"N\xc3\xb6", NULL, NULL},
        {"NOOP a\x01", NULL, NULL},
        {"NOOP a\x7f", NULL, NULL},
        {"\x16\x03\x01", NULL, NULL}, /* a TLS hello in clear */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct command command;
        bool ok = command_parse(span_str(cases[i].line), &command);
        assert_int_equal(ok, cases[i].verb != NULL);
        if (ok) {
            assert_span(command.verb, cases[i].verb);
            assert_span(command.args, cases[i].args);
        }
    }
}

static void test_A9_no_control_character_in_a_command(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char line[] = "MAIL FROM:<?@example.org>";
        struct command command;
        *strchr(line, '?') = (char)c;
        bool is_control = c < 32 || c == 127;
        assert_int_equal(command_parse(span_of(line, sizeof line - 1), &command), !is_control);
    }
}

static void test_words(void **state)
{
    (void)state;
    struct span args = span_str("  one two   three");
    assert_span(command_word(&args), "one");
    assert_span(command_word(&args), "two");
    assert_span(command_word(&args), "three");
    assert_span(command_word(&args), "");
    assert_span(command_word(&args), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verb_and_arguments),
        cmocka_unit_test(test_A9_no_control_character_in_a_command),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
