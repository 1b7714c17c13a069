/* The form by which addresses are compared: what is the same, what is not, what is no address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>
#include <string.h>

#include "keystore/address.h"

static void check_key(const char *address, bool sensitive, const char *expected)
{
    struct buf key;
    struct error err;

    buf_init(&key, 2000);
    enum status st = keystore_address_key(address, sensitive, &key, &err);
    if (!expected) {
        if (st != STATUS_INVALID)
            fail_msg("%s is taken as %s", address, buf_str(&key));
    } else {
        if (st != STATUS_OK)
            fail_msg("%s: %s", address, err.text);
        assert_string_equal(buf_str(&key), expected);
    }
    buf_free(&key);
}

static const struct {
    const char *address, *folded, *exact;
} same[] = {
    {"foo@example.org", "foo@example.org", "foo@example.org"},
    {"Foo@Example.ORG", "foo@example.org", "Foo@example.org"},
    {"FOO.Bar+Tag@example.org", "foo.bar+tag@example.org", "FOO.Bar+Tag@example.org"},
    {"!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~@example.org"},
    /* quoted local parts */
    {"\"foo\"@example.org", "foo@example.org", "foo@example.org"},
    {"\"f\\oo\"@example.org", "foo@example.org", "foo@example.org"},
    {"\"Foo Bar\"@example.org", "\"foo bar\"@example.org", "\"Foo Bar\"@example.org"},
    {"\"a@b\"@example.org", "\"a@b\"@example.org", "\"a@b\"@example.org"},
    {"\"a..b\"@example.org", "\"a..b\"@example.org", "\"a..b\"@example.org"},
    {"\"q\\\"\\\\x\"@example.org", "\"q\\\"\\\\x\"@example.org", "\"q\\\"\\\\x\"@example.org"},
    {"\"\"@example.org", "\"\"@example.org", "\"\"@example.org"},
    /* internationalised domains: U-label, A-label, decomposed and wide letters are one */
    {"info@b\u00fccher.example", "info@xn--bcher-kva.example", "info@xn--bcher-kva.example"},
    {"info@B\u00dcCHER.example", "info@xn--bcher-kva.example", "info@xn--bcher-kva.example"},
    {"info@bu\u0308cher.example", "info@xn--bcher-kva.example", "info@xn--bcher-kva.example"},
    {"info@XN--BCHER-KVA.example", "info@xn--bcher-kva.example", "info@xn--bcher-kva.example"},
    {"info@b\u00fccher\u3002example", "info@xn--bcher-kva.example", "info@xn--bcher-kva.example"},
    {"info@stra\u00dfe.example", "info@xn--strae-oqa.example", "info@xn--strae-oqa.example"},
    {"\u00fcser@example.org", "\u00fcser@example.org", "\u00fcser@example.org"},
    /* what is no host name, but is used */
    {"user@[192.0.2.1]", "user@[192.0.2.1]", "user@[192.0.2.1]"},
    {"user@[IPv6:2001:DB8::1]", "user@[ipv6:2001:db8::1]", "user@[ipv6:2001:db8::1]"},
    {"user@a_b.example", "user@a_b.example", "user@a_b.example"},
    {"user@localhost", "user@localhost", "user@localhost"},
};

static void keys_are_canonical(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        check_key(same[i].address, false, same[i].folded);
        check_key(same[i].address, true, same[i].exact);
    }
}

static const char *const no_addresses[] = {
    "",
    "foo",
    "@example.org",
    "foo@",
    "foo@@example.org",
    "foo@bar@example.org",
    ".foo@example.org",
    "foo.@example.org",
    "foo..bar@example.org",
    "foo bar@example.org",
    "foo@exam ple.org",
    "foo@example..org",
    "foo@.example.org",
    "foo@example.org.",
    "foo@example.org ",
    " foo@example.org",
    "<foo@example.org>",
    "Foo <foo@example.org>",
    "foo@example.org (comment)",
    "foo(comment)@example.org",
    "foo@example.org,bar@example.org",
    "foo@exam\nple.org",
    "fo\ro@example.org",
    "fo\to@example.org",
    "\"foo@example.org",
    "\"foo\"bar@example.org",
    "\"fo\"o\"@example.org",
    "\"foo\\\"@example.org",
    "\"fo\no\"@example.org",
    "foo@[]",
    "foo@[192.0.2.1",
    "foo@[192.0.2.1]x",
    "foo@[a b]",
    "foo@exa'mple.org",
    "foo@exa%mple.org",
    "foo@exa*mple.org",
    "foo@b\u00fccher.ex ample",
    "foo@\u00fc\uff20example.org",
    "foo@b\u00fccher..example",
    "\xff@example.org",
    "f\xc3@example.org",
    "f\xc0\xafo@example.org",
    "f\xed\xa0\x80o@example.org",
    "foo@\xff.example",
    "foo@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example", /* a label of 64 */
};

static void anything_else_is_invalid(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof no_addresses / sizeof no_addresses[0]; i++) {
        check_key(no_addresses[i], false, NULL);
        check_key(no_addresses[i], true, NULL);
    }
}

static void lengths_are_bounded(void **state)
{
    char address[2000];

    (void)state;
    memset(address, '"', sizeof address);
    for (size_t len = 1; len <= 257; len += 256) {
        /* Every character escaped: the longest a key can be. */
        address[0] = '"';
        for (size_t i = 0; i < len; i++)
            memcpy(address + 1 + 2 * i, "\\\"", 2);
        strcpy(address + 1 + 2 * len, "\"@example.org");
        struct address_keys keys;
        struct error err;
        assert_int_equal(address_keys_make(address, &keys, &err), len > 256 ? STATUS_INVALID : STATUS_OK);
    }
    memset(address, 'a', 300);
    strcpy(address + 300, "@example.org");
    check_key(address, false, NULL);
    strcpy(address, "foo@");
    for (size_t i = 0; i < 130; i++)
        strcpy(address + 4 + 2 * i, "a.");
    strcat(address, "org");
    check_key(address, false, NULL);
}

/* A13: what only looks like example.org, alice or a dot has another key, or none. */
static void homographs_differ_A13(void **state)
{
    const char *const look_alikes[] = {
        "alice@ex\u0430mple.org",   /* Cyrillic a */
        "alice@\u0435xample.org",   /* Cyrillic e */
        "alice@examp1e.org",        /* digit one */
        "alice@example.\u043erg",   /* Cyrillic o */
        "\u0430lice@example.org",   /* Cyrillic a in the local part */
        "alice@\u0251xample.org",   /* Latin alpha */
        "al\u0131ce@example.org",   /* dotless i */
        "alice\u200b@example.org",  /* zero width space */
        "alice@exam\u0440le.org",   /* Cyrillic er */
        "alice@xn--exmple-4nf.org", /* Cyrillic a as A-label */
        "\uff41lice@example.org",   /* wide a in the local part is another one */
        "ALICE@example.org.evil.example",
    };

    (void)state;
    for (size_t i = 0; i < sizeof look_alikes / sizeof look_alikes[0]; i++) {
        struct address_keys keys;
        if (address_keys_make(look_alikes[i], &keys, NULL) == STATUS_OK)
            assert_string_not_equal(keys.folded, "alice@example.org");
    }
}

static void tags_are_dropped(void **state)
{
    const struct {
        const char *address, *without; /* NULL: there is no tag */
    } cases[] = {
        {"User+tag@example.org", "User@example.org"},
        {"user+a+b@example.org", "user@example.org"},
        {"user+@example.org", "user@example.org"},
        {"\"user+tag\"@example.org", "user@example.org"}, /* the same address as without quotes */
        {"user@example.org", NULL},
        {"+tag@example.org", NULL},
        {"\"a b+tag\"@example.org", NULL},
        {"\"a@b+tag\"@example.org", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct address_keys keys;
        assert_int_equal(address_keys_make(cases[i].address, &keys, NULL), STATUS_OK);
        assert_int_equal(address_keys_drop_tag(&keys), cases[i].without != NULL);
        if (cases[i].without) {
            assert_string_equal(keys.exact, cases[i].without);
            assert_null(strchr(keys.folded, '+'));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_canonical),  cmocka_unit_test(anything_else_is_invalid),
        cmocka_unit_test(lengths_are_bounded), cmocka_unit_test(homographs_differ_A13),
        cmocka_unit_test(tags_are_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
