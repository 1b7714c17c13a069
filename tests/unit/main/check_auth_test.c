/* Who knows the passwords: what `sealgate -n` finds wrong with that, and what it leaves to the time of
 * asking. */
#include <pwd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "gateway/main/check_auth.h"
#include "tests/unit/main/fixture.h"

/* One problem with WHY in it, or with NULL none. */
static void expect(const struct conf *conf, const char *why)
{
    struct buf problems;
    buf_init(&problems, 1u << 16);
    check_auth(conf, "test.conf", &problems);
    const char *said = problems.len ? buf_str(&problems) : "";
    if (why ? strncmp(said, "test.conf: ", 11) != 0 || !strstr(said, why) || strchr(said, '\n')[1] : *said)
        fail_msg("\"%s\" is not \"%s\"", said, why ? why : "");
    buf_free(&problems);
}

static struct path socket_at(const struct folder *f, mode_t mode)
{
    struct path path = path_of(f, "auth-client");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(strlen(path.text) < sizeof address.sun_path);
    memcpy(address.sun_path, path.text, strlen(path.text) + 1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    close(fd); /* nobody listens: no matter of the configuration */
    assert_int_equal(chmod(path.text, mode), 0);
    return path;
}

static void dovecots_socket(void **state)
{
    const struct folder *f = *state;
    struct path path = path_of(f, "auth-client");
    struct conf conf = {.user = (char *)(uintptr_t) "nobody", .auth_dovecot = path.text};
    assert_int_equal(chmod(f->dir, 0755), 0);
    expect(&conf, NULL); /* not there yet */
    write_file(f, "auth-client", "", 0666);
    expect(&conf, "is no socket");
    unlink(path.text);
    (void)socket_at(f, 0666);
    expect(&conf, NULL);
    if (geteuid() == 0) {
        gid_t roots = getegid(), nobodys = getpwnam("nobody")->pw_gid;
        assert_int_equal(chmod(path.text, 0660), 0);
        assert_int_equal(chown(path.text, 0, roots), 0);
        expect(&conf, "unix_listener"); /* what root's groups may, the service user may not */
        assert_int_equal(chown(path.text, 0, nobodys), 0);
        expect(&conf, NULL);
        assert_int_equal(getegid(), roots);
        assert_int_equal(chmod(path.text, 0600), 0);
        expect(&conf, "unix_listener");
        assert_int_equal(chmod(f->dir, 0700), 0);
        expect(&conf, "cannot look at");
        assert_int_equal(geteuid(), 0);
    }
    char longer[120];
    memset(longer, 'x', sizeof longer - 1);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    conf.auth_dovecot = longer;
    expect(&conf, "too long");
}

static void the_users_file(void **state)
{
    const struct folder *f = *state;
    struct path path = path_of(f, "users");
    const struct passwd *pw = geteuid() == 0 ? getpwnam("nobody") : NULL;
    struct conf conf = {.user = (char *)(uintptr_t) "nobody", .auth_users = path.text};
    assert_int_equal(chmod(f->dir, 0755), 0);
    expect(&conf, "there is no users file");
    write_file(f, "users", "alice\n", 0600);
    if (pw)
        assert_int_equal(chown(path.text, pw->pw_uid, pw->pw_gid), 0);
    expect(&conf, "users:1: ");
    write_file(f, "users", "", 0600);
    expect(&conf, NULL);
    assert_int_equal(chmod(path.text, 0640), 0);
    expect(&conf, "chmod 600");
}

static void a_directory(void **state)
{
    const struct folder *f = *state;
    struct path secret = path_of(f, "secret");
    char url[] = "ldaps://127.0.0.1:9", clear[] = "ldap://127.0.0.1:9", dn[] = "uid=%u,dc=example",
         base[] = "dc=example", filter[] = "(uid=%u)", reader[] = "cn=reader,dc=example",
         ca[] = "/nonexistent/ca.pem";
    struct conf by_name = {.ldap_url = url, .ldap_user_dn = dn};
    expect(&by_name, NULL);
    by_name.ldap_url = clear;
    expect(&by_name, "ldap: start-tls");
    by_name.ldap_start_tls = true;
    expect(&by_name, NULL);
    by_name.ldap_ca = ca;
    expect(&by_name, "ldap ca: ");

    struct conf by_search = {
        .ldap_url = url, .ldap_base = base, .ldap_filter = filter, .ldap_bind_dn = reader};
    expect(&by_search, "ldap: bind-dn without");
    by_search.ldap_bind_password_file = secret.text;
    expect(&by_search, "ldap bind-password-file: ");
    write_file(f, "secret", "x\n", 0600);
    expect(&by_search, NULL);
    assert_int_equal(chmod(secret.text, 0644), 0);
    expect(&by_search, "chmod 600");
    by_search.ldap_bind_password_file = by_search.ldap_bind_dn = NULL;
    expect(&by_search, NULL);
    by_search.ldap_user_dn = dn;
    expect(&by_search, "ldap: user-dn excludes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dovecots_socket, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(the_users_file, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_directory, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
