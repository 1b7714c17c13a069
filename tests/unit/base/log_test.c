#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "base/log.h"

static void one_line(const char *key, const char *value, bool journal, char *out, size_t size)
{
    int p[2];
    assert_int_equal(pipe(p), 0);
    struct log log = {.fd = p[1], .level = LOG_LEVEL_INFO, .role = "test", .journal = journal};
    struct log_line line;
    log_start(&line, &log, LOG_LEVEL_NOTICE, "event");
    log_str(&line, key, value);
    log_end(&line);
    log_start(&line, &log, LOG_LEVEL_DEBUG, "too-quiet");
    log_end(&line);
    ssize_t n = read(p[0], out, size - 1);
    assert_true(n > 0);
    out[n] = '\0';
    close(p[0]);
    close(p[1]);
}

/* Nothing from outside makes a second line or a second field (A9). */
static void test_a9_injection(void **state)
{
    (void)state;
    static const struct {
        const char *value, *line;
    } rows[] = {
        {"plain", "role=test level=notice event=event k=plain\n"},
        {"two words", "role=test level=notice event=event k=\"two words\"\n"},
        {"", "role=test level=notice event=event k=\"\"\n"},
        {"a\nrole=queue event=queued",
         "role=test level=notice event=event k=\"a\\nrole=queue event=queued\"\n"},
        {"a\r\x1b[2J", "role=test level=notice event=event k=\"a\\r\\x1b[2J\"\n"},
        {"q\" x=\"y\\", "role=test level=notice event=event k=\"q\\\" x=\\\"y\\\\\"\n"},
        {"\xc3\xa4\x7f", "role=test level=notice event=event k=\"\\xc3\\xa4\\x7f\"\n"},
        {NULL, "role=test level=notice event=event\n"},
    };
    char text[LOG_LINE_MAX + 1];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        one_line("k", rows[i].value, false, text, sizeof text);
        assert_string_equal(text, rows[i].line);
    }
    one_line("k", "v", true, text, sizeof text);
    assert_string_equal(text, "<5>role=test level=notice event=event k=v\n");
}

static void test_long_lines_are_cut(void **state)
{
    (void)state;
    char value[3 * LOG_LINE_MAX], text[LOG_LINE_MAX + 1];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    one_line("k", value, false, text, sizeof text);
    assert_true(strlen(text) < LOG_LINE_MAX);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_non_null(strstr(text, "…\n"));
    memset(value, '\n', sizeof value - 1);
    one_line("k", value, false, text, sizeof text);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a9_injection),
                                       cmocka_unit_test(test_long_lines_are_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
