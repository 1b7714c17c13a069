#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

#define MINIMUM                                                                                              \
    "hostname = \"mail.example.com\"\n"                                                                      \
    "listen \"[::]:465\" { tls = implicit }\n"                                                               \
    "tls { certificate = \"/c\" key = \"/k\" }\n"                                                            \
    "auth { users = \"/u\" }\n"

static enum status parse(const char *text, struct conf *conf, char **problems)
{
    struct buf b;
    struct error err;
    buf_init(&b, 100000);
    enum status st = conf_parse(span_str(text), "t.conf", conf, &b, &err);
    *problems = strdup(b.len ? buf_str(&b) : "");
    buf_free(&b);
    return st;
}

static void test_defaults(void **state)
{
    (void)state;
    struct conf conf;
    char *problems;
    assert_int_equal(parse(MINIMUM, &conf, &problems), STATUS_OK);
    assert_string_equal(problems, "");
    assert_string_equal(conf.hostname, "mail.example.com");
    assert_string_equal(conf.state_dir, "/var/lib/sealgate");
    assert_string_equal(conf.control_socket, "/var/lib/sealgate/control.sock");
    assert_int_equal(conf.limit_message, 50 << 20);
    assert_int_equal(conf.queue_first_retry_ms, 300000);
    assert_int_equal(conf.n_listens, 1);
    assert_string_equal(conf.listens[0].address, "[::]:465");
    assert_string_equal(conf.listens[0].tls, "implicit");
    free(problems);
    conf_free(&conf);
}

static void test_rates_accounts_and_clients(void **state)
{
    (void)state;
    struct conf conf;
    char *problems;
    const char *text = MINIMUM "listen \"127.0.0.1:2465\" { tls = implicit clients = {\"scanner\"}"
                               " line-ends = normalize proxy = {\"192.0.2.1\"} }\n"
                               "account \"*@example.org\" { send-as = {\"@example.org\"} rate = 20/10min }\n"
                               "client \"scanner\" { networks = {\"192.0.2.0/24\"} send-as = {\"*\"} }\n"
                               "tls-certificate \"b\" { certificate = /b key = /bk }\n"
                               "throttle { failures-user = 5/1h block = 1d }\n"
                               "rule \"r\" { when { client = {\"scanner\"} } protect = require }\n";
    assert_int_equal(parse(text, &conf, &problems), STATUS_OK);
    assert_string_equal(problems, "");
    assert_string_equal(conf.listens[0].line_ends, "strict");
    assert_string_equal(conf.listens[1].line_ends, "normalize");
    assert_string_equal(conf.listens[1].clients.items[0], "scanner");
    assert_int_equal(conf.n_accounts, 1);
    assert_int_equal(conf.accounts[0].rate.count, 20);
    assert_int_equal(conf.accounts[0].rate.window_ms, 600000);
    assert_int_equal(conf.accounts[0].recipients_rate.count, 0);
    assert_string_equal(conf.clients[0].send_as.items[0], "*");
    assert_string_equal(conf.tls_certificates[0].label, "b");
    assert_int_equal(conf.throttle_failures_user.count, 5);
    assert_int_equal(conf.throttle_failures_address.count, 20);
    assert_int_equal(conf.throttle_block_ms, 86400000);
    assert_string_equal(conf.rules[0].client.items[0], "scanner");
    free(problems);
    conf_free(&conf);
}

static void test_what_no_single_key_says(void **state)
{
    (void)state;
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"listen \"127.0.0.1:2465\" { tls = implicit clients = {nobody} }\n",
         "listen clients: there is no client \"nobody\""},
        {"client \"x\" { send-as = {\"*\"} }\n", "client x: needs networks or certificates"},
        {"ldap { url = \"ldaps://127.0.0.1\" }\n",
         "auth: users, dovecot and ldap { url } exclude each other"},
        {"account \"a\" { rate = 250 }\n", "account rate: \"250\" is not a rate"},
        {"account \"a\" { rate = 0/1h }\n", "account rate: \"0/1h\" is not a rate"},
        {"account \"a\" { rate = 1/1y }\n", "account rate: \"1y\" is not a duration"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct conf conf;
        char *problems, text[1000];
        snprintf(text, sizeof text, "%s%s", MINIMUM, cases[i].text);
        assert_int_equal(parse(text, &conf, &problems), STATUS_INVALID);
        if (!strstr(problems, cases[i].problem))
            fail_msg("expected %s in %s", cases[i].problem, problems);
        free(problems);
    }
}

/* Promise 2: without a rule nothing may leave clear. */
static void test_no_rule_means_require_and_hold(void **state)
{
    (void)state;
    struct conf conf;
    char *problems;
    assert_int_equal(parse(MINIMUM, &conf, &problems), STATUS_OK);
    assert_int_equal(conf.n_rules, 1);
    assert_string_equal(conf.rules[0].name, "default");
    assert_string_equal(conf.rules[0].protect, "require");
    assert_string_equal(conf.rules[0].on_missing_key, "hold");
    assert_int_equal(conf.rules[0].formats.n, 0);
    assert_string_equal(conf.rules[0].sign, "never");
    assert_string_equal(conf.rules[0].openpgp_form, "mime");
    assert_string_equal(conf.rules[0].smime_cipher, "auto");
    assert_null(conf.rules[0].header_protection);
    free(problems);
    conf_free(&conf);
}

static void test_rules_and_policies(void **state)
{
    (void)state;
    struct conf conf;
    char *problems;
    const char *text =
        MINIMUM "rule \"board\" { when { sender = {\"@example.com\"} header = {\"X-C: yes\", \"Y:\"} }\n"
                " protect = require formats = {smime} on-missing-key = refuse tls = dane-only }\n"
                "rule default { protect = prefer }\n"
                "delivery { route = \"[127.0.0.1]:2525\" tls = encrypt resolvers = {\"127.0.0.1@53\"} }\n"
                "tls-policy \"partner.example\" { level = secure }\n"
                "queue { first-retry = 90s lifetime = 2d }\n";
    assert_int_equal(parse(text, &conf, &problems), STATUS_OK);
    assert_int_equal(conf.n_rules, 2);
    assert_string_equal(conf.rules[0].name, "board");
    assert_int_equal(conf.rules[0].header.n, 2);
    assert_string_equal(conf.rules[0].header.items[1], "Y:");
    assert_string_equal(conf.rules[0].formats.items[0], "smime");
    assert_string_equal(conf.rules[0].on_missing_key, "refuse");
    assert_string_equal(conf.rules[0].tls, "dane-only");
    assert_string_equal(conf.rules[1].protect, "prefer");
    assert_null(conf.rules[1].tls);
    assert_string_equal(conf.delivery_route, "[127.0.0.1]:2525");
    assert_string_equal(conf.tls_policies[0].domain, "partner.example");
    assert_string_equal(conf.tls_policies[0].level, "secure");
    assert_int_equal(conf.queue_first_retry_ms, 90000);
    assert_int_equal(conf.queue_lifetime_ms, 2 * 86400000LL);
    free(problems);
    conf_free(&conf);
}

/* Each row: what is added to a good file, and words that the complaint must hold. */
static void test_problems(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *problem;
    } rows[] = {
        {"colour = red\n", "t.conf:5: unknown key \"colour\""},
        {"seal {\n nonsense = 1\n}\n", "t.conf:6: unknown key \"nonsense\""},
        {"seal { workers = many }\n", "t.conf:5: seal workers: \"many\" is not a whole number"},
        {"seal { workers = 0 }\n", "out of range (1 to 256"},
        {"queue { hold = 5parsec }\n", "t.conf:5: queue hold: \"5parsec\" is not a duration"},
        {"queue { hold = 99999999999999d }\n", "out of range"},
        {"limits { message = 1TB }\n", "is not a size"},
        {"limits { message = -5 }\n", "is not a size"},
        {"delivery { tls = maybe }\n",
         "\"maybe\" is not one of: none, may, encrypt, dane, dane-only, verify, secure"},
        {"tls-policy \"a.example\" { }\n", "t.conf:5: tls-policy level: is required"},
        {"rule \"x\" { when { sender = {\"@a\"} } }\n", "t.conf:5: rule protect: is required"},
        {"rule \"x\" { when { sender = {\"@a\"} } protect = always }\n", "\"always\" is not one of: require"},
        {"rule \"x\" { when { sender = {} } protect = require }\n", "when sender: must not be empty"},
        {"rule default { protect = prefer tls = maybe }\n",
         "t.conf:5: rule tls: \"maybe\" is not one of: none, may"},
        {"rule default {\n protect = prefer\n tls = may\n}\n",
         "t.conf:7: rule tls: \"may\" demands nothing, and a rule never lowers what delivery tls or a "
         "tls-policy "
         "demands; leave it out, or write encrypt, dane, dane-only, verify or secure\n"},
        {"rule default { protect = prefer tls = none }\n", "t.conf:5: rule tls: \"none\" demands nothing"},
        {"rule \"x\" { protect = require }\n", "has no when"},
        {"rule default { protect = prefer }\nrule \"x\" { when { user = {a} } protect = require }\n",
         "must be the last rule"},
        {"rule default { when { user = {a} } protect = never }\n", "takes no when"},
        {"rule default { protect = prefer formats = {pgp} }\n", "\"pgp\" is not one of: openpgp, smime"},
        {"listen \"[::]:465\" { tls = starttls }\n", "t.conf:5:"},
        {"state-dir = relative\n", "t.conf:5: state-dir: \"relative\" is not an absolute path"},
        {"keys { case-sensitive = perhaps }\n", "is neither yes nor no"},
        {"seal { workers = \n", "t.conf:"},
        {"listen \"x\" { tls = implicit\n", "t.conf:"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conf conf;
        char *problems;
        char *text;
        assert_true(asprintf(&text, "%s%s", MINIMUM, rows[i].text) > 0);
        if (parse(text, &conf, &problems) != STATUS_INVALID || !strstr(problems, rows[i].problem))
            fail_msg("%s gave: %s", rows[i].text, problems);
        assert_null(conf.hostname);
        free(problems);
        free(text);
    }
}

static void test_all_problems_in_one_run(void **state)
{
    (void)state;
    struct conf conf;
    char *problems;
    const char *text =
        "hostname = \"h\"\ncolour = red\nseal { workers = x }\nlisten \"a\" { tls = soon }\nshape = round\n";
    assert_int_equal(parse(text, &conf, &problems), STATUS_INVALID);
    assert_non_null(strstr(problems, "t.conf:2: unknown key \"colour\""));
    assert_non_null(strstr(problems, "t.conf:5: unknown key \"shape\""));
    assert_non_null(strstr(problems, "t.conf:3: seal workers"));
    assert_non_null(strstr(problems, "t.conf:4: listen tls"));
    assert_non_null(strstr(problems, "tls certificate: is required"));
    assert_non_null(strstr(problems, "auth: one of users, dovecot or an ldap section with url is required"));
    free(problems);
}

static void test_cut_and_noise(void **state)
{
    (void)state;
    const char *text = MINIMUM "rule \"x\" { when { sender = {\"@a\"} } protect = require }\n";
    for (size_t len = 0; len < strlen(text); len++) {
        struct conf conf;
        struct buf problems;
        struct error err;
        buf_init(&problems, 100000);
        if (conf_parse(span_of(text, len), "t.conf", &conf, &problems, &err) == STATUS_OK)
            conf_free(&conf);
        else
            assert_true(problems.len > 0);
        buf_free(&problems);
    }
}

static void test_the_example_parses(void **state)
{
    (void)state;
    struct buf text, problems;
    struct error err;
    struct conf conf;
    buf_init(&problems, 100000);
    assert_int_equal(conf_read_file("conf/sealgate.conf", &text, &err), STATUS_OK);
    assert_int_equal(conf_parse(buf_span(&text), "sealgate.conf", &conf, &problems, &err), STATUS_OK);
    conf_free(&conf);
    buf_free(&text);
    buf_free(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_rates_accounts_and_clients),
        cmocka_unit_test(test_what_no_single_key_says),
        cmocka_unit_test(test_no_rule_means_require_and_hold),
        cmocka_unit_test(test_rules_and_policies),
        cmocka_unit_test(test_problems),
        cmocka_unit_test(test_all_problems_in_one_run),
        cmocka_unit_test(test_cut_and_noise),
        cmocka_unit_test(test_the_example_parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
