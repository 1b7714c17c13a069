/* Settings of a directory that fit together, and those that do not. */
#include "gateway/net/tls.h"
#include "gateway/passwords/ldap_settings.h"
#include "tests/unit/passwords/fixture.h"

#define BY_NAME .user_dn = "uid=%u,ou=people,dc=example,dc=org"
#define BY_SEARCH .base = "dc=example,dc=org", .filter = "(&(objectClass=person)(mail=%u))"

static void test_what_fits(void **state)
{
    (void)state;
    static const struct ldap_settings good[] = {
        {.url = "ldaps://ldap.example.org", BY_NAME},
        {.url = "ldaps://ldap.example.org:1636", .start_tls = true, BY_NAME},
        {.url = "ldap://[::1]:389", .start_tls = true, BY_NAME},
        {.url = "ldaps://ldap.example.org/", BY_SEARCH},
        {.url = "ldaps://a", BY_SEARCH, .bind_dn = "cn=reader,dc=example,dc=org", .bind_password = "x"},
        {.url = "ldaps://a", .base = "", .filter = "(uid=%u)"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct error err = {0};
        if (ldap_settings_check(&good[i], &err) != STATUS_OK)
            fail_msg("case %zu: %s", i, err.text);
    }
}

static void test_what_does_not(void **state)
{
    (void)state;
    static const struct {
        struct ldap_settings settings;
        const char *why;
    } bad[] = {
        {{.url = "ldap://ldap.example.org", BY_NAME}, "start-tls = no"},
        {{.url = "LDAP://ldap.example.org", BY_NAME}, "start-tls = no"},
        {{.url = "ldapi://%2Frun%2Fldapi", BY_NAME}, "url: "},
        {{.url = "https://ldap.example.org", BY_NAME}, "url: "},
        {{.url = "ldap.example.org", BY_NAME}, "url: "},
        {{.url = "", BY_NAME}, "url: "},
        {{.url = "ldaps://", BY_NAME}, "url: "},
        {{.url = "ldaps://a ldap://b", BY_NAME}, "url: "},
        {{.url = "ldaps://a/dc=example", BY_NAME}, "url: "},
        {{.url = "ldaps://a/??sub", BY_NAME}, "url: "},
        {{.url = "ldaps://a"}, "are required"},
        {{.url = "ldaps://a", .base = "dc=example"}, "are required"},
        {{.url = "ldaps://a", .filter = "(uid=%u)"}, "are required"},
        {{.url = "ldaps://a", BY_NAME, BY_SEARCH}, "excludes"},
        {{.url = "ldaps://a", BY_NAME, .bind_dn = "cn=x", .bind_password = "x"}, "excludes"},
        {{.url = "ldaps://a", .user_dn = "uid=alice"}, "user-dn"},
        {{.url = "ldaps://a", .user_dn = "%u"}, "user-dn"},
        {{.url = "ldaps://a", .user_dn = "uid=%u,"}, "user-dn"},
        {{.url = "ldaps://a", .base = "example.org", .filter = "(uid=%u)"}, "base"},
        {{.url = "ldaps://a", .base = "dc=example", .filter = "(uid=%u"}, "filter"},
        {{.url = "ldaps://a", .base = "dc=example", .filter = "(&(uid=%u)"}, "filter"},
        {{.url = "ldaps://a", .base = "dc=example", .filter = "(uid=alice)"}, "filter"},
        {{.url = "ldaps://a", BY_SEARCH, .bind_dn = "cn=x"}, "bind-dn without"},
        {{.url = "ldaps://a", BY_SEARCH, .bind_password = "x"}, "without bind-dn"},
        {{.url = "ldaps://a", BY_SEARCH, .bind_dn = "reader", .bind_password = "x"}, "bind-dn"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {0};
        if (ldap_settings_check(&bad[i].settings, &err) != STATUS_INVALID || !strstr(err.text, bad[i].why))
            fail_msg("case %zu: %s", i, err.text);
    }
}

static void write_file(const struct folder *f, const char *text, mode_t mode)
{
    FILE *file = fopen(f->path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(f->path, mode), 0);
}

static void test_A26_the_password_file(void **state)
{
    const struct folder *f = *state;
    char *password;
    char longer[2000];
    struct error err = {0};
    assert_int_equal(secret_line_load(f->path, &password, &err), STATUS_NOT_FOUND);
    static const mode_t modes[] = {0640, 0604, 0644, 0660, 0601};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        write_file(f, "secret\n", modes[i]);
        assert_int_equal(secret_line_load(f->path, &password, &err), STATUS_DENIED);
        assert_non_null(strstr(err.text, "chmod 600"));
        assert_null(password);
    }
    write_file(f, "s\xc3\xa9 cret \r\nmore\n", 0600);
    assert_int_equal(secret_line_load(f->path, &password, &err), STATUS_OK);
    assert_string_equal(password, "s\xc3\xa9 cret ");
    free(password);
    write_file(f, "secret", 0400);
    assert_int_equal(secret_line_load(f->path, &password, &err), STATUS_OK);
    assert_string_equal(password, "secret");
    free(password);
    unlink(f->path);
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    const char *const bad[] = {"", "\n", "\nsecret\n", longer};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(f, bad[i], 0600);
        if (secret_line_load(f->path, &password, &err) != STATUS_INVALID)
            fail_msg("case %zu", i);
        assert_null(password);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_fits),
        cmocka_unit_test(test_what_does_not),
        cmocka_unit_test_setup_teardown(test_A26_the_password_file, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
