#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/net/peer_pattern.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define COLONS                                                                                               \
    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"

static const struct tls_peer peer = {.fingerprint = HEX, .subject = "CN=alice,O=Example"};
static const struct tls_peer unnamed = {.fingerprint = HEX};

static void names_of_this_certificate(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "sha256:" HEX, "sha256:00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF",
        "sha256:" COLONS, "subject:CN=alice,O=Example"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        assert_true(peer_pattern_is_valid(patterns[i]));
        assert_true(peer_pattern_matches(patterns[i], &peer));
    }
}

static void names_of_others(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "sha256:10112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "subject:CN=alice",
        "subject:CN=alice,O=Example,C=DE",
        "subject:cn=alice,o=example",
        "subject:O=Example,CN=alice",
        "subject: CN=alice,O=Example",
        "subject:*",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        assert_true(peer_pattern_is_valid(patterns[i]));
        assert_false(peer_pattern_matches(patterns[i], &peer));
    }
    assert_false(peer_pattern_matches("subject:CN=alice,O=Example", &unnamed));
}

static void what_names_none(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "",
        "sha256:",
        "subject:",
        HEX,
        "sha256",
        "SHA256:" HEX,
        "sha256:" HEX "00",
        "sha256:0011",
        "sha1:" HEX,
        "CN=alice,O=Example",
        "sha256:" HEX " ",
        "sha256::" HEX,
        "sha256:0:0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "sha256:zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        if (peer_pattern_is_valid(patterns[i]))
            fail_msg("%s", patterns[i]);
        assert_false(peer_pattern_matches(patterns[i], &peer));
        assert_false(peer_pattern_matches(patterns[i], &unnamed));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_this_certificate),
        cmocka_unit_test(names_of_others),
        cmocka_unit_test(what_names_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
