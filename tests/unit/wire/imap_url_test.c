#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gateway/wire/imap_url.h"

static void test_good(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
        unsigned port;
        bool implicit;
    } table[] = {
        {"imaps://imap.example", "imap.example", 993, true},
        {"imap://imap.example", "imap.example", 143, false},
        {"imaps://IMAP.Example:1", "imap.example", 1, true},
        {"imap://imap.grüße.example:65535", "imap.xn--gre-6ka8l.example", 65535, false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct imap_url url;
        struct error err;
        if (imap_url_parse(table[i].url, &url, &err) != STATUS_OK)
            fail_msg("%s", err.text);
        assert_string_equal(url.host, table[i].host);
        assert_int_equal(url.port, table[i].port);
        assert_int_equal(url.implicit, table[i].implicit);
        free(url.host);
    }
}

static void test_wrong(void **state)
{
    (void)state;
    static const char *const table[] = {
        "",
        "imap.example",
        "pop3s://pop.example",
        "IMAPS://imap.example",
        "imaps://",
        "imaps://:993",
        "imaps://imap.example:",
        "imaps://imap.example:0",
        "imaps://imap.example:65536",
        "imaps://imap.example:4294967489",
        "imaps://imap.example:-1",
        "imaps://imap.example:99x",
        "imaps://imap.example/",
        "imaps://user@imap.example",
        "imaps://im<ap.example",
        "imaps://[2001:db8::1]",
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct imap_url url;
        struct error err;
        if (imap_url_parse(table[i], &url, &err) != STATUS_INVALID)
            fail_msg("%s was taken", table[i]);
        assert_null(url.host);
        assert_non_null(strstr(err.text, table[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
