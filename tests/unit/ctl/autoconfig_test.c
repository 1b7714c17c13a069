/* What mail programs are told: from configuration and address to the text of each format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above before it. */
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/ctl/autoconfig.h"
#include "gateway/ctl/xml.h"

#define BOTH                                                                                                 \
    "listen \"[::]:587\" { tls = starttls }\n"                                                               \
    "listen \"127.0.0.1:4650\" { tls = implicit }\n"                                                         \
    "listen \"[::]:465\" { tls = implicit }\n"

static void load(struct conf *conf, const char *more)
{
    struct buf problems, text;
    struct error err;
    buf_init(&problems, 65536);
    buf_init(&text, 65536);
    buf_printf(&text, "hostname = \"Mail.Example.com\"\ntls { certificate = /c key = /k }\n%s", more);
    if (!strstr(more, "auth {"))
        buf_append_str(&text, "auth { users = /u }\n");
    if (conf_parse(buf_span(&text), "t", conf, &problems, &err) != STATUS_OK)
        fail_msg("%s%s", err.text, buf_str(&problems));
    buf_free(&text);
    buf_free(&problems);
}

static enum status site_of(const char *more, struct autoconfig_site *site, struct error *err)
{
    struct conf conf;
    load(&conf, more);
    enum status st = autoconfig_site(&conf, site, err);
    conf_free(&conf);
    return st;
}

static void expect_server(const struct autoconfig_server *server, const char *host, unsigned port,
                          bool implicit)
{
    assert_string_equal(server->host, host);
    assert_int_equal(server->port, port);
    assert_int_equal(server->implicit, implicit);
}

static void the_well_known_port_wins_and_implicit_tls_is_first(void **state)
{
    (void)state;
    struct autoconfig_site site;
    struct error err;
    assert_int_equal(site_of(BOTH, &site, &err), STATUS_OK);
    assert_int_equal(site.n_submission, 2);
    expect_server(&site.submission[0], "mail.example.com", 465, true);
    expect_server(&site.submission[1], "mail.example.com", 587, false);
    assert_null(site.incoming.host);
    autoconfig_site_free(&site);

    assert_int_equal(
        site_of("listen \"[::1]:10587\" { tls = starttls }\nlisten \"[::]:20587\" { tls = starttls }\n"
                "autoconfig { host = \"smtp.grüße.example\" incoming = \"imap://imap.example:1143\" }\n",
                &site, &err),
        STATUS_OK);
    assert_int_equal(site.n_submission, 1);
    expect_server(&site.submission[0], "smtp.xn--gre-6ka8l.example", 10587, false);
    expect_server(&site.incoming, "imap.example", 1143, false);
    autoconfig_site_free(&site);
}

static void incoming_is_a_url_of_imap(void **state)
{
    static const char *const wrong[] = {"imap.example",          "pop3s://pop.example",   "imaps://",
                                        "imaps://imap:0",        "imaps://imap:65536",    "imaps://imap:99x",
                                        "imaps://im<ap.example", "imaps://imap.example/", "imaps://:993"};
    (void)state;
    struct autoconfig_site site;
    struct error err;
    assert_int_equal(site_of(BOTH "autoconfig { incoming = \"imaps://imap.example\" }\n", &site, &err),
                     STATUS_OK);
    expect_server(&site.incoming, "imap.example", 993, true);
    autoconfig_site_free(&site);
    assert_int_equal(site_of(BOTH "autoconfig { incoming = \"imap://imap.example\" }\n", &site, &err),
                     STATUS_OK);
    expect_server(&site.incoming, "imap.example", 143, false);
    autoconfig_site_free(&site);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char more[400];
        snprintf(more, sizeof more, BOTH "autoconfig { incoming = \"%s\" }\n", wrong[i]);
        assert_int_equal(site_of(more, &site, &err), STATUS_INVALID);
        assert_non_null(strstr(err.text, wrong[i]));
        autoconfig_site_free(&site);
    }
    assert_int_equal(site_of(BOTH "autoconfig { host = \"no host\" }\n", &site, &err), STATUS_INVALID);
    autoconfig_site_free(&site);
}

static void a_password_in_clear_inside_tls_is_first_choice(void **state)
{
    static const struct {
        const char *mechanisms;
        enum autoconfig_login login;
        const char *mozilla;
    } table[] = {{"", AUTOCONFIG_PASSWORD, "password-cleartext"},
                 {"mechanisms = {scram-sha-256, plain}", AUTOCONFIG_PASSWORD, "password-cleartext"},
                 {"mechanisms = {login}", AUTOCONFIG_PASSWORD, "password-cleartext"},
                 {"mechanisms = {scram-sha-256-plus, scram-sha-256}", AUTOCONFIG_SCRAM, "password-encrypted"},
                 {"mechanisms = {external}", AUTOCONFIG_CERTIFICATE, "TLS-client-cert"}};
    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct autoconfig_site site;
        char domain[] = "example.org", name[] = "n";
        struct autoconfig_account account = {.domain = domain, .name = name};
        struct error err;
        struct buf text;
        char more[400];
        snprintf(more, sizeof more, BOTH "auth { users = /u %s }\n", table[i].mechanisms);
        assert_int_equal(site_of(more, &site, &err), STATUS_OK);
        assert_int_equal(site.login, table[i].login);
        autoconfig_mozilla(&site, &account, &text);
        assert_non_null(strstr(buf_str(&text), table[i].mozilla));
        buf_free(&text);
        autoconfig_site_free(&site);
    }
}

static enum status account_of(const char *more, const char *whom, bool domain,
                              struct autoconfig_account *account)
{
    struct conf conf;
    struct error err;
    load(&conf, more);
    enum status st = autoconfig_account(&conf, whom, domain, account, &err);
    conf_free(&conf);
    return st;
}

static void hostile_addresses_are_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "alice",
        "@example.org",
        "alice@",
        "alice@example..org",
        "alice@exa mple.org",
        "alice@example.org\n",
        "al\x1b[2Jice@example.org",
        "\"a\x01\"@example.org",
        "alice%other.example@example.org",
        "other.example!alice@example.org",
        "@relay.example:alice@example.org",
        "alice@[192.0.2.1]",
        "alice@example.org/../..",
        "../../etc@../passwd",
        "alice <a@example.org>",
        "a\xff@example.org",         /* not UTF-8 */
        "a\xc0\xaf@example.org",     /* overlong */
        "a\xed\xa0\x80@example.org", /* a surrogate */
        "a\xc2\x85@example.org",     /* a C1 control */
        "a\xef\xbf\xbf@example.org", /* U+FFFF, which XML cannot hold */
        "a@b\xe2\x80\xa8.example",   /* a line separator in the domain */
    };
    static const char *const wrong_domains[] = {"",      ".",  "..", "../x", "a/b", "a@b", "example.org.",
                                                "[::1]", "a b"};
    (void)state;
    struct autoconfig_account account;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (account_of(BOTH, wrong[i], false, &account) != STATUS_INVALID)
            fail_msg("taken for an address: \"%s\"", wrong[i]);
        autoconfig_account_free(&account);
    }
    for (size_t i = 0; i < sizeof wrong_domains / sizeof wrong_domains[0]; i++) {
        if (account_of(BOTH, wrong_domains[i], true, &account) != STATUS_INVALID)
            fail_msg("taken for a domain: \"%s\"", wrong_domains[i]);
        autoconfig_account_free(&account);
    }
}

static void the_user_name_is_the_address_unless_auth_has_the_domain(void **state)
{
    (void)state;
    struct autoconfig_account account;
    assert_int_equal(account_of(BOTH, "Jörg&Co@Grüße.example", false, &account), STATUS_OK);
    assert_string_equal(account.address, "Jörg&Co@Grüße.example");
    assert_string_equal(account.domain, "xn--gre-6ka8l.example");
    assert_string_equal(account.user, "Jörg&Co@Grüße.example");
    assert_string_equal(account.name, "xn--gre-6ka8l.example");
    autoconfig_account_free(&account);

    static const char more[] = BOTH "auth { users = /u domains = {\"other.example\", \"GRÜSSE.example\"} }\n"
                                    "autoconfig { name = \"Mail & more\" }\n";
    assert_int_equal(account_of(more, "alice@xn--grsse-lva.example", false, &account), STATUS_OK);
    assert_string_equal(account.user, "alice");
    assert_string_equal(account.name, "Mail & more");
    autoconfig_account_free(&account);
    assert_int_equal(account_of(more, "other.example", true, &account), STATUS_OK);
    assert_null(account.address);
    assert_null(account.user);
    assert_true(account.short_user);
    autoconfig_account_free(&account);
    assert_int_equal(account_of(BOTH "autoconfig { name = \"\xff\" }\n", "a@b.example", false, &account),
                     STATUS_INVALID);
    autoconfig_account_free(&account);
}

static void xml_is_escaped_and_nested(void **state)
{
    (void)state;
    struct xml xml;
    xml_init(&xml, NULL);
    xml_open(&xml, "a", "b", "<\"&'>");
    xml_text(&xml, "c", "ü <\"&'> ]]>");
    xml_number(&xml, "n", 465);
    xml_empty(&xml, "e");
    xml_close(&xml, "a");
    assert_string_equal(buf_str(&xml.out), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                           "<a b=\"&lt;&quot;&amp;&#39;&gt;\">\n"
                                           "  <c>ü &lt;&quot;&amp;&#39;&gt; ]]&gt;</c>\n"
                                           "  <n>465</n>\n"
                                           "  <e/>\n"
                                           "</a>\n");
    buf_free(&xml.out);
}

static void srv_records_prefer_implicit_tls(void **state)
{
    (void)state;
    struct autoconfig_site site;
    char domain[] = "example.org";
    struct autoconfig_account account = {.domain = domain};
    struct error err;
    struct buf text;
    assert_int_equal(site_of(BOTH "autoconfig { incoming = \"imaps://imap.example\" }\n", &site, &err),
                     STATUS_OK);
    autoconfig_srv(&site, &account, &text);
    assert_string_equal(buf_str(&text), "_submissions._tcp.example.org. IN SRV 0 1 465 mail.example.com.\n"
                                        "_submission._tcp.example.org. IN SRV 10 1 587 mail.example.com.\n"
                                        "_imaps._tcp.example.org. IN SRV 0 1 993 imap.example.\n");
    buf_free(&text);
    autoconfig_site_free(&site);
}

/* The profile of ADDRESS at HOST. */
static char *profile(const char *address, const char *host)
{
    struct autoconfig_site site;
    struct autoconfig_account account;
    struct error err;
    struct buf text;
    char more[400];
    snprintf(more, sizeof more, BOTH "autoconfig { host = \"%s\" }\n", host);
    assert_int_equal(site_of(more, &site, &err), STATUS_OK);
    assert_int_equal(account_of(more, address, false, &account), STATUS_OK);
    autoconfig_apple(&site, &account, &text);
    char *copy = strdup(buf_str(&text));
    buf_free(&text);
    autoconfig_account_free(&account);
    autoconfig_site_free(&site);
    return copy;
}

/* Behind N occurrences of PayloadUUID. */
static const char *uuid_in(const char *text, int n)
{
    const char *at = text;
    while (n-- > 0)
        at = strstr(at, "<key>PayloadUUID</key>") + 1;
    return strstr(at, "<string>") + 8;
}

static void a_profile_made_again_has_the_same_uuids(void **state)
{
    (void)state;
    char *one = profile("alice@example.org", "a.example"), *same = profile("alice@example.org", "a.example"),
         *host = profile("alice@example.org", "b.example"), *user = profile("bob@example.org", "a.example");
    assert_string_equal(one, same);
    assert_memory_not_equal(uuid_in(one, 1), uuid_in(host, 1), 36);
    assert_memory_not_equal(uuid_in(one, 1), uuid_in(user, 1), 36);
    assert_memory_not_equal(uuid_in(one, 1), uuid_in(one, 2), 36);
    /* RFC 9562 §5.5: version 5, variant 10. */
    assert_int_equal(uuid_in(one, 1)[14], '5');
    assert_non_null(strchr("89AB", uuid_in(one, 1)[19]));
    free(one);
    free(same);
    free(host);
    free(user);
}

static size_t entries(const char *folder)
{
    size_t n = 0;
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

static void a_file_is_replaced_whole_or_not_at_all(void **state)
{
    (void)state;
    char root[] = "/tmp/sg-autoconfig-XXXXXX", path[200], content[32] = "";
    struct error err;
    struct stat st;
    assert_non_null(mkdtemp(root));
    assert_int_equal(autoconfig_write(root, "a/b/f.xml", span_str("first text"), &err), STATUS_OK);
    assert_int_equal(autoconfig_write(root, "a/b/f.xml", span_str("second"), &err), STATUS_OK);
    snprintf(path, sizeof path, "%s/a/b/f.xml", root);
    FILE *stream = fopen(path, "r");
    assert_non_null(stream);
    assert_int_equal(fread(content, 1, sizeof content - 1, stream), 6);
    fclose(stream);
    assert_string_equal(content, "second");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);

    /* A folder where the file should be: nothing is left beside it. */
    snprintf(path, sizeof path, "%s/a/b/g.xml/in-it", root);
    assert_int_equal(autoconfig_write(root, "a/b/g.xml/in-it", span_str("x"), &err), STATUS_OK);
    assert_int_equal(autoconfig_write(root, "a/b/g.xml", span_str("x"), &err), STATUS_DENIED);
    assert_non_null(strstr(err.text, "a/b/g.xml"));
    assert_int_equal(autoconfig_write(root, "a/b/f.xml/below-a-file", span_str("x"), &err), STATUS_DENIED);
    snprintf(path, sizeof path, "%s/a/b", root);
    assert_int_equal(entries(path), 2);

    static const char *const left[] = {"a/b/g.xml/in-it", "a/b/g.xml", "a/b/f.xml", "a/b", "a", ""};
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", root, left[i]);
        assert_int_equal(remove(path), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_well_known_port_wins_and_implicit_tls_is_first),
        cmocka_unit_test(incoming_is_a_url_of_imap),
        cmocka_unit_test(a_password_in_clear_inside_tls_is_first_choice),
        cmocka_unit_test(hostile_addresses_are_refused),
        cmocka_unit_test(the_user_name_is_the_address_unless_auth_has_the_domain),
        cmocka_unit_test(xml_is_escaped_and_nested),
        cmocka_unit_test(srv_records_prefer_implicit_tls),
        cmocka_unit_test(a_profile_made_again_has_the_same_uuids),
        cmocka_unit_test(a_file_is_replaced_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
