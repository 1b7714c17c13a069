#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/message/tls_required.h"

/* RFC 8689 §3. */
static void only_one_field_that_says_no(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool no;
    } rows[] = {
        {"TLS-Required: No\r\n", true},
        {"From: a@example.org\r\ntls-required:\r\n no \r\nTo: b@example.org\r\n", true},
        {"TLS-Required:NO\r\n", true},
        {"", false},
        {"From: a@example.org\r\n", false},
        {"TLS-Required: Yes\r\n", false},
        {"TLS-Required:\r\n", false},
        {"TLS-Required: No (really)\r\n", false},
        {"TLS-Required: Nobody\r\n", false},
        {"X-TLS-Required: No\r\n", false},
        {"Subject: TLS-Required: No\r\n", false},
        {"TLS-Required: No\r\nTLS-Required: No\r\n", false},
        {"TLS-Required: No\r\nTLS-Required: Yes\r\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (tls_required_no(span_str(rows[i].header)) != rows[i].no)
            fail_msg("row %zu", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_one_field_that_says_no)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
