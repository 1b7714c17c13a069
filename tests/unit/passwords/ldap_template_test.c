/* Names in templates, and what a directory says of a user. */
#include "gateway/passwords/ldap_template.h"

#include <ldap.h>

#include "tests/unit/passwords/fixture.h"

static void test_A21_names_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *name, *escaped;
    } cases[] = {
        {"alice", "alice"},
        {"a.b_c@example.org", "a.b_c@example.org"},
        {"*", "\\2A"},
        {"a)(uid=*", "a\\29\\28uid\\3D\\2A"},
        {"a)(|(uid=*)", "a\\29\\28\\7C\\28uid\\3D\\2A\\29"},
        {"a,ou=admins", "a\\2Cou\\3Dadmins"},
        {"a+b", "a\\2Bb"},
        {"a\\2a", "a\\5C2a"},
        {"\"q\" <x>;#", "\\22q\\22\\20\\3Cx\\3E\\3B\\23"},
        {" a ", "\\20a\\20"},
        {"#a", "\\23a"},
        {"a\tb\nc", "a\\09b\\0Ac"},
        {"\xc3\xbc", "\\C3\\BC"},
        {"%u", "\\25u"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        struct error err;
        char wanted[200];
        buf_init(&b, 1000);
        assert_int_equal(ldap_template_fill("(|(uid=%u)(mail=%u))", cases[i].name, &b, &err), STATUS_OK);
        snprintf(wanted, sizeof wanted, "(|(uid=%s)(mail=%s))", cases[i].escaped, cases[i].escaped);
        assert_string_equal(buf_str(&b), wanted);
        buf_free(&b);
    }
}

/* libldap reads the name back as it was, as one value of one attribute. */
static void test_A21_an_escaped_name_is_one_value(void **state)
{
    (void)state;
    static const char *const names[] = {"alice", "a,ou=admins", "a+cn=b",   "#a",  " a ",
                                        "\"",    "\\",          "\xc3\xbc", "a=b", "<;>"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf b;
        struct error err;
        LDAPDN dn = NULL;
        buf_init(&b, 1000);
        assert_int_equal(ldap_template_fill("uid=%u,ou=people,dc=example", names[i], &b, &err), STATUS_OK);
        assert_int_equal(ldap_str2dn(buf_str(&b), &dn, LDAP_DN_FORMAT_LDAPV3), LDAP_SUCCESS);
        assert_true(dn[0] && dn[1] && dn[2] && !dn[3]);
        assert_true(dn[0][0] && !dn[0][1]);
        assert_true(
            span_eq(span_of(dn[0][0]->la_value.bv_val, dn[0][0]->la_value.bv_len), span_str(names[i])));
        ldap_dnfree(dn);
        buf_free(&b);
    }
}

static void test_templates(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "uid=alice", "uid=%n", "uid=%", "uid=%u,o=%d", "uid=%%u"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct buf b;
        struct error err;
        buf_init(&b, 1000);
        if (ldap_template_fill(bad[i], "alice", &b, &err) != STATUS_INVALID)
            fail_msg("case %zu", i);
        buf_free(&b);
    }
}

static void test_the_attribute_of_the_name(void **state)
{
    (void)state;
    static const struct {
        const char *template, *attribute;
    } cases[] = {
        {"uid=%u,ou=people,dc=example,dc=org", "uid"},
        {"(mail=%u)", "mail"},
        {"(&(objectClass=person)(|(uid=%u)(mail=%u)))", "uid"},
        {"(0.9.2342.19200300.100.1.1=%u)", "0.9.2342.19200300.100.1.1"},
        {"(uid:caseIgnoreMatch:=%u)", ""},
        {"(uid~=%u)", ""},
        {"(mail=%u@example.org)", "mail"},
        {"(mail=x%u)", ""},
        {"%u", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (!span_eq(ldap_template_attribute(cases[i].template), span_str(cases[i].attribute)))
            fail_msg("case %zu", i);
}

/* A value that were a pattern would let the user write as others. */
static void test_A8_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *value, *address; /* NULL: none */
    } cases[] = {
        {"alice@example.org", "alice@example.org"},
        {"SMTP:alice@example.org", "alice@example.org"},
        {"smtp:a@b", "a@b"},
        {"\"a@b\"@example.org", "\"a@b\"@example.org"},
        {"\xc3\xbc@example.org", "\xc3\xbc@example.org"},
        {"", NULL},
        {"alice", NULL},
        {"@example.org", NULL},
        {"alice@", NULL},
        {"*@example.org", NULL},
        {"a?@example.org", NULL},
        {".example.org", NULL},
        {"a b@example.org", NULL},
        {"a\n@example.org", NULL},
        {"x500:/o=Example/cn=alice", NULL},
        {"smtp:", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct span address = {0};
        if (ldap_value_address(span_str(cases[i].value), &address) != (cases[i].address != NULL) ||
            (cases[i].address && !span_eq(address, span_str(cases[i].address))))
            fail_msg("case %zu", i);
    }
    assert_false(ldap_value_address(span_of("a\0@b", 4), &(struct span){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_A21_names_are_escaped),
        cmocka_unit_test(test_A21_an_escaped_name_is_one_value),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_the_attribute_of_the_name),
        cmocka_unit_test(test_A8_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
