#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/policy/certificate_pattern.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define UPPER "00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF"
#define COLONS                                                                                               \
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

static void test_matches(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *sha256, *subject;
        bool match;
    } cases[] = {
        {"sha256:" HEX, HEX, "CN=alice", true},
        {"sha256:" UPPER, HEX, NULL, true},
        {"sha256:" COLONS, HEX, NULL, true},
        {"sha256:" HEX, "", "CN=alice", false},
        {"sha256:" HEX, NULL, NULL, false},
        {"sha256:", "", "", false},
        {"sha256:00", "00", "", false},
        {HEX, HEX, HEX, false},
        {"subject:CN=alice", HEX, "CN=alice", true},
        {"subject:CN=alice", HEX, "CN=alice,O=Example", false},
        {"subject:CN=alice", HEX, "CN=Alice", false},
        {"subject:*", HEX, "CN=alice", false},
        {"subject:", HEX, "", false},
        {"subject:CN=alice", HEX, NULL, false},
        {"", "", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (certificate_pattern_matches(cases[i].pattern, cases[i].sha256, cases[i].subject) !=
            cases[i].match)
            fail_msg("case %zu: %s", i, cases[i].pattern);
}

static void test_valid(void **state)
{
    (void)state;
    static const char *const good[] = {"sha256:" HEX, "sha256:" UPPER, "sha256:" COLONS, "subject:CN=a"};
    static const char *const wrong[] = {"",
                                        HEX,
                                        "sha256:",
                                        "sha256:" HEX "00",
                                        "subject:",
                                        "sha256::" HEX,
                                        "sha1:0011",
                                        "sha256:0g112233445566778899aabbccddeeff00112233445566"
                                        "778899aabbccddeeff"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(certificate_pattern_is_valid(good[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(certificate_pattern_is_valid(wrong[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_matches), cmocka_unit_test(test_valid)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
