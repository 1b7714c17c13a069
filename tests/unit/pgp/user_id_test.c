/* Addresses of user IDs. */
#include "tests/unit/pgp/fixture.h"

#include "pgp/user_id.h"

static const struct {
    const char *user_id, *address; /* NULL: none */
} known[] = {
    {"alice@example.org", "alice@example.org"},
    {"Alice <alice@example.org>", "alice@example.org"},
    {"<alice@example.org>", "alice@example.org"},
    {"Alice (work) <Alice.B+tag@Example.ORG>", "Alice.B+tag@Example.ORG"},
    {"Alice (at (old) work) <alice@example.org>", "alice@example.org"},
    {"Mallory (alice@example.org) <mallory@example.com>", "mallory@example.com"},
    {"alice@example.org <mallory@example.com>", "mallory@example.com"},
    {"\"alice@example.org\" <mallory@example.com>", "mallory@example.com"},
    {"j\xc3\xb6rg@b\xc3\xbc"
     "cher.example",
     "j\xc3\xb6rg@b\xc3\xbc"
     "cher.example"},
    {"root@localhost", "root@localhost"},
    {"a!#$%&'*+-/=?^_`{|}~@example.org", "a!#$%&'*+-/=?^_`{|}~@example.org"},
    {"", NULL},
    {"Alice", NULL},
    {"(alice@example.org)", NULL},
    {"Alice (alice@example.org)", NULL},
    {"Mallory (<alice@example.org>", NULL},
    {"Mallory (<alice@example.org>)", NULL},
    {"Mallory ) <alice@example.org>", NULL},
    {"Mallory <mallory@example.com> <alice@example.org>", NULL},
    {"Mallory <<alice@example.org>", NULL},
    {"Mallory <alice@example.org>>", NULL},
    {"Mallory > <alice@example.org>", NULL},
    {"Alice <alice@example.org> (work)", NULL},
    {"Alice <alice@example.org> ", NULL},
    {"Alice <alice@example.org", NULL},
    {"Alice < alice@example.org>", NULL},
    {"Alice <>", NULL},
    {">", NULL},
    {"<", NULL},
    {" alice@example.org", NULL},
    {"alice@example.org\n", NULL},
    {"alice@example.org,bob@example.com", NULL},
    {"alice@@example.org", NULL},
    {"alice@example.org@example.com", NULL},
    {"@example.org", NULL},
    {"alice@", NULL},
    {".alice@example.org", NULL},
    {"alice.@example.org", NULL},
    {"al..ice@example.org", NULL},
    {"alice@example..org", NULL},
    {"alice@example.org.", NULL},
    {"alice@-example.org", NULL},
    {"alice@example-.org", NULL},
    {"alice@exa_mple.org", NULL},
    {"alice@[192.0.2.1]", NULL},
    {"\"a b\"@example.org", NULL},
    {"al\xff"
     "ice@example.org",
     NULL},
    {"al\xc0\xafice@example.org", NULL},
    {"alice@example.org\xc2\x80", NULL},
    {"a\x7f"
     "b@example.org",
     NULL},
};

static void A13_only_the_address_itself_counts(void **state)
{

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct span address = {0};
        bool found = pgp_user_id_address(span_str(known[i].user_id), &address);

        if (found != (known[i].address != NULL) || (found && !span_eq(address, span_str(known[i].address))))
            fail_msg("\"%s\" -> \"%.*s\"", known[i].user_id, (int)address.len, address.p);
    }
    assert_false(pgp_user_id_address(span_of("ali\0ce@example.org", 18), &(struct span){0}));
}

static void long_addresses_have_limits(void **state)
{
    char text[400];

    (void)state;
    for (int len = 60; len < 70; len++) {
        snprintf(text, sizeof text, "%0*d@example.org", len, 7);
        assert_int_equal(pgp_user_id_address(span_str(text), &(struct span){0}), len <= 64);
        snprintf(text, sizeof text, "a@%0*d.org", len, 7);
        assert_int_equal(pgp_user_id_address(span_str(text), &(struct span){0}), len <= 63);
    }
}

static void text_is_clean_utf8(void **state)
{
    static const struct {
        const char *user_id, *text;
    } cases[] = {
        {"J\xc3\xb6rg <a@example.org>", "J\xc3\xb6rg <a@example.org>"},
        {"J\xf6rg", "J?rg"},
        {"a\nb\x1b[31m", "a?b?[31m"},
        {"\xe2\x82", "??"},
        {"\xed\xa0\x80", "???"},
        {"\xf4\x90\x80\x80", "????"},
        {"\xc2\x9b", "??"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = pgp_user_id_text(span_str(cases[i].user_id));

        assert_string_equal(text, cases[i].text);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(A13_only_the_address_itself_counts),
        cmocka_unit_test(long_addresses_have_limits),
        cmocka_unit_test(text_is_clean_utf8),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
