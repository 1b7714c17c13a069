/* `sealgate -n`: what is wrong with a configuration, all of it at once. */
#include "tests/unit/main/fixture.h"

#include <pwd.h>

#include "gateway/main/check.h"
#include "gateway/main/check_notes.h"
#include "gateway/main/domains_conf.h"
#include "tests/unit/net/pki.h"

/* A folder with a certificate, its key and a users file that the service user can read. */
static int good_folder(void **state)
{
    if (folder_make(state) != 0)
        return -1;
    const struct folder *f = *state;
    const struct passwd *pw = geteuid() == 0 ? getpwnam("nobody") : NULL;
    fixture_certificate(f->dir);
    write_file(f, "users", "", 0600);
    if (pw)
        assert_int_equal(chown(path_of(f, "users").text, pw->pw_uid, pw->pw_gid), 0);
    return chmod(f->dir, 0755);
}

/* The problems found, "" when there are none; free with buf_free. */
static void check(const struct folder *f, const char *listens, const char *rest, struct buf *problems)
{
    struct buf text;
    struct conf conf;
    struct error err;
    conf_text(f, listens, rest, &text);
    buf_init(problems, 1u << 16);
    enum status st = check_configuration(buf_span(&text), "test.conf", &conf, problems, &err);
    assert_int_equal(st, problems->len > 0 ? STATUS_INVALID : STATUS_OK);
    if (st == STATUS_OK)
        conf_free(&conf);
    buf_free(&text);
}

static size_t lines_of(struct buf *problems)
{
    size_t n = 0;
    for (size_t i = 0; i < problems->len; i++)
        n += problems->data[i] == '\n';
    return n;
}

static void expect_problem(struct buf *problems, const char *what)
{
    if (problems->len == 0 || !strstr(buf_str(problems), what))
        fail_msg("not found: %s\nin: %s", what, problems->len ? buf_str(problems) : "(nothing)");
}

static void a_good_one_has_no_problem(void **state)
{
    struct buf problems;
    check(*state, ONE_LISTENER, "", &problems);
    assert_string_equal(problems.len ? buf_str(&problems) : "", "");
    buf_free(&problems);
}

static void all_problems_are_told_in_one_run(void **state)
{
    const struct folder *f = *state;
    struct buf problems;
    unlink(path_of(f, "cert.pem").text);
    unlink(path_of(f, "users").text);
    check(f, "listen \"localhost:25\" { tls = implicit }\nlisten \"127.0.0.1:70000\" { tls = starttls }",
          "keys { roots = \"/nonexistent/roots.pem\" crl = {\"/nonexistent/crl\"} }\n"
          "seal { gpg = \"/nonexistent/gpg\" }\n"
          "delivery { route = \"mail.example.com\" ca = \"/nonexistent/ca.pem\" }\n"
          "rule odd { when { header = {\"X-Class\"} } protect = require }",
          &problems);
    static const char *const expected[] = {
        "cert.pem",       "auth users: ", "delivery ca: ", "/nonexistent/roots.pem", "/nonexistent/gpg",
        "delivery route", "localhost:25", "70000",         "lacks a colon",          "keys crl: "};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        expect_problem(&problems, expected[i]);
    assert_int_equal(lines_of(&problems), sizeof expected / sizeof expected[0]);
    buf_free(&problems);
}

static void tls_is_read_as_the_role_will_read_it(void **state)
{
    static const struct {
        const char *rest, *problem;
    } table[] = {
        {"tls-certificate a { certificate = \"%s/cert.pem\" key = \"%s/key.pem\" }", NULL},
        {"tls-certificate a { certificate = \"%s/cert.pem\" key = \"%s/none.pem\" }", "none.pem"},
        {"tls-certificate a { certificate = \"%s/users\" key = \"%s/key.pem\" }", "users"},
        {"tls-certificate a { certificate = \"%s/cert.pem\" key = \"%s/key.pem\" ocsp = "
         "\"/nonexistent/ocsp\" }",
         "/nonexistent/ocsp"},
    };
    const struct folder *f = *state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char rest[1000];
        struct buf problems;
        const char *at = strstr(table[i].rest, "%s"), *second = strstr(at + 2, "%s");
        snprintf(rest, sizeof rest, "%.*s%s%.*s%s%s", (int)(at - table[i].rest), table[i].rest, f->dir,
                 (int)(second - at - 2), at + 2, f->dir, second + 2);
        check(f, ONE_LISTENER, rest, &problems);
        if (table[i].problem)
            expect_problem(&problems, table[i].problem);
        assert_int_equal(lines_of(&problems), table[i].problem != NULL);
        buf_free(&problems);
    }
}

static void networks_of_load_balancers_are_networks(void **state)
{
    struct buf problems;
    check(*state, "listen \"127.0.0.1:2465\" { tls = implicit proxy = {\"192.0.2.0/24\", \"::1\"} }", "",
          &problems);
    assert_int_equal(problems.len, 0);
    buf_free(&problems);
    check(*state,
          "listen \"127.0.0.1:2465\" { tls = implicit proxy = {\"balancer\", \"192.0.2.1/24\", \"::1\"} }",
          "", &problems);
    expect_problem(&problems, "balancer");
    expect_problem(&problems, "192.0.2.1/24");
    assert_int_equal(lines_of(&problems), 2);
    buf_free(&problems);
}

static void the_grammar_is_judged_first(void **state)
{
    struct buf problems;
    check(*state, ONE_LISTENER, "colour = red\nqueue { lifetime = soon }", &problems);
    expect_problem(&problems, "test.conf:7: ");
    expect_problem(&problems, "test.conf:8: ");
    buf_free(&problems);
}

static void a_route_is_mx_or_host_and_port(void **state)
{
    static const struct {
        const char *route;
        bool good;
    } table[] = {
        {"mx", true},
        {"[mail.example.com]:25", true},
        {"[::1]:587", true},
        {"[127.0.0.1]:65535", true},
        {"[mail_relay]:25", true},
        {"[b\u00FCcher.example.]:25", true},
        {"[*.example.com]:25", false},
        {"[a..example]:25", false},
        {"", false},
        {"MX", false},
        {"mail.example.com", false},
        {"mail.example.com:25", false},
        {"[mail.example.com]", false},
        {"[mail.example.com]:", false},
        {"[]:25", false},
        {"[mail.example.com]:0", false},
        {"[a.example]:65536", false},
        {"[a.example]:99999999999999999999", false},
        {"[a.example]:-25", false},
        {"[a.example]:25x", false},
        {"[a.example]: 25", false},
        {"[a.example]25", false},
        {"[a.example:25", false},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char rest[200];
        struct buf problems;
        snprintf(rest, sizeof rest, "delivery { route = \"%s\" }", table[i].route);
        check(*state, ONE_LISTENER, rest, &problems);
        if ((problems.len == 0) != table[i].good)
            fail_msg("\"%s\": %s", table[i].route, problems.len ? buf_str(&problems) : "taken");
        buf_free(&problems);
    }
}

/* Otherwise the policy would silently never apply. */
static void a_title_is_a_domain(void **state)
{
    static const struct {
        const char *title, *problem;
    } table[] = {
        {"example.org", NULL},
        {".b\u00FCcher.example.", NULL},
        {"[192.0.2.1]", NULL},
        {"[IPv6:2001:db8::1]", NULL},
        {"*.example.org", ": is no domain; write \".example.org\""},
        {"@Example.org", ": is no domain; write \"example.org\""},
        {"*@b\u00FCcher.example", ": is no domain; write \"xn--bcher-kva.example\""},
        {"192.0.2.1", ": is no domain; write \"[192.0.2.1]\""},
        {"user@example.org", ": is no domain; write it as in \"example.org\", or \".example.org\""},
        {"*", ": is no domain; write it as in"},
        {".", ": is no domain; write it as in"},
        {"a..example", ": is no domain; write it as in"},
        {"two words.example", ": is no domain; write it as in"},
    };
    static const char *const kinds[][2] = {{"tls-policy", "level = secure"},
                                           {"retry-policy", "lifetime = 1d"}};
    for (size_t i = 0; i < 2 * sizeof table / sizeof table[0]; i++) {
        const char *kind = kinds[i % 2][0], *title = table[i / 2].title, *problem = table[i / 2].problem;
        struct buf problems;
        char rest[200], expected[200];
        snprintf(rest, sizeof rest, "%s \"%s\" { %s }", kind, title, kinds[i % 2][1]);
        check(*state, ONE_LISTENER, rest, &problems);
        snprintf(expected, sizeof expected, "test.conf:7: %s \"%s\"%s", kind, title, problem ? problem : "");
        if (problem)
            expect_problem(&problems, expected);
        assert_int_equal(lines_of(&problems), problem != NULL);
        buf_free(&problems);
    }
}

static void a33_domains_are_compared_as_a_labels(void **state)
{
    struct buf problems;
    struct conf conf = conf_with(*state, ONE_LISTENER,
                                 "delivery { route = \"[Mail.B\u00FCcher.example.]:587\" }\n"
                                 "tls-policy \"B\u00DCCHER.example\" { level = secure }\n"
                                 "tls-policy \".Example.ORG.\" { level = verify }\n"
                                 "tls-policy \"xn--bcher-kva.example.\" { level = may }\n"
                                 "retry-policy \"B\u00DCCHER.example\" { lifetime = 1d }\n");
    buf_init(&problems, 1000);
    domains_conf_convert(&conf, "test.conf", &problems);
    assert_string_equal(buf_str(&problems), "test.conf:10: tls-policy \"xn--bcher-kva.example.\": is the "
                                            "same domain as in line 8; keep one\n");
    assert_string_equal(conf.delivery_route, "[mail.xn--bcher-kva.example]:587");
    assert_string_equal(conf.tls_policies[0].domain, "xn--bcher-kva.example");
    assert_string_equal(conf.tls_policies[1].domain, ".example.org");
    assert_string_equal(conf.retry_policies[0].domain, "xn--bcher-kva.example");
    buf_free(&problems);
    conf_free(&conf);
}

static void a_relay_client_must_be_knowable(void **state)
{
    static const struct {
        const char *client, *problem; /* NULL: none */
    } table[] = {
        {"networks = {\"192.0.2.0/24\", \"2001:db8::1\"}", NULL},
        {"networks = {\"192.0.2.1/24\"}", "client scanner: \"192.0.2.1/24\" has bits set"},
        {"networks = {\"scanner.example.org\"}", "client scanner: \"scanner.example.org\" is no network"},
        {"certificates = {\"subject:CN=scanner\"}", "client-ca"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char rest[300];
        struct buf problems;
        snprintf(rest, sizeof rest, "client \"scanner\" { %s }", table[i].client);
        check(*state, ONE_LISTENER, rest, &problems);
        if (table[i].problem)
            expect_problem(&problems, table[i].problem);
        assert_int_equal(lines_of(&problems), table[i].problem ? 1 : 0);
        buf_free(&problems);
    }
}

static void accounts_and_mechanisms_are_judged(void **state)
{
    static const struct {
        const char *rest, *problem;
    } table[] = {
        {"account \"carol\" { certificates = {\"subject:CN=carol\"} }",
         "account \"carol\": certificates need"},
        {"account \"carol\" { send-as = {\"*\"} }", NULL},
        {"auth { mechanisms = {plain, external} }", "auth mechanisms: external cannot be offered"},
        {"auth { mechanisms = {scram-sha-256, plain} }", NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct buf problems;
        check(*state, ONE_LISTENER, table[i].rest, &problems);
        if (table[i].problem)
            expect_problem(&problems, table[i].problem);
        assert_int_equal(lines_of(&problems), table[i].problem ? 1 : 0);
        buf_free(&problems);
    }
}

static void what_mail_programs_are_told_is_judged(void **state)
{
    static const struct {
        const char *rest, *problem;
    } table[] = {
        {"autoconfig { incoming = \"imaps://imap.example.org\" host = \"smtp.grüße.example\" }", NULL},
        {"autoconfig { incoming = \"imap.example.org\" }",
         "test.conf: autoconfig incoming: \"imap.example.org\" is neither"},
        {"autoconfig { incoming = \"imap://imap.example.org:0\" }", "a wrong port"},
        {"autoconfig { host = \"no host\" }", "test.conf: autoconfig host: \"no host\" is no host name"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct buf problems;
        check(*state, ONE_LISTENER, table[i].rest, &problems);
        if (table[i].problem)
            expect_problem(&problems, table[i].problem);
        assert_int_equal(lines_of(&problems), table[i].problem ? 1 : 0);
        buf_free(&problems);
    }
}

/* No problems: the gateway starts all the same. */
static void a_client_that_can_do_nothing_is_noted(void **state)
{
    static const struct {
        const char *listens, *client, *note; /* NULL: none */
    } table[] = {
        {"listen \"127.0.0.1:2465\" { tls = implicit clients = {scanner} }", "send-as = {\"@a.example\"}",
         NULL},
        {"listen \"127.0.0.1:2465\" { tls = implicit clients = {scanner} }", "",
         "test.conf: note: client scanner: may send nothing without send-as\n"},
        {ONE_LISTENER, "send-as = {\"@a.example\"}",
         "test.conf: note: client scanner: is let in nowhere: no listen section names it\n"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char rest[300];
        struct buf problems, notes;
        snprintf(rest, sizeof rest, "client \"scanner\" { networks = {\"192.0.2.0/24\"} %s }",
                 table[i].client);
        check(*state, table[i].listens, rest, &problems);
        assert_int_equal(problems.len, 0);
        buf_free(&problems);
        struct conf conf = conf_with(*state, table[i].listens, rest);
        buf_init(&notes, 1u << 16);
        check_notes(&conf, "test.conf", &notes);
        assert_string_equal(notes.len ? buf_str(&notes) : "", table[i].note ? table[i].note : "");
        buf_free(&notes);
        conf_free(&conf);
    }
}

/* The certificate signs for itself: who signs does not matter here. */
static void a_stale_ocsp_response_is_noted(void **state)
{
    static const long until_s[] = {3600, -60};
    const struct folder *f = *state;
    struct authority self = {0};
    FILE *file = fopen(path_of(f, "cert.pem").text, "r");
    assert_non_null(file);
    self.certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    file = fopen(path_of(f, "key.pem").text, "r");
    assert_non_null(file);
    self.key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    for (size_t i = 0; i < sizeof until_s / sizeof until_s[0]; i++) {
        char rest[400], note[400];
        struct buf problems, notes;
        struct path path = path_of(f, "ocsp");
        pki_ocsp(path.text, &self, &self, self.certificate, V_OCSP_CERTSTATUS_GOOD, until_s[i]);
        snprintf(rest, sizeof rest, "tls { ocsp = \"%s\" }", path.text);
        check(f, ONE_LISTENER, rest, &problems);
        assert_string_equal(problems.len ? buf_str(&problems) : "", "");
        buf_free(&problems);
        struct conf conf = conf_with(f, ONE_LISTENER, rest);
        buf_init(&notes, 1u << 16);
        check_notes(&conf, "test.conf", &notes);
        snprintf(note, sizeof note,
                 "test.conf: note: tls ocsp: %s is stale and not stapled; fetch a new one\n", path.text);
        assert_string_equal(notes.len ? buf_str(&notes) : "", until_s[i] < 0 ? note : "");
        buf_free(&notes);
        conf_free(&conf);
    }
    X509_free(self.certificate);
    EVP_PKEY_free(self.key);
}

/* A26 */
static void a26_a_key_that_others_can_read_is_refused(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0644, 0660};
    const struct folder *f = *state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct buf problems;
        assert_int_equal(chmod(path_of(f, "key.pem").text, modes[i]), 0);
        check(f, ONE_LISTENER, "", &problems);
        expect_problem(&problems, "key.pem");
        assert_int_equal(lines_of(&problems), 1);
        buf_free(&problems);
    }
}

static void missing_files_are_named(void **state)
{
    static const char *const names[] = {"cert.pem", "key.pem", "users"};
    const struct folder *f = *state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct buf problems;
        struct path path = path_of(f, names[i]), aside = path_of(f, "aside");
        assert_int_equal(rename(path.text, aside.text), 0);
        check(f, ONE_LISTENER, "", &problems);
        expect_problem(&problems, path.text);
        assert_int_equal(lines_of(&problems), 1);
        buf_free(&problems);
        assert_int_equal(rename(aside.text, path.text), 0);
    }
}

/* The auth role reads it without root's rights: so does the check, and it gets root's rights back. */
static void users_are_read_with_the_service_users_eyes(void **state)
{
    const struct folder *f = *state;
    struct buf problems;
    if (geteuid() != 0) {
        print_message("needs root\n");
        skip();
    }
    assert_int_equal(chown(path_of(f, "users").text, 12345, 12345), 0);
    check(f, ONE_LISTENER, "", &problems);
    expect_problem(&problems, "auth users: ");
    assert_int_equal(geteuid(), 0);
    buf_free(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_one_has_no_problem, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(all_problems_are_told_in_one_run, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(tls_is_read_as_the_role_will_read_it, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(networks_of_load_balancers_are_networks, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(the_grammar_is_judged_first, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(a_route_is_mx_or_host_and_port, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(a_title_is_a_domain, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(a33_domains_are_compared_as_a_labels, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_relay_client_must_be_knowable, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(accounts_and_mechanisms_are_judged, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(what_mail_programs_are_told_is_judged, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(a_client_that_can_do_nothing_is_noted, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(a_stale_ocsp_response_is_noted, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(a26_a_key_that_others_can_read_is_refused, good_folder,
                                        folder_remove),
        cmocka_unit_test_setup_teardown(missing_files_are_named, good_folder, folder_remove),
        cmocka_unit_test_setup_teardown(users_are_read_with_the_service_users_eyes, good_folder,
                                        folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
