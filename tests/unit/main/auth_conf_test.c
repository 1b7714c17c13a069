/* What the configuration makes possible of SASL, and what is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/jobs/sasl_mechanism.h"
#include "gateway/main/auth_conf.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const char base_text[] = "hostname = \"mail.example.org\"\n"
                                "listen \"127.0.0.1:465\" { tls = implicit }\n";

static struct conf parse(const char *tls, const char *auth, const char *more)
{
    struct conf conf;
    struct buf text, problems;
    struct error err;
    buf_init(&text, 10000);
    buf_init(&problems, 10000);
    buf_printf(&text, "%stls { certificate = \"/c\" key = \"/k\" %s }\nauth { %s }\n%s", base_text, tls, auth,
               more);
    if (conf_parse(buf_span(&text), "test", &conf, &problems, &err) != STATUS_OK)
        fail_msg("%s", buf_str(&problems));
    buf_free(&text);
    buf_free(&problems);
    return conf;
}

#define USERS "users = \"/u\""
#define CAROL "account \"carol\" { certificates = {\"subject:CN=carol\"} }\n"

static void test_mechanisms(void **state)
{
    (void)state;
    static const struct {
        const char *tls, *auth, *more, *list, *problem;
    } cases[] = {
        {"", USERS, "", "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN", NULL},
        {"", "dovecot = \"/s\"", "", "PLAIN LOGIN", NULL},
        {"client-ca = \"/ca\"", USERS, "", "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN", NULL},
        {"", USERS, CAROL, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN",
         "account \"carol\": certificates need tls { client-ca }"},
        {"client-ca = \"/ca\"", USERS, CAROL, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 EXTERNAL PLAIN LOGIN", NULL},
        {"client-ca = \"/ca\"", USERS " mechanisms = {scram-sha-256-plus, external}", CAROL,
         "SCRAM-SHA-256-PLUS EXTERNAL", NULL},
        {"", USERS " mechanisms = {login, external}", "", "LOGIN",
         "external cannot be offered: it needs client-ca in tls and an account with certificates"},
        {"client-ca = \"/ca\"", USERS " mechanisms = {plain, external}", "", "PLAIN",
         "external cannot be offered"},
        {"", "dovecot = \"/s\" mechanisms = {scram-sha-256}", "", "",
         "scram-sha-256 cannot be offered: it needs a users file"},
        {"", "dovecot = \"/s\" mechanisms = {plain, scram-sha-256-plus}", "", "PLAIN",
         "scram-sha-256-plus cannot be offered"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct conf conf = parse(cases[i].tls, cases[i].auth, cases[i].more);
        char list[SASL_LIST_SIZE];
        struct buf problems;
        sasl_mechanisms_list(mechanisms_from_conf(&conf), list);
        assert_string_equal(list, cases[i].list);
        buf_init(&problems, 10000);
        auth_conf_check(&conf, "test", &problems);
        const char *said = problems.len ? buf_str(&problems) : "";
        if (cases[i].problem ? !strstr(said, cases[i].problem) : *said)
            fail_msg("\"%s\" is not \"%s\"", said, cases[i].problem ? cases[i].problem : "");
        buf_free(&problems);
        conf_free(&conf);
    }
}

static void test_accounts_that_are_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *account, *problem;
    } cases[] = {
        {"account \"a\" { certificates = {\"sha256:" HEX "\", \"subject:CN=a\"} }\n", NULL},
        {"account \"*\" { send-as = {\"*\"} }\n", NULL},
        {"account \"*\" { certificates = {\"subject:CN=a\"} }\n", "whole name"},
        {"account \"@example.org\" { certificates = {\"subject:CN=a\"} }\n", "whole name"},
        /* It would pass for a relay client in the audit trail. */
        {"account \"client:scanner\" { certificates = {\"subject:CN=a\"} }\n", "whole name"},
        {"account \"a\" { certificates = {\"" HEX "\"} }\n", "neither \"sha256:\""},
        {"account \"a\" { certificates = {\"sha256:00\"} }\n", "neither \"sha256:\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct conf conf = parse("client-ca = \"/ca\"", USERS, cases[i].account);
        struct buf problems;
        buf_init(&problems, 10000);
        auth_conf_check(&conf, "test.conf", &problems);
        if (cases[i].problem) {
            assert_non_null(strstr(buf_str(&problems), cases[i].problem));
            assert_true(strncmp(buf_str(&problems), "test.conf: account ", 19) == 0);
        } else {
            assert_int_equal(problems.len, 0);
        }
        buf_free(&problems);
        conf_free(&conf);
    }
}

static void test_accounts(void **state)
{
    (void)state;
    struct conf conf = parse("", USERS, "account \"a*\" { send-as = {\"x@example.org\", \"@b\"} }\n" CAROL);
    struct error err;
    struct auth_account *accounts = accounts_from_conf(&conf, &err);
    assert_non_null(accounts);
    assert_string_equal(accounts[0].pattern, "a*");
    assert_int_equal(accounts[0].n_send_as, 2);
    assert_string_equal(accounts[0].send_as[1], "@b");
    assert_int_equal(accounts[0].n_certificates, 0);
    assert_string_equal(accounts[1].certificates[0], "subject:CN=carol");
    free(accounts);
    conf_free(&conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mechanisms),
        cmocka_unit_test(test_accounts_that_are_wrong),
        cmocka_unit_test(test_accounts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
